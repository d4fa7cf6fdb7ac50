"""SQL without comments, as prompts show it."""

import pytest

from route_sql.tools.sql.comments import without_comments
from route_sql.tools.sql.parsing import parse_query


@pytest.mark.parametrize(
    ("sql", "bare"),
    [
        ("SELECT name -- the dogs\nFROM pet", "SELECT name FROM pet"),
        ("SELECT name FROM pet -- all of them", "SELECT name FROM pet"),
        ("-- a report\nSELECT name FROM pet", "SELECT name FROM pet"),
        ("SELECT name/* the dogs */FROM pet", "SELECT name FROM pet"),
        ("SELECT name -- it's one\n-- and two\n, id FROM pet", "SELECT name , id FROM pet"),
        ("SELECT '--' AS a -- b\nFROM pet WHERE x = '/*'", "SELECT '--' AS a FROM pet WHERE x = '/*'"),
        ("SELECT name -- the dogs\nFROM pet WHERE name = 'Re", "SELECT name FROM pet WHERE name = 'Re"),
        ("-- nothing else", ""),
    ],
)
def test_comments_are_left_out(sql: str, bare: str) -> None:
    assert without_comments(sql, "sqlite") == bare


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT  a ,b\n\nFROM t ", "sqlite"),
        (" SELECT '-- no', \"/* no */\" FROM t", "sqlite"),
        ("SELECT a // b FROM t", "duckdb"),
        ("SELECT a #> '{b}' FROM t", "postgres"),
        ("SELECT [a#b] FROM t", "tsql"),
        ("SELECT 'it -- does not end", "sqlite"),
        ("", "sqlite"),
    ],
)
def test_sql_without_comments_stays_as_it_is(sql: str, dialect: str) -> None:
    assert without_comments(sql, dialect) == sql


@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "mysql", "duckdb", "tsql"])
def test_the_query_stays_the_same(dialect: str) -> None:
    sql = "WITH x AS (/* one */ SELECT a, -- two\n b FROM t)\nSELECT a + -- three\n 1 AS c FROM x -- four"
    bare = without_comments(sql, dialect)
    assert "--" not in bare and "/*" not in bare
    kept, wanted = parse_query(bare, dialect), parse_query(sql, dialect)
    assert kept is not None and wanted is not None
    assert kept.sql(dialect) == wanted.sql(dialect, comments=False)
