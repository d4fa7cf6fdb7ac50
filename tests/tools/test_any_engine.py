"""Engines without an adapter of their own: what they say of text that may not run, with the guard's lists or without.

SQLite stands for the engine, under names of dialects of which the guard has the lists and has not.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from route_sql.tools.database.any_engine import AnyEngineDatabase
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.limits import Limits


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
async def with_lists(file: Path) -> AsyncIterator[AnyEngineDatabase]:
    registry.register("listed", "sqlalchemy.dialects.sqlite.pysqlite", "SQLiteDialect_pysqlite")
    database = AnyEngineDatabase("a", URL.create("listed", database=str(file)), Limits())
    yield database
    await database.close()


@pytest.fixture
async def without_lists(file: Path) -> AsyncIterator[AnyEngineDatabase]:
    registry.register("unlisted", __name__, "Trino")
    database = AnyEngineDatabase("a", URL.create("unlisted", database=str(file)), Limits())
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
    file: Path, with_lists: AnyEngineDatabase, without_lists: AnyEngineDatabase, sql: str, status: str
) -> None:
    adapter = SQLiteDatabase("a", file)
    said = [(await database.execute(sql))["status"] for database in (adapter, with_lists, without_lists)]
    assert said == [status] * 3
    await adapter.close()


async def test_a_mistake_is_told_so_that_it_can_be_mended(without_lists: AnyEngineDatabase) -> None:
    outcome = await without_lists.execute("SELECT a FROM t WHERE")
    assert outcome["error"] == "it can't be read as SQL: syntax error near 'WHERE' (line 1, column 21)"


async def test_that_functions_are_not_checked_is_said_where_it_is_so(
    with_lists: AnyEngineDatabase, without_lists: AnyEngineDatabase
) -> None:
    assert "functions" not in (await with_lists.warnings())[0]
    assert "the functions that it calls are not checked" in (await without_lists.warnings())[0]
