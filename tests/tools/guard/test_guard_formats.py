"""Functions that repeat a character as often as their format says: nothing stops SQLite's or counts MariaDB's."""

import pytest

from route_sql.tools.guard.check import check_sql

LONG = [
    "SELECT printf('%.1000000000c', 'x')",
    "SELECT printf('%.2000000000c%.2000000000c%.2000000000c', 'x', 'x', 'x')",
    "SELECT format('%.1000000000c', 'x')",
    "SELECT PRINTF ('%d %.1000c', 1, 'x')",
    "SELECT \"printf\"('%.1000000000c', 'x')",
    "SELECT [format]('%.1000000000c', 'x')",
    "SELECT printf(\"%.1000000000c\", 'x')",
    "SELECT printf('%.*c', 1000000000, 'x')",
    "SELECT printf('%*.*c', 1, 1000000000, 'x')",
    "SELECT printf('%-!,.1000000000c', 'x')",
    "SELECT printf('%.' || '1000000000c', 'x')",
    "SELECT printf(('%.1000000000c'), 'x')",
    "SELECT printf(replace('%.1c', '1', '1000000000'), 'x')",
    "SELECT printf(fmt, 'x') FROM t",
    "SELECT printf(\"fmt\", 'x') FROM t",
    "SELECT printf(t.fmt, 'x') FROM t",
    "SELECT printf((SELECT fmt FROM t), 'x')",
    "SELECT printf(/* '%d', */ fmt, 'x') FROM t",
    "SELECT a FROM t ORDER BY printf('%.1000000000c', a)",
]
SHORT = [
    "SELECT printf('%05d', a) FROM t",
    "SELECT printf('%.2f', a / 10000.0) FROM t",
    "SELECT printf('%.2f%%', 100.0 * a / b), format('%s-%s 10000', a, b) FROM t",
    "SELECT printf('%,d', 1000000000) FROM t",
    'SELECT printf("%d", a) FROM t',
    "SELECT printf('%-20s|%+5.1f', a, b) FROM t",
    "SELECT printf('none')",
    "SELECT format, printf FROM t",
]


@pytest.mark.parametrize("sql", LONG)
def test_a_format_that_may_be_endless_is_refused(sql: str) -> None:
    found = check_sql(sql, None, "sqlite")
    assert found is not None and found.code == "function", found
    assert "not a short literal" in found.message


@pytest.mark.parametrize("sql", SHORT)
def test_a_short_format_passes(sql: str) -> None:
    assert check_sql(sql, None, "sqlite") is None


@pytest.mark.parametrize("text", ["{:>1000000000}", "{:.1000000000f}", "{:{}}", "{0:>{1}}", "{:\\n>99999}"])
def test_a_format_of_mariadb_may_be_endless_too(text: str) -> None:
    for sql in (
        f"SELECT SFORMAT('{text}', 'x')",
        f"SELECT `sformat` ('{text}', a) FROM t",
        "SELECT sformat(a, 1) FROM t",
    ):
        found = check_sql(sql, None, "mysql")
        assert found is not None and "not a short literal" in found.message, sql
    assert check_sql("SELECT SFORMAT('{:>10} is {:.2f}, {}', a, b, 1000000) FROM t", None, "mysql") is None


def test_other_engines_bound_their_own_formats() -> None:
    assert check_sql("SELECT format('%s', a) FROM t", None, "postgres") is None
    assert check_sql("SELECT format(a, 2) FROM t", None, "mysql") is None
