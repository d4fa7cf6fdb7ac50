"""SQL as text and tree: taking it out of a reply, what it uses, how hard it is, what can be continued."""
