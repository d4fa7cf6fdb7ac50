"""The libraries that are compared, with the packages that they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Contestant:
    """A library and how it is asked."""

    name: str
    title: str
    driver: str
    packages: Sequence[str] = ()
    """Pinned; none for route-sql, which runs where the benchmark does."""
    is_agent: bool = False
    """Whether it calls tools: asked fewer questions, of the untuned base alone."""

    @property
    def models(self) -> Sequence[str]:
        """The models that it is asked with: the tuned one knows no tools."""
        return ("base",) if self.is_agent else ("base", "default")


LANGCHAIN = (
    *("langchain-experimental==0.4.2", "langchain-community==0.4.2", "langchain-openai==1.7.4"),
    *("langchain-core==1.8.3", "langchain-classic==1.0.8", "SQLAlchemy==2.1.9"),
)
LLAMAINDEX = ("llama-index-core==0.14.25", "llama-index-llms-openai-like==0.8.1", "SQLAlchemy==2.1.9")

CONTESTANTS = (
    Contestant("route-sql", "route-sql, `adaptive`", "ours.py"),
    Contestant("sqldatabasechain", "SQLDatabaseChain (LangChain, archived)", "langchain_chain.py", LANGCHAIN),
    Contestant("nlsqltable", "NLSQLTableQueryEngine (LlamaIndex)", "llamaindex_engine.py", LLAMAINDEX),
    Contestant("create_sql_agent", "create_sql_agent (LangChain)", "langchain_agent.py", LANGCHAIN, is_agent=True),
    Contestant("vanna", "vanna 2", "vanna_agent.py", ("vanna[openai]==2.0.2",), is_agent=True),
)

LEFT_OUT = {
    "openchatbi 0.3.0": "wants a catalogue of tables and columns, written by hand for each database, and an embedding "
    "model, which the embedded server is not",
    "nl2sql-engine 0.1.2": "finds tables by an index of embeddings, from OpenAI's API or a model fetched from a hub; "
    "the embedded server has neither",
}
"""Libraries that were tried and could not be asked, with the reason."""
