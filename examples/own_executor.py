"""An executor of your own: it estimates the cost of a query and runs it only if it is cheap.

python examples/own_executor.py
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool, tool

from route_sql import Answer, Catalog, EmbeddedServer, ModelStore, Outcome, Question, build_graph, failed
from route_sql.demo.database import build_demo_database

DATABASE = Path(".demo/clinic.sqlite")
MOST_SCANS = 2


def scans(sql: str) -> int:
    """Number of tables that the engine would read from end to end."""
    with closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    return sum(str(step[-1]).startswith("SCAN") for step in plan)


def thrifty(catalog: Catalog) -> BaseTool:
    """The executor. The graph stops it five seconds after the deadline and cuts its rows to the limits."""

    @tool(response_format="content_and_artifact")
    async def execute_if_cheap(sql: str, database: str) -> tuple[str, Outcome]:
        """Run a query that reads few tables from end to end."""
        cost = await asyncio.to_thread(scans, sql)
        if cost > MOST_SCANS:
            return "", failed("refused", f"The query reads {cost} tables from end to end, at most {MOST_SCANS} may be.")
        return "", await catalog.get(database).execute(sql)  # another engine's rows: route_sql.returned(columns, rows)

    return execute_if_cheap


async def ask(model: BaseChatModel) -> Answer:
    """Ask with the executor."""
    catalog, name = Catalog.from_url(build_demo_database(DATABASE))
    async with catalog:
        graph = build_graph(model, catalog, executor=thrifty(catalog))
        question = Question(question="How many patients have a private insurer?", database=name)
        return (await graph.ainvoke(question, version="v2")).value


async def main() -> None:
    """Ask the embedded model."""
    async with EmbeddedServer(ModelStore().resolve("default")) as server:
        answer = await ask(server.chat_model())
    print(answer["status"], answer["sql"], answer["error"] or answer["rows"])


if __name__ == "__main__":
    asyncio.run(main())
