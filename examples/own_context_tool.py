"""A context tool of your own: the range of the dates, so that "this year" is a year that the database has.

python examples/own_context_tool.py
"""

import asyncio
from pathlib import Path

from langchain_core.language_models import BaseChatModel

from route_sql import Answer, Catalog, ContextTool, EmbeddedServer, ModelStore, Question, build_graph
from route_sql.demo.database import build_demo_database

RANGE = "SELECT MIN(starts_at), MAX(starts_at) FROM appointment"


def date_range(catalog: Catalog) -> ContextTool:
    """A tool that asks the database itself. One that raises or is slow costs a note, not the answer."""

    async def range_of_dates(question: Question) -> str | None:
        if "appointment" not in question["question"].lower():
            return None
        outcome = await catalog.get(question["database"]).execute(RANGE)
        first, last = outcome["rows"][0]
        return f"the appointments begin at {first} and end at {last}"

    return range_of_dates


async def ask(model: BaseChatModel) -> Answer:
    """Ask with the context tool."""
    catalog, name = Catalog.from_url(build_demo_database(Path(".demo/clinic.sqlite")))
    async with catalog:
        graph = build_graph(model, catalog, context_tools=[date_range(catalog)])
        question = Question(question="How many appointments were there in the last year?", database=name)
        return (await graph.ainvoke(question, version="v2")).value


async def main() -> None:
    """Ask the embedded model."""
    async with EmbeddedServer(ModelStore().resolve("default")) as server:
        answer = await ask(server.chat_model())
    print(answer["sql"], answer["rows"])


if __name__ == "__main__":
    asyncio.run(main())
