"""Texts that double with every link, in SQLite's compiler or in the guard itself, where no deadline looks."""

from cProfile import Profile

import pytest

from route_sql.tools.guard.check import check_sql, names_to_look_up
from route_sql.tools.schema.records import Column, Schema, Table

DIALECTS = ["sqlite", "duckdb", "postgres", "mysql"]


def chain(links: int, link: str) -> str:
    tables = "".join(f", c{n} AS ({link.format(f'c{n - 1}')})" for n in range(1, links + 1))
    return f"WITH c0 AS (SELECT 1 AS x){tables} SELECT COUNT(*) FROM c{links}"


TWICE = "SELECT p.x FROM {0} AS p, {0} AS q"
LINKS = [
    TWICE,
    "SELECT x FROM {0} UNION ALL SELECT x FROM {0}",
    "SELECT x FROM {0} WHERE x IN (SELECT x FROM {0})",
    "SELECT (SELECT max(x) FROM {0}) AS x FROM {0}",
    "WITH inner_one AS (SELECT x FROM {0}) SELECT a.x FROM inner_one AS a JOIN {0} AS b ON 1 = 1",
]


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_chain_that_doubles_is_refused(link: str, dialect: str) -> None:
    found = check_sql(chain(30, link), None, dialect)
    assert found is not None and found.code == "too_large"
    assert check_sql(chain(5, link), None, dialect) is None


def test_a_long_chain_that_does_not_grow_passes() -> None:
    assert check_sql(chain(2_000, "SELECT x FROM {0}"), None, "sqlite") is None


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 9) SELECT a.x FROM r AS a, r AS b",
        "WITH a AS (WITH b AS (SELECT 1 AS x) SELECT x FROM b), b AS (SELECT x FROM a) SELECT x FROM b",
        "WITH emp AS (SELECT * FROM main.emp) SELECT * FROM emp",
        "WITH a AS (SELECT 1 AS x) SELECT * FROM a AS p, a AS q, a AS r, t",
    ],
)
def test_ordinary_common_tables_pass(sql: str) -> None:
    assert check_sql(sql, None, "sqlite") is None


def aliases(links: int) -> str:
    named = ", ".join(f"coalesce(a{n}, a{n}) AS a{n + 1}" for n in range(links))
    return f"SELECT id AS a0, {named} FROM t GROUP BY a{links}"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_aliases_that_name_the_one_before_twice_are_read_once(dialect: str) -> None:
    schema = Schema(dialect, (Table("t", (Column("id", "INTEGER"),)),))

    def calls(links: int) -> int:
        with Profile() as profile:
            refusal = check_sql(aliases(links), schema, dialect)
        assert (refusal and refusal.code) == (None if dialect == "duckdb" else "unknown_name")
        return sum(each.callcount for each in profile.getstats())

    calls(3)
    assert calls(12) < 3 * calls(6)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stars_that_double_the_columns_are_refused(dialect: str) -> None:
    def stars(links: int) -> str:
        return "SELECT * FROM " + "(SELECT *, t.* FROM " * links + "(SELECT 1 AS x) AS t" + ") AS t" * links

    refusal = check_sql(stars(20), None, dialect)
    assert refusal is not None and refusal.code == "too_large"
    assert names_to_look_up(stars(20), dialect) == []
    assert check_sql(stars(5), None, dialect) is None
