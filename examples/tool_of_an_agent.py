"""The graph as a tool of a LangChain agent, whose own model decides what to ask.

python examples/tool_of_an_agent.py MODEL    (a model that calls tools, as LangChain's create_agent names it)
"""

import sys
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel

from route_sql import Context, OpenedDatabase, ask_database, open_default
from route_sql.demo.database import build_demo_database

QUESTION = "Which doctor had the most cancelled appointments, and how many patients does that doctor have?"


def agent_of(model: str | BaseChatModel, database: OpenedDatabase) -> Any:
    """An agent that asks the database, and whose caller sees no phone numbers."""
    tool = ask_database(database.graph, database.catalog, context=Context(hide=("*.phone",)))
    return create_agent(model, [tool], system_prompt="Answer from the database. Say how sure you are.")


def main() -> None:
    """Ask the demo clinic."""
    with open_default(build_demo_database(Path(".demo/clinic.sqlite"))) as database:
        ended = agent_of(sys.argv[1], database).invoke({"messages": [{"role": "user", "content": QUESTION}]})
        print(ended["messages"][-1].text)


if __name__ == "__main__":
    main()
