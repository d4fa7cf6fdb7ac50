"""The cost of the graph itself for a question: its model and its executor answer at once.

    python benchmarks/overhead.py

Writes `overhead.md` beside this script. The figures are milliseconds a question, medians of rounds in which the
strategies take turns.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from langchain_core.tools import tool
from shared.heading import heading

from route_sql import Catalog, Context, Outcome, Question, Strategy, build_graph
from route_sql.testing import ScriptedModel

ROUNDS = 50
SQL = "SELECT name FROM pet"
"""The reply to every task; the linker and the corrector read it as no link and no verdict."""
STRATEGIES: tuple[Strategy, ...] = ("single", "adaptive", "paper")


@tool(response_format="content_and_artifact")
async def instant_sql(sql: str, database: str) -> tuple[str, Outcome]:
    """Answer any SQL at once."""
    outcome = Outcome(
        status="ok", columns=["name"], rows=[["Rex"]], row_count=1, truncated=False, error=None, digest="1", seconds=0
    )
    return "1 row", outcome


async def measure(path: Path) -> dict[str, list[float]]:
    """Milliseconds of each question, by strategy."""
    catalog, name = Catalog.from_url(path)
    spent: dict[str, list[float]] = {strategy: [] for strategy in STRATEGIES}
    async with catalog:
        graph = build_graph(ScriptedModel(otherwise=lambda task, prompt: SQL), catalog, executor=instant_sql)
        question = Question(question="Which pets are there?", database=name)
        for _ in range(ROUNDS):
            for strategy in STRATEGIES:
                began = perf_counter()
                await graph.ainvoke(question, context=Context(strategy=strategy))
                spent[strategy].append((perf_counter() - began) * 1000)
    return spent


def main() -> None:
    """Measure and write the table."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pets.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex');")
        spent = asyncio.run(measure(path))
    lines = [heading("Overhead of the graph", "langgraph", "langchain-core"), ""]
    lines += ["| strategy | median ms a question |", "| --- | --: |"]
    lines += [f"| {strategy} | {median(times):.1f} |" for strategy, times in spent.items()]
    Path(__file__).with_name("overhead.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
