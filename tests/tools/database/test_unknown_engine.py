"""Engines without an adapter of their own: what they say of text that may not run, with the guard's lists or without.

SQLite stands for the engine, under names of dialects of which the guard has the lists and has not.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from route_sql.tools.database.running.workers import MOST_STUCK
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.database.unknown_engine import UnknownEngineDatabase
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

LET_GO = threading.Event()


class Trino(SQLiteDialect_pysqlite):
    """A dialect that sqlglot reads and of which the guard knows no functions."""

    name = "trino"
    supports_statement_cache = True


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (7);")
    return tmp_path / "a.db"


@pytest.fixture
async def with_lists(file: Path) -> AsyncIterator[UnknownEngineDatabase]:
    registry.register("listed", "sqlalchemy.dialects.sqlite.pysqlite", "SQLiteDialect_pysqlite")
    database = UnknownEngineDatabase("a", URL.create("listed", database=str(file)), Limits())
    yield database
    await database.close()


@pytest.fixture
async def without_lists(file: Path) -> AsyncIterator[UnknownEngineDatabase]:
    registry.register("unlisted", __name__, "Trino")
    database = UnknownEngineDatabase("a", URL.create("unlisted", database=str(file)), Limits())
    yield database
    await database.close()


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("SELECT a FROM t", "ok"),
        ("SELECT a FROM t;", "ok"),
        ("SELECT a FROM t WHERE a > 7", "empty"),
        ("SELECT a FROM t WHERE", "error"),
        ("SELEC a FROM t", "error"),
        ("SELECT", "error"),
        ("SELECT a FROM t WHERE SET = 1 (", "error"),
        ("SELECT 'a", "error"),
        ("", "error"),
        ("-- nothing", "error"),
        ("the rows", "error"),
        ("DELETE FROM t", "refused"),
        ("MERGE INTO t USING", "refused"),
        ("WITH x AS (SELECT 1) DELETE FROM t", "refused"),
        ("SELECT 1; DELETE FROM t", "refused"),
        ("SELECT 1; SELEC FROM WHERE", "refused"),
        ("SELECT a INTO b FROM t", "refused"),
    ],
)
async def test_the_status_is_that_of_an_adapter(
    file: Path, with_lists: UnknownEngineDatabase, without_lists: UnknownEngineDatabase, sql: str, status: str
) -> None:
    adapter = SQLiteDatabase("a", file)
    said = [(await database.execute(sql))["status"] for database in (adapter, with_lists, without_lists)]
    assert said == [status] * 3
    await adapter.close()


async def test_a_mistake_is_told_so_that_it_can_be_mended(without_lists: UnknownEngineDatabase) -> None:
    outcome = await without_lists.execute("SELECT a FROM t WHERE")
    assert outcome["error"] == "it can't be read as SQL: syntax error near 'WHERE' (line 1, column 21)"


async def test_that_functions_are_not_checked_is_said_where_it_is_so(
    with_lists: UnknownEngineDatabase, without_lists: UnknownEngineDatabase
) -> None:
    assert "functions" not in (await with_lists.warnings())[0]
    assert "the functions that it calls are not checked" in (await without_lists.warnings())[0]


class Stubborn(SQLiteDialect_pysqlite):
    """A dialect with a function that nothing can stop."""

    name = "sqlite"
    supports_statement_cache = True

    def on_connect(self) -> Callable[[Any], None]:
        before = super().on_connect()

        def connected(connection: Any) -> None:
            if before is not None:
                before(connection)
            connection.create_function("dawdle", 0, lambda: LET_GO.wait(60) and None)

        return connected


@pytest.fixture
async def stubborn(file: Path) -> AsyncIterator[UnknownEngineDatabase]:
    registry.register("stubborn", __name__, "Stubborn")
    url = URL.create("stubborn", database=str(file))
    limits = Limits(seconds=0.1)
    database = UnknownEngineDatabase("a", url, limits, workers=1, functions=["dawdle"], wait_seconds=7)
    LET_GO.clear()
    yield database
    LET_GO.set()
    await database.close()


async def test_a_worker_that_is_stuck_is_replaced(stubborn: UnknownEngineDatabase) -> None:
    outcome = await stubborn.execute("SELECT dawdle()")
    assert outcome["status"] == "timeout" and "could not be stopped" in str(outcome["error"])
    assert (await stubborn.execute("SELECT a FROM t"))["rows"] == [[7]]


async def test_too_many_stuck_queries_are_refused_until_they_end(stubborn: UnknownEngineDatabase) -> None:
    for _ in range(MOST_STUCK):
        with contextlib.suppress(asyncio.TimeoutError):  # a caller that goes away leaves its query behind
            await asyncio.wait_for(stubborn.execute("SELECT dawdle()"), 0.3)
    with pytest.raises(DatabaseUnavailable, match="could not be stopped and still run; end them on its server"):
        await stubborn.execute("SELECT a FROM t")
    LET_GO.set()
    for _ in range(100):
        with contextlib.suppress(DatabaseUnavailable):
            assert (await stubborn.execute("SELECT a FROM t"))["rows"] == [[7]]
            return
        await asyncio.sleep(0.1)
    pytest.fail("the queries ended, and still nothing runs")


async def test_a_query_waits_for_a_worker_no_longer_than_it_is_given(file: Path) -> None:
    registry.register("stubborn", __name__, "Stubborn")
    url = URL.create("stubborn", database=str(file))
    database = UnknownEngineDatabase("a", url, Limits(seconds=5), workers=1, functions=["dawdle"], wait_seconds=0.2)
    LET_GO.clear()
    first = asyncio.create_task(database.execute("SELECT dawdle()"))
    await asyncio.sleep(0.5)
    with pytest.raises(DatabaseUnavailable, match="busy for 0.2 s"):
        await database.execute("SELECT a FROM t")
    LET_GO.set()
    assert (await first)["status"] == "ok"
    await database.close()
