"""A check of your own: "how many" wants one row. After a complaint the agents try again.

python examples/own_check.py
"""

import asyncio
from pathlib import Path

from langchain_core.language_models import BaseChatModel

from route_sql import Answer, Catalog, EmbeddedServer, ModelStore, Outcome, Question, build_graph
from route_sql.demo.database import build_demo_database


def one_number(question: str, sql: str, outcome: Outcome) -> str | None:
    """Complain about a list where the question wants a number."""
    if question.lower().startswith("how many") and outcome["row_count"] != 1:
        return f"The question asks for one number, but the query returns {outcome['row_count']} rows."
    return None


async def ask(model: BaseChatModel) -> Answer:
    """Ask with the check."""
    catalog, name = Catalog.from_url(build_demo_database(Path(".demo/clinic.sqlite")))
    async with catalog:
        graph = build_graph(model, catalog, checks=[one_number])
        question = Question(question="How many doctors have a supervisor?", database=name)
        return (await graph.ainvoke(question, version="v2")).value


async def main() -> None:
    """Ask the embedded model."""
    async with EmbeddedServer(ModelStore().resolve("default")) as server:
        answer = await ask(server.chat_model())
    print(answer["sql"], answer["rows"], [candidate["agent"] for candidate in answer["candidates"]])


if __name__ == "__main__":
    asyncio.run(main())
