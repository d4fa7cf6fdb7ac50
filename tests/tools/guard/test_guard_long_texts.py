"""The work of the guard on a long text grows with its length, not with the square of it."""

from collections.abc import Callable
from time import process_time

import pytest

from route_sql.tools.database.visible import narrowed_query
from route_sql.tools.guard.check import check_sql
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.schema.rights.visibility import Visibility, visible_schema

DIALECTS = ["sqlite", "duckdb", "postgres", "mysql"]


def _columns(count: int) -> str:
    return "SELECT " + ", ".join(f"n + {place} AS c{place}" for place in range(count)) + " FROM nums"


def _casts(count: int) -> str:
    return "SELECT " + ", ".join(f"CAST(n AS INTEGER) AS c{place}" for place in range(count)) + " FROM nums"


def _seconds(sql: str, dialect: str) -> float:
    """Seconds of processor time: what else the machine does must not count."""
    started = process_time()
    assert check_sql(sql, None, dialect) is None
    return process_time() - started


@pytest.mark.parametrize("make", [_columns, _casts])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_ten_times_the_columns_take_about_ten_times_as_long(make: Callable[[int], str], dialect: str) -> None:
    _seconds(make(20), dialect)  # loads the dialect
    few = min(_seconds(make(150), dialect) for _ in range(3))
    assert _seconds(make(1500), dialect) < 30 * few


@pytest.mark.parametrize("dialect", DIALECTS)
def test_many_names_of_a_table_with_a_hidden_column_are_narrowed_in_time(dialect: str) -> None:
    whole = Schema(dialect, (Table("nums", (Column("n", "INTEGER"), Column("secret", "TEXT"))),))
    visible = visible_schema(whole, Visibility(hide=("nums.secret",)))

    def seconds(count: int) -> float:
        sql = "SELECT " + ", ".join(["(SELECT max(n) FROM nums)"] * count)
        started = process_time()
        narrowed = narrowed_query(sql, visible, dialect)
        assert isinstance(narrowed, str) and narrowed.count("SELECT") == 1 + 2 * count
        return process_time() - started

    seconds(5)
    few = min(seconds(40) for _ in range(3))
    assert seconds(400) < 30 * few


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a::pg_class FROM t",
        "SELECT (1) AS x, (a) AS y, CAST((b) AS regclass)",
        "SELECT ((1)), CAST(((2)) AS regclass), (3)",
        "SELECT * FROM f() AS g(a INTEGER, b (x) pg_class)",
    ],
)
def test_a_type_is_found_behind_other_brackets(sql: str) -> None:
    found = check_sql(sql, None, "postgres")
    assert found is not None
