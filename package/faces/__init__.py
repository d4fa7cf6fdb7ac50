"""The graph as other programs take it: a LangChain tool, and a chat."""
