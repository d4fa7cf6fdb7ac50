"""LangChain's create_sql_agent (langchain-community) with tool calling."""

from chat_model import chat_model
from langchain_community.agent_toolkits import create_sql_agent
from langchain_community.utilities import SQLDatabase
from protocol import Answer, Reply, serve


def prepare(settings: dict[str, str]) -> Answer:
    """A new agent for each question, on its database."""
    model = chat_model(settings)

    def answer(question: str, database: str) -> Reply:
        agent = create_sql_agent(
            model,
            db=SQLDatabase.from_uri(f"sqlite:///{database}"),
            agent_type="tool-calling",
            agent_executor_kwargs={"return_intermediate_steps": True},
        )
        done = agent.invoke({"input": question})
        asked = [action.tool_input for action, _ in done["intermediate_steps"] if action.tool == "sql_db_query"]
        return {"sql": query_of(asked[-1]) if asked else None, "text": done["output"]}

    return answer


def query_of(given: object) -> str:
    """The query that the tool was called with."""
    return str(given.get("query", given)) if isinstance(given, dict) else str(given)


serve(prepare)
