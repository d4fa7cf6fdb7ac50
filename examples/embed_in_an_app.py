"""The graph in your own program: two questions about the demo clinic, side by side.

python examples/embed_in_an_app.py
"""

import asyncio
from pathlib import Path

from route_sql import Answer, Catalog, EmbeddedServer, ModelStore, Question, build_graph
from route_sql.demo.database import build_demo_database

QUESTIONS = ("How many appointments were cancelled?", "How many patients live in São Paulo?")


async def main() -> None:
    """Start the embedded model, ask, print SQL and rows."""
    catalog, name = Catalog.from_url(build_demo_database(Path(".demo/clinic.sqlite")))
    async with catalog, EmbeddedServer(ModelStore().resolve("default")) as server:
        graph = build_graph(server.chat_model(), catalog)

        async def ask(text: str) -> Answer:
            return (await graph.ainvoke(Question(question=text, database=name), version="v2")).value

        for answer in await asyncio.gather(*map(ask, QUESTIONS)):
            print(answer["sql"], answer["rows"], answer["error"] or "")


if __name__ == "__main__":
    asyncio.run(main())
