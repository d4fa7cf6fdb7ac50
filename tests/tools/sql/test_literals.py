"""SQL in traces has a question mark for each literal, however it is written."""

import pytest

from route_sql.tools.sql.literals import without_literals


@pytest.mark.parametrize(
    ("dialect", "sql", "expected"),
    [
        ("sqlite", "SELECT a FROM t WHERE b = 'x' LIMIT 3", "SELECT a FROM t WHERE b = ? LIMIT ?"),
        ("sqlite", "SELECT t.a, COUNT(*) FROM t\n-- of Ida\nGROUP BY 1", "SELECT t.a, COUNT(*) FROM t GROUP BY ?"),
        ("sqlite", "SELECT `a b` FROM t WHERE b = x'41' AND c = 1_000", "SELECT `a b` FROM t WHERE b = ? AND c = ?"),
        ("sqlite", 'SELECT a FROM t WHERE b = "Ida"', "SELECT a FROM t WHERE b = ?"),
        ("sqlite", "SELECT a AS 'Ida' FROM t", "SELECT a AS ? FROM t"),
        ("postgres", 'SELECT "a b" FROM t WHERE b = "C"', 'SELECT "a b" FROM t WHERE b = "C"'),
        ("postgres", "SELECT E'x', $$x$$, $a$x$a$, U&'x', B'01', X'1F'", "SELECT ?, ?, ?, ?, ?, ?"),
        ("postgres", "SELECT a->'x' FROM t WHERE a #>> '{x}' = '1'", "SELECT a->? FROM t WHERE a #>> ? = ?"),
        ("postgres", "SELECT DATE '2024-01-01' - INTERVAL '3 days'", "SELECT DATE ? - INTERVAL ?"),
        ("mysql", "SELECT _utf8'x', N'x', b'01', 0x41, \"x\"", "SELECT _utf8?, ?, ?, ?, ?"),
        ("mysql", "SELECT 1a, t.2b, 1_000, 0x1g, `3c`, a1", "SELECT ?, t.?, ?, ?, `3c`, a1"),
        ("postgres", "SELECT 1a", "SELECT ?"),
        ("duckdb", "SELECT {'x': 1}, MAP{'x': 2}, $$x$$, 0x1F", "SELECT {?: ?}, MAP{?: ?}, ?, ?"),
        ("sqlite", "SELECT 'Ida", ""),
        ("sqlite", "", ""),
    ],
)
def test_literals_are_question_marks(dialect: str, sql: str, expected: str) -> None:
    assert without_literals(sql, dialect) == expected


@pytest.mark.parametrize(
    ("dialect", "sql", "expected"),
    [
        ("sqlite", 'SELECT "Name" FROM "customer" WHERE "a" = "Ida"', 'SELECT "Name" FROM "customer" WHERE ? = ?'),
        ("sqlite", "SELECT 'name' FROM customer", "SELECT ? FROM customer"),
        ("duckdb", 'SELECT * FROM "net.total", "Ida.csv"', 'SELECT * FROM "net.total", ?'),
        ("mysql", 'SELECT "name" FROM `customer`', "SELECT ? FROM `customer`"),
    ],
)
def test_quoted_names_of_the_schema_stay(dialect: str, sql: str, expected: str) -> None:
    assert without_literals(sql, dialect, {"name", "customer", "net.total"}) == expected
