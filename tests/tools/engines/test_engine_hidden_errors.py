"""An engine's error and its indexes tell nothing about hidden names: a right guess looks like a wrong one."""

from collections.abc import Callable

import pytest
from support.engine_cases import Engine

from route_sql.tools.database.error_words import readable_error
from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.schema.rights.visibility import Visibility

QUOTING = [
    ("duckdb", "SELECT CAST('ra' || '{}' AS INTEGER)"),
    ("duckdb", "SELECT strptime('ra' || '{}', '%Y')"),
    ("duckdb", "SELECT date_part('ra' || '{}', DATE '2020-01-01')"),
    ("postgres", "SELECT CAST('ra' || '{}' AS INTEGER)"),
    ("postgres", "SELECT now() AT TIME ZONE ('ra' || '{}')"),
    ("postgres", "SELECT decode('a', 'ra' || '{}')"),
    ("sqlite", "SELECT json_extract('[]', 'ra' || '{}')"),
]
HINTS = [
    ("sqlite", "SELECT name FROM emp INDEXED BY {} WHERE id > 0"),
    ("mariadb", "SELECT name FROM emp USE INDEX ({}) ORDER BY id"),
    ("mariadb", "SELECT e.name FROM emp AS e FORCE INDEX ({}) ORDER BY id"),
]


@pytest.mark.parametrize(("name", "query"), QUOTING)
async def test_a_quoted_word_does_not_tell_whether_it_is_a_hidden_name(
    make_engine: Callable[[str], Engine], name: str, query: str
) -> None:
    database = VisibleDatabase(make_engine(name).open(), Visibility(hide=("emp.rate",)))
    hit, miss = [await database.execute(query.format(end)) for end in ("te", "xx")]
    assert hit["status"] == miss["status"] == "error"
    assert hit["error"] == miss["error"]


@pytest.mark.parametrize(("name", "query"), HINTS)
async def test_a_hint_does_not_tell_whether_there_is_an_index(
    make_engine: Callable[[str], Engine], name: str, query: str
) -> None:
    engine = make_engine(name)
    engine.run("CREATE INDEX by_rate ON emp (rate)")
    database = VisibleDatabase(engine.open(), Visibility(hide=("emp.rate",)))
    hit, miss = [await database.execute(query.format(index)) for index in ("by_rate", "by_nope")]
    assert hit["status"] == miss["status"] == "ok"
    assert hit["rows"] == miss["rows"] != []


async def test_an_error_of_the_rewritten_query_has_no_hidden_names(make_engine: Callable[[str], Engine]) -> None:
    # The name is that of the common table expression to the rule for names, and the table's to the server.
    database = VisibleDatabase(make_engine("mariadb").open(), Visibility(hide=("emp.rate",)))
    hit, miss = [
        await database.execute(f"WITH emp AS (SELECT 1 AS {name}) SELECT {name} FROM EMP") for name in ("rate", "xxxx")
    ]
    assert hit["error"] is not None and miss["error"] is not None
    assert hit["error"].replace("rate", "xxxx") == miss["error"]


def test_an_error_keeps_what_does_not_depend_on_the_hidden() -> None:
    schema = Schema("postgres", (Table("emp", (Column("salary", "NUMERIC"),)),))
    error = 'column "salary" of table emp: invalid input for type integer: "mk7 of Ann" (LINE 1, value 739182645)'
    assert readable_error(error, "SELECT salary FROM emp", schema) == (
        'column "salary" of table emp: invalid input for type integer: "... of ..." (LINE 1, value ...)'
    )
