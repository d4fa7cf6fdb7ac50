"""A question about a small database is answered without a trip to a thread of the event loop's own."""

import asyncio
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

NAMES = "SELECT name FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")


class CountingExecutor(ThreadPoolExecutor):
    """Threads of the event loop, with the number of trips to them."""

    trips = 0

    def submit(self, *given: Any, **more: Any) -> "Future[Any]":
        self.trips += 1
        return super().submit(*given, **more)


async def test_a_small_question_needs_no_thread_of_the_loop(model: ScriptedModel, catalog: Catalog) -> None:
    graph = build_graph(model, catalog)
    model.enqueue("sql", *[NAMES] * 4)
    await graph.ainvoke(QUESTION)  # builds the index of values, in a thread
    executor = CountingExecutor(2)
    asyncio.get_running_loop().set_default_executor(executor)
    answer: Any = await graph.ainvoke(QUESTION)
    assert answer["status"] == "ok" and executor.trips == 0

    long = f"{NAMES} WHERE city IN ({', '.join(repr(f'city {n}') for n in range(200))})"
    model.enqueue("sql", long)
    await graph.ainvoke(QUESTION, context=Context(strategy="single"))
    assert executor.trips > 0  # a long query is read in a thread


async def test_the_next_question_sees_a_changed_schema(model: ScriptedModel, catalog: Catalog, shop: Path) -> None:
    graph = build_graph(model, catalog)
    single = Context(strategy="single")
    model.enqueue("sql", NAMES, "SELECT phone FROM customer")
    await graph.ainvoke(QUESTION, context=single)
    with closing(sqlite3.connect(shop)) as connection:
        connection.execute("ALTER TABLE customer ADD COLUMN phone TEXT")
        connection.commit()
    answer: Any = await graph.ainvoke(QUESTION, context=single)
    assert "phone" in str(model.history[-1][1][-1].content)
    assert answer["columns"] == ["phone"]
