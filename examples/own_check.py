"""A check of one's own: "how many" wants one row. A complaint has the agents look again.

python examples/own_check.py
"""

import asyncio
from pathlib import Path

from route_sql import Catalog, EmbeddedServer, ModelStore, Outcome, Question, build_graph
from route_sql.demo.database import build_demo_database


def one_number(question: str, sql: str, outcome: Outcome) -> str | None:
    """Complain of a list where a number was asked for."""
    if question.lower().startswith("how many") and outcome["row_count"] != 1:
        return f"The question asks for one number, but the query returns {outcome['row_count']} rows."
    return None


async def main() -> None:
    """Ask with the check."""
    catalog, name = Catalog.from_url(build_demo_database(Path(".demo/clinic.sqlite")))
    async with catalog, EmbeddedServer(ModelStore().resolve("default")) as server:
        graph = build_graph(server.chat_model(), catalog, checks=[one_number])
        question = Question(question="How many doctors have a supervisor?", database=name)
        answer = (await graph.ainvoke(question, version="v2")).value
        print(answer["sql"], answer["rows"], [candidate["agent"] for candidate in answer["candidates"]])


if __name__ == "__main__":
    asyncio.run(main())
