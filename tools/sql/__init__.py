"""SQL as text and as a tree: extraction from replies, names in use, hardness, continuation, repair of joins."""
