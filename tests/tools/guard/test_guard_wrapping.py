"""Whatever is wrapped around a write, a reader of files or a wait, it is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_sql.tools.guard.check import check_sql

WRITES = {
    "sqlite": [
        "DELETE FROM emp",
        "UPDATE emp SET a = 1",
        "INSERT INTO emp VALUES (1)",
        "DROP TABLE emp",
        "VACUUM INTO 'x'",
    ],
    "postgres": [
        "DELETE FROM emp RETURNING id",
        "UPDATE emp SET a = 1 RETURNING a",
        "DROP TABLE emp",
        "COPY emp TO 'x'",
    ],
    "mysql": ["DELETE FROM emp", "SELECT 1 INTO OUTFILE 'x'", "REPLACE INTO emp VALUES (1)", "SET GLOBAL a = 1"],
    "duckdb": ["DELETE FROM emp", "COPY emp TO 'x.csv'", "ATTACH 'x'", "INSERT INTO emp VALUES (1)"],
}
CALLS = {
    "sqlite": ["load_extension('x')", "\"load_extension\"('x')", "[writefile]('x', 'y')", "fts3_tokenizer('x')"],
    "postgres": ["pg_sleep(9)", "pg_catalog.pg_read_file('x')", "\"lo_export\"(1, 'x')", "set_config('a', 'b', true)"],
    "mysql": ["SLEEP(9)", "`load_file`('x')", "GET_LOCK('a', 9)", "BENCHMARK(9, 1)"],
    "duckdb": ["read_text('x')", "getenv('HOME')", "nextval('s')", "\"read_blob\"('x')"],
}
BLANKS = st.sampled_from([" ", "\n", "\t ", " /* x */ ", "\n-- x\n", " /* ' */ ", "\r\n"])
AROUND_STATEMENTS = [
    "{0}",
    "({0})",
    "WITH w AS ({0}) SELECT * FROM w",
    "WITH w AS (SELECT 1) {0}",
    "SELECT * FROM ({0}) AS s",
    "SELECT 1 UNION ALL {0}",
    "SELECT 1 UNION ALL ({0})",
    "SELECT ({0})",
    "SELECT 1 WHERE EXISTS ({0})",
    "SELECT a FROM emp WHERE a IN ({0})",
    "EXPLAIN {0}",
    "SELECT 1; {0}",
    "{0}; SELECT 1",
    ";{0}",
]
AROUND_CALLS = [
    "{0}",
    "({0})",
    "(- {0})",
    "({0} + 1)",
    "(NOT {0})",
    "CAST({0} AS CHAR)",
    "coalesce(NULL, {0})",
    "CASE WHEN 1 = 1 THEN {0} END",
    "(SELECT {0})",
    "(SELECT max(x) FROM (SELECT {0} AS x) AS s)",
    "({0} IN (1))",
    "(1 BETWEEN {0} AND 2)",
    "count({0})",
    "sum({0}) OVER ()",
]
PLACES = [
    "SELECT {0}",
    "SELECT a FROM emp WHERE {0} = 1",
    "SELECT a FROM emp GROUP BY {0} HAVING {0} > 1",
    "SELECT a FROM emp ORDER BY {0}",
    "SELECT a FROM emp JOIN dept ON {0} = 1",
    "WITH w AS (SELECT {0} AS x) SELECT x FROM w",
    "SELECT 1 UNION SELECT {0}",
    "SELECT * FROM (SELECT {0} AS x) AS s",
]


@st.composite
def cased(draw: st.DrawFn, text: str) -> str:
    """A text with letters in any case, but not within quotes."""
    if any(quote in text for quote in '"`['):
        return text
    upper = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    return "".join(letter.upper() if up else letter.lower() for letter, up in zip(text, upper, strict=True))


@st.composite
def blanked(draw: st.DrawFn, text: str) -> str:
    """A text with any blanks and comments in the place of its blanks, and around it."""
    parts = re.split("(?<!ORDER)(?<!GROUP) ", text)  # the parser knows no comment between these and BY
    return draw(BLANKS) + "".join(part + draw(BLANKS) for part in parts)


@st.composite
def wrapped(draw: st.DrawFn, inner: list[str], around: list[str]) -> str:
    text = draw(cased(draw(st.sampled_from(inner))))
    for shape in draw(st.lists(st.sampled_from(around), max_size=3)):
        text = shape.format(text)
    return text


@pytest.mark.parametrize("dialect", WRITES)
@given(data=st.data())
def test_a_wrapped_write_is_refused(dialect: str, data: st.DataObject) -> None:
    sql = data.draw(blanked(data.draw(wrapped(WRITES[dialect], AROUND_STATEMENTS))))
    assert check_sql(sql, None, dialect) is not None, sql


@pytest.mark.parametrize("dialect", CALLS)
@given(data=st.data())
def test_a_wrapped_call_is_refused(dialect: str, data: st.DataObject) -> None:
    call = data.draw(wrapped(CALLS[dialect], AROUND_CALLS))
    sql = data.draw(blanked(data.draw(st.sampled_from(PLACES)).format(call)))
    assert check_sql(sql, None, dialect) is not None, sql


@pytest.mark.parametrize("dialect", CALLS)
@given(data=st.data())
def test_the_same_wrapping_of_an_honest_call_passes(dialect: str, data: st.DataObject) -> None:
    call = data.draw(wrapped(["lower('x')", "abs(1)", "round(1.5)"], AROUND_CALLS))
    sql = data.draw(blanked(data.draw(st.sampled_from(PLACES)).format(call)))
    assert check_sql(sql, None, dialect) is None, sql
