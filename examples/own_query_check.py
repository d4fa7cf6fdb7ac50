"""A check that refuses a query before it runs: the large table may be read by a range of dates only.

python examples/own_query_check.py
"""

import asyncio
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from sqlglot import exp, parse_one

from route_sql import Answer, Catalog, EmbeddedServer, ModelStore, Question, build_graph
from route_sql.demo.database import build_demo_database

LARGE = {"appointment": "starts_at"}
"""Column of each large table that a condition must name."""


def by_date(question: str, sql: str, database: str) -> str | None:
    """Refuse a query that reads a large table without a condition on its date; one that can't be read too."""
    tree = parse_one(sql, dialect="sqlite")  # an error of this parser refuses the query
    conditions = [str(column.name) for where in tree.find_all(exp.Where) for column in where.find_all(exp.Column)]
    for table in tree.find_all(exp.Table):
        column = LARGE.get(table.name.lower())
        if column and column not in conditions:
            return f"The table {table.name} is large: add a condition on {column}, such as {column} >= '2024-01-01'."
    return None


async def ask(model: BaseChatModel) -> Answer:
    """Ask with the check."""
    catalog, name = Catalog.from_url(build_demo_database(Path(".demo/clinic.sqlite")))
    async with catalog:
        graph = build_graph(model, catalog, query_checks=[by_date])
        question = Question(question="How many appointments were cancelled?", database=name)
        return (await graph.ainvoke(question, version="v2")).value


async def main() -> None:
    """Ask the embedded model."""
    async with EmbeddedServer(ModelStore().resolve("default")) as server:
        answer = await ask(server.chat_model())
    print(answer["status"], answer["sql"], answer["error"] or answer["rows"])


if __name__ == "__main__":
    asyncio.run(main())
