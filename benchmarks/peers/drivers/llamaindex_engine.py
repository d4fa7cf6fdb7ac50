"""LlamaIndex's NLSQLTableQueryEngine over all tables of the database."""

from llama_index.core import SQLDatabase
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.query_engine import NLSQLTableQueryEngine
from llama_index.llms.openai_like import OpenAILike
from protocol import Answer, Reply, serve
from sqlalchemy import create_engine


def prepare(settings: dict[str, str]) -> Answer:
    """A new engine for each question, on its database."""
    model = OpenAILike(
        api_base=settings["url"] + "/v1",
        api_key=settings["key"],
        model=settings["model"],
        is_chat_model=True,
        context_window=8192,
        temperature=0,
        max_retries=0,
        timeout=600,
    )

    def answer(question: str, database: str) -> Reply:
        # It wants an embedding model even where it embeds nothing.
        engine = NLSQLTableQueryEngine(
            SQLDatabase(create_engine(f"sqlite:///{database}")), llm=model, embed_model=MockEmbedding(embed_dim=1)
        )
        done = engine.query(question)
        return {"sql": (done.metadata or {}).get("sql_query"), "text": str(done)}

    return answer


serve(prepare)
