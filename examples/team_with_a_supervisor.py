"""The graph as a member of a team: a supervisor sends it the questions about the clinic.

python examples/team_with_a_supervisor.py MODEL    (needs langgraph-supervisor, langchain and a model that calls tools)
"""

import sys
from pathlib import Path
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langgraph_supervisor import create_supervisor

from route_sql import OpenedDatabase, chat_graph, open_default
from route_sql.demo.database import build_demo_database

PROMPT = "You lead a team. clinic_data answers questions about appointments, patients and doctors from the database."


def team_of(model: BaseChatModel, database: OpenedDatabase) -> Any:
    """A supervisor and one member; add yours to the list."""
    member = chat_graph(database.graph, database.catalog, name="clinic_data")
    return create_supervisor([member], model=model, prompt=PROMPT).compile()


def main() -> None:
    """Ask the team."""
    with open_default(build_demo_database(Path(".demo/clinic.sqlite"))) as database:
        team = team_of(init_chat_model(sys.argv[1]), database)
        question = {"role": "user", "content": "How many appointments were cancelled?"}
        print(team.invoke({"messages": [question]})["messages"][-1].text)


if __name__ == "__main__":
    main()
