"""Forms of the graph for other programs: a LangChain tool, and a chat."""
