"""route-sql with its default strategy, by the same address as every peer."""

import asyncio
from pathlib import Path

from protocol import Answer, Reply, serve

from route_sql import Catalog, Context, build_graph
from route_sql.models import chat_at
from route_sql.settings import Settings


def prepare(settings: dict[str, str]) -> Answer:
    """One client for all questions, a graph for each database."""
    chat = chat_at(settings["url"], Settings(api_key=settings["key"], server_model=settings["model"]))
    loop = asyncio.new_event_loop()

    async def answered(question: str, database: str) -> Reply:
        catalog, name = Catalog.from_url(str(Path(database)))
        async with catalog:
            graph = build_graph(chat, catalog)
            done = await graph.ainvoke({"question": question, "database": name}, context=Context())
        error = done["error"] if done["status"] != "ok" else None
        return {"sql": done["sql"], "text": str(done["rows"])[:2000], "error": error}

    return lambda question, database: loop.run_until_complete(answered(question, database))


serve(prepare)
