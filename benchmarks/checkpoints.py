"""Bytes of checkpoints that a question leaves on a thread, next to a graph of the same steps that does nothing.

    python benchmarks/checkpoints.py

Writes `checkpoints.md` next to this script. Five questions are asked on one thread; the figures are for one of them.
The graph that does nothing has a state of two keys, so its bytes are LangGraph's own: a table of versions for each
step.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiosqlite import connect
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from overhead import steps_of
from shared.heading import heading
from typing_extensions import TypedDict

from route_sql import Catalog, CompressedSerializer, Context, Strategy, build_graph
from route_sql.testing import ScriptedModel

QUESTIONS = 5
ROWS = (1, 20, 500)
STRATEGIES: tuple[Strategy, ...] = ("single", "adaptive", "paper")
DURABILITIES = ("async", "exit")
THREAD: Any = {"configurable": {"thread_id": "1"}}


class Least(TypedDict, total=False):
    """The state of the graph that does nothing."""

    question: str
    database: str


async def nothing(state: Least) -> dict[str, object]:
    """Do nothing."""
    return {}


def idle_builder(steps: list[list[str]]) -> Any:
    """A graph with as many steps, whose nodes do nothing."""
    builder = StateGraph(Least)
    names = [f"{step[0]}-{place}" for place, step in enumerate(steps)]
    for name in names:
        builder.add_node(name, nothing)
    for before, after in pairwise([START, *names, END]):
        builder.add_edge(before, after)
    return builder


async def ask_five(graph: Any, database: str, durability: str, **given: Any) -> Any:
    """Ask five questions on one thread, and give the last answer."""
    answer: Any = None
    for number in range(QUESTIONS):
        question = {"question": f"Which visits are there? ({number})", "database": database}
        answer = await graph.ainvoke(question, THREAD, durability=durability, **given)
    return answer


def bytes_in(parts: Iterable[Any]) -> int:
    """The bytes within some values, at any depth."""
    total = 0
    for part in parts:
        if isinstance(part, bytes | str):
            total += len(part)
        elif isinstance(part, dict):
            total += bytes_in(part.keys()) + bytes_in(part.values())
        elif isinstance(part, list | tuple):
            total += bytes_in(part)
    return total


async def in_memory(
    builder: Any, database: str, durability: str, serde: SerializerProtocol | None = None, **given: Any
) -> tuple[int, int]:
    """Bytes of a question's checkpoints in memory, and of its answer as JSON."""
    saver = InMemorySaver(serde=serde)
    answer = await ask_five(builder.compile(checkpointer=saver), database, durability, **given)
    return bytes_in([saver.storage, saver.writes, saver.blobs]) // QUESTIONS, len(json.dumps(answer))


async def on_disk(
    builder: Any, database: str, durability: str, serde: SerializerProtocol | None = None, **given: Any
) -> int:
    """Bytes of a question in a file of checkpoints, its tables and indexes included."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoints.sqlite"
        async with connect(file) as connection:
            saver = AsyncSqliteSaver(connection, serde=serde)
            await ask_five(builder.compile(checkpointer=saver), database, durability, **given)
        return file.stat().st_size // QUESTIONS


async def measure(path: Path) -> list[list[object]]:
    """The lines of the table."""
    lines: list[list[object]] = []
    catalog, name = Catalog.from_url(path)
    async with catalog:
        for strategy in STRATEGIES:
            for count in ROWS:
                lines += await lines_of(catalog, name, strategy, count)
    return lines


async def lines_of(catalog: Catalog, name: str, strategy: Strategy, count: int) -> list[list[object]]:
    """The lines of a strategy and a number of rows, one for each durability."""
    sql = f"SELECT id, day, remark FROM visit LIMIT {count}"
    replies = {"sql": sql, "link": "{}", "verdict": "verdict: right", "continuation": sql}
    model, context = ScriptedModel(otherwise=lambda task, _: replies[task]), Context(strategy=strategy)
    question: Any = {"question": "Which visits are there?", "database": name}
    idle = idle_builder(await steps_of(build_graph(model, catalog), question, context))
    lines: list[list[object]] = []
    for durability in DURABILITIES:
        ours: Any = _Compiled(model, catalog)
        held, answer = await in_memory(ours, name, durability, context=context)
        least, _ = await in_memory(idle, name, durability)
        disk = await on_disk(ours, name, durability, context=context)
        least_disk = await on_disk(idle, name, durability)
        small, _ = await in_memory(ours, name, durability, CompressedSerializer(), context=context)
        small_disk = await on_disk(ours, name, durability, CompressedSerializer(), context=context)
        lines.append([strategy, count, durability, answer, held, small, least, disk, small_disk, least_disk])
    return lines


class _Compiled:
    """Compiles our graph as a builder does."""

    def __init__(self, model: ScriptedModel, catalog: Catalog) -> None:
        self._given = (model, catalog)

    def compile(self, checkpointer: Any) -> Any:
        return build_graph(*self._given, checkpointer=checkpointer)


def kilobytes(cell: object) -> str:
    """A number of bytes in kB; anything else as it is."""
    return f"{cell / 1000:.1f}" if isinstance(cell, int) else str(cell)


def table(lines: list[list[object]]) -> list[str]:
    """The lines as a table."""
    columns = "in memory", "compressed", "doing nothing", "on disk", "compressed", "doing nothing"
    head = f"| strategy | rows | durability | answer | {' | '.join(columns)} |"
    shown = [f"| {' | '.join([str(line[0]), str(line[1]), *map(kilobytes, line[2:])])} |" for line in lines]
    return [head, "| --- | --: | --- | --: | --: | --: | --: | --: | --: | --: |", *shown]


def main() -> None:
    """Measure and write the table."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "visits.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, day TEXT, remark TEXT)")
            rows = [(number, f"2024-01-{number % 28 + 1:02}", f"remark {number}") for number in range(500)]
            connection.executemany("INSERT INTO visit VALUES (?, ?, ?)", rows)
            connection.commit()
        lines = asyncio.run(measure(path))
    packages = ("langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite")
    text = [heading("Bytes of checkpoints", *packages), "", *table(lines)]
    text += [
        "",
        f"kB a question, of {QUESTIONS} on one thread; the answer as JSON. All text is ASCII. Compressed means: with "
        "`CompressedSerializer`.",
    ]
    Path(__file__).with_name("checkpoints.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
