"""Many questions in a row through the graph: do memory, open files, threads or tasks grow?

    python benchmarks/endurance.py [--questions 10000] [--postgres URL]

Writes `endurance.md` next to this script: one row for each engine, with the memory of the process
after a warm-up and at the end.
The model answers at once from a script, in turns with queries that run, return nothing, are wrong, are refused, and
never end, and asks as `adaptive`, `paper` and `single` in turns. A PostgreSQL is asked too: the one that is named, or
one that is started where the packages of `benchmarks/safety/run.py` are installed. Left out: a model's server.
"""

import argparse
import asyncio
import gc
import os
import sqlite3
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from shared.heading import heading

from route_sql import Catalog, Context, Limits, Question, SQLiteDatabase, Strategy, build_graph
from route_sql.testing import ScriptedModel

QUESTIONS = 10_000
WARM_UP = 1_000
ENDLESS_EVERY = 500
"""Number of questions, of which one gets a query that runs into its deadline of 20 ms."""
STRATEGIES: tuple[Strategy, ...] = ("adaptive", "paper", "single")
TABLES = "CREATE TABLE pet (id INTEGER PRIMARY KEY, name VARCHAR(20), weight INTEGER)"
ROWS = "INSERT INTO pet VALUES (1, 'Rex', 4), (2, 'Mia', 5), (3, 'Tom', 30)"
REPLIES = (
    "SELECT name FROM pet WHERE weight > {n}",
    "SELECT name, weight FROM pet WHERE id = {n}",
    "SELECT nam FROM pet WHERE id = {n}",
    "DROP TABLE pet{n}",
    "verdict: wrong\nSELECT COUNT(*) FROM pet WHERE id <> {n}",
    "I can't say.",
)
ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT MAX(x) + {n} FROM r"


@dataclass(frozen=True)
class Held:
    """Resources that the process holds at one moment."""

    megabytes: float
    files: int
    threads: int
    tasks: int
    objects: int


def held() -> Held:
    """Memory after a collection, so that garbage doesn't count."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Held(
        megabytes=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        files=len(os.listdir("/proc/self/fd")),
        threads=threading.active_count(),
        tasks=len(asyncio.all_tasks()),
        objects=len(gc.get_objects()),
    )


async def measure(catalog: Catalog, questions: int) -> tuple[Held, Held, float, dict[str, int]]:
    """Resources held after the warm-up and at the end, seconds a question, and the count of each status."""
    replies: tuple[str, ...] = REPLIES
    calls = count(1)

    def reply(task: str, prompt: str) -> str:
        number = next(calls)  # in each reply, so that no cache of parsed queries makes the work look small
        return replies[number % len(replies)].format(n=number)

    model = ScriptedModel(otherwise=reply)
    graph = build_graph(model, catalog)
    statuses: dict[str, int] = {}

    async def ask(number: int) -> None:
        nonlocal replies
        is_endless = number % ENDLESS_EVERY == 0
        replies = (ENDLESS,) if is_endless else REPLIES
        context = Context(strategy=STRATEGIES[number % 3], deadline=0.02 if is_endless else 5.0)
        question = Question(question=f"Which pets weigh more than {number}?", database="pets")
        answer = await graph.ainvoke(question, context=context)
        statuses[answer["status"]] = statuses.get(answer["status"], 0) + 1
        model.history.clear()

    await _each(ask, range(WARM_UP))
    statuses.clear()
    before = held()
    began = perf_counter()
    await _each(ask, range(WARM_UP, WARM_UP + questions))
    seconds = (perf_counter() - began) / questions
    return before, held(), seconds, statuses


async def _each(ask: Callable[[int], Awaitable[None]], numbers: range) -> None:
    for number in numbers:
        await ask(number)


async def on_sqlite(questions: int) -> str:
    """A row of the table."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pets.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(f"{TABLES}; {ROWS};")
        async with Catalog({"pets": SQLiteDatabase("pets", path, Limits())}) as catalog:
            return row("SQLite", questions, *await measure(catalog, questions))


async def on_postgres(admin: Any, questions: int) -> str:
    """A row of the table."""
    import psycopg

    from route_sql.tools.database.postgres.database import PostgresDatabase

    text = admin.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(text, autocommit=True) as connection:
        for statement in ("DROP TABLE IF EXISTS pet", TABLES, ROWS):
            connection.execute(statement.encode())
    async with Catalog({"pets": PostgresDatabase("pets", admin)}) as catalog:
        return row("PostgreSQL", questions, *await measure(catalog, questions))


def row(engine: str, questions: int, before: Held, after: Held, seconds: float, statuses: dict[str, int]) -> str:
    """One engine's line."""
    pairs = [
        f"{before.megabytes:.1f} to {after.megabytes:.1f}",
        f"{before.files} to {after.files}",
        f"{before.threads} to {after.threads}",
        f"{before.tasks} to {after.tasks}",
        f"{before.objects:,} to {after.objects:,}",
    ]
    counts = ", ".join(f"{count:,} {status}" for status, count in sorted(statuses.items()))
    return f"| {engine} | {questions:,} | {seconds * 1000:.1f} | {' | '.join(pairs)} | {counts} |"


def _postgres(given: str | None, stack: ExitStack) -> Any:
    from sqlalchemy import make_url

    if given:
        return make_url(given)
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    try:
        from support.server_processes import postgres_server

        return stack.enter_context(postgres_server())
    except ImportError as error:
        print(f"without PostgreSQL: {error}")
        return None


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--postgres", help="the URL of a PostgreSQL in which a table `pet` may be replaced")
    given = parser.parse_args()
    lines = [heading("Many questions in a row", "langgraph", SQLite=sqlite3.sqlite_version), ""]
    lines += [f"What the process held after {WARM_UP:,} questions and at the end.", ""]
    lines += ["| engine | questions | ms each | memory, MB | open files | threads | tasks | objects | answers |"]
    lines += ["| --- | --: | --: | --: | --: | --: | --: | --: | --- |"]
    lines.append(asyncio.run(on_sqlite(given.questions)))
    with ExitStack() as stack:
        if (admin := _postgres(given.postgres, stack)) is not None:
            lines.append(asyncio.run(on_postgres(admin, given.questions)))
    Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
