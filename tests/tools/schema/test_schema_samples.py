"""Sample values are few, short, frequent ones first, and the same every time."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.schema.reflection.samples import Fetch, with_samples


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / "samples.sqlite", isolation_level=None)
    opened.text_factory = lambda raw: raw.decode("utf-8", "replace")
    yield opened
    opened.close()


def reader(connection: sqlite3.Connection) -> Fetch:
    def fetch(sql: str, limits: Limits) -> Sequence[Sequence[object]]:
        return connection.execute(sql).fetchmany(limits.rows)

    return fetch


def sample(connection: sqlite3.Connection, name: str = "t", column: str = "v") -> tuple[str, ...]:
    schema = Schema("sqlite", (Table(name, (Column(column, "TEXT"),)),))
    return with_samples(schema, reader(connection)).tables[0].columns[0].samples


def fill(connection: sqlite3.Connection, *values: object) -> None:
    connection.execute("CREATE TABLE t (v)")
    connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])


def test_frequent_values_first_then_text_then_smaller_ones(connection: sqlite3.Connection) -> None:
    fill(connection, "b", "c", "c", "a", "d")
    assert sample(connection) == ("c", "a", "b")


def test_numbers_are_ordered_as_numbers(connection: sqlite3.Connection) -> None:
    fill(connection, 10, 9, 2.5, 100)
    assert sample(connection) == ("2.5", "9", "10")


def test_null_blobs_and_blanks_are_left_out(connection: sqlite3.Connection) -> None:
    fill(connection, None, b"blob", "", "  ", "x")
    assert sample(connection) == ("x",)


def test_long_and_unreadable_values_come_last_and_are_clipped(connection: sqlite3.Connection) -> None:
    fill(connection, "y" * 50, "y" * 50, "two\nlines", "z")
    assert sample(connection) == ("z", "y" * 39 + "…", "two lines")


def test_text_that_is_not_utf_8(connection: sqlite3.Connection) -> None:
    fill(connection, "ok")
    connection.execute("INSERT INTO t VALUES (CAST(x'4dfc6e' AS TEXT))")
    assert sample(connection) == ("ok", "M\ufffdn")


def test_names_that_need_quotes(connection: sqlite3.Connection) -> None:
    connection.execute('CREATE TABLE "order" ("group by" TEXT)')
    connection.execute('INSERT INTO "order" VALUES (?)', ("x",))
    assert sample(connection, "order", "group by") == ("x",)


def test_only_the_first_thousand_rows_are_read(connection: sqlite3.Connection) -> None:
    fill(connection, *["early"] * 1_000, *["late"] * 2_000)
    assert sample(connection) == ("early",)


def test_a_spent_budget_reads_nothing(connection: sqlite3.Connection) -> None:
    schema = Schema("sqlite", (Table("missing", (Column("v", ""),)),))
    assert with_samples(schema, reader(connection), seconds=0) == schema


def test_a_table_that_can_not_be_read_stays_without_samples() -> None:
    schema = Schema("sqlite", (Table("t", (Column("v", ""),)),))
    assert with_samples(schema, lambda sql, limits: []) == schema


def test_other_dialects_get_their_own_sql() -> None:
    asked = []

    def fetch(sql: str, limits: Limits) -> list[list[object]]:
        asked.append(sql)
        return []

    table = Table("Orders", (Column("a b", ""),), namespace="sales")
    for dialect in ("postgres", "mysql", "tsql"):
        with_samples(Schema(dialect, (table,)), fetch)
    assert asked == [
        'SELECT "a b" FROM "sales"."Orders" LIMIT 1000',
        "SELECT `a b` FROM `sales`.`Orders` LIMIT 1000",
        "SELECT TOP 1000 [a b] FROM [sales].[Orders]",
    ]
