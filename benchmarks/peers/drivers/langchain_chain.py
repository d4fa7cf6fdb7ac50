"""LangChain's SQLDatabaseChain (langchain-experimental, archived), as its documentation makes it."""

from chat_model import chat_model
from langchain_community.utilities import SQLDatabase
from langchain_experimental.sql import SQLDatabaseChain
from protocol import Answer, Reply, serve


def prepare(settings: dict[str, str]) -> Answer:
    """A new chain for each question, on its database."""
    model = chat_model(settings)

    def answer(question: str, database: str) -> Reply:
        chain = SQLDatabaseChain.from_llm(
            model, SQLDatabase.from_uri(f"sqlite:///{database}"), return_intermediate_steps=True
        )
        try:
            done = chain.invoke({"query": question})
        except Exception as error:  # whatever the chain raises: its steps hold the query
            error.sql = query_of(getattr(error, "intermediate_steps", []))
            raise
        return {"sql": query_of(done["intermediate_steps"]), "text": done["result"]}

    return answer


def query_of(steps: list) -> str | None:
    """The query as the chain ran it: without the marks that it cuts away itself."""
    written = next((step["sql_cmd"] for step in reversed(steps) if isinstance(step, dict) and "sql_cmd" in step), None)
    if written is None:
        return None
    after = written.split("SQLQuery:")[1] if "SQLQuery:" in written else written
    return after.split("SQLResult:")[0].strip()


serve(prepare)
