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


async def test_an_error_of_the_rewritten_query_is_the_same_for_hidden_and_unknown_names(
    make_engine: Callable[[str], Engine],
) -> None:
    # The name is that of the common table expression to the rule for names, and the table's to the server.
    database = VisibleDatabase(make_engine("mariadb").open(), Visibility(hide=("emp.rate",)))
    hit, miss = [
        await database.execute(f"WITH emp AS (SELECT 1 AS {name}) SELECT {name} FROM EMP") for name in ("rate", "xxxx")
    ]
    assert hit["error"] is not None and miss["error"] is not None
    assert hit["error"].replace("rate", "xxxx") == miss["error"]


WITHIN = (
    "WITH RECURSIVE {0}(id) AS (WITH RECURSIVE {0}(id) AS (SELECT 1 UNION SELECT a.id FROM {0} AS a WHERE a.id IN "
    "(SELECT q.id FROM (SELECT (SELECT max(r.id) FROM (SELECT b.id FROM {0} AS b) AS r) AS id) AS q)) "
    "SELECT 1 EXCEPT SELECT c.id FROM ({0} AS c JOIN {0} AS d ON c.id <> -1)) SELECT e.id FROM {0} AS e"
)


async def test_a_self_reference_in_a_query_within_does_not_tell_a_table(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("sqlite")
    engine.run("CREATE TABLE secret (id INTEGER)")
    database = VisibleDatabase(engine.open(), Visibility(hide=("secret",)))
    hit, miss = [await database.execute(WITHIN.format(name)) for name in ("secret", "absent")]
    assert hit["status"] == miss["status"] and hit["error"] is not None
    assert hit["error"].replace("secret", "absent") == miss["error"]


EMP = Schema("postgres", (Table("emp", (Column("salary", "NUMERIC"),)),))


@pytest.mark.parametrize(
    ("error", "read"),
    [
        (
            'column "salary" of table emp: invalid input for type integer: "mk7 of Ann" (LINE 1, value 739182645)',
            'column "salary" of table emp: invalid input for type integer: "..." (LINE ..., value ...)',
        ),
        ("Could not convert string '4711 22' to INT32", "Could not convert string '...' to INT32"),
        ("it can't convert 'open' to a number", "it can't convert '...' to a number"),
        ("column emp.salary must appear in the GROUP BY", "column emp.salary must appear in the GROUP BY"),
        ("Overflow in multiplication of INT32 (711 * 2)!", "Overflow in ... of INT32 (... * ...)!"),
        ("canceling statement due to user request", "canceling statement due to user request"),
    ],
)
def test_an_error_keeps_what_does_not_depend_on_the_hidden(error: str, read: str) -> None:
    assert readable_error(error, EMP) == read


async def test_guesses_in_a_comment_do_not_tell_a_hidden_cell(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("duckdb")
    engine.run("CREATE TABLE visit (cause VARCHAR)")
    engine.run("INSERT INTO visit VALUES ('asthma')")
    engine.run("CREATE VIEW cause_number AS SELECT CAST(cause AS INTEGER) AS n FROM visit")
    database = VisibleDatabase(engine.open(), Visibility(hide=("visit",)))
    hit, miss = [await database.execute(f"SELECT n FROM cause_number /* {guess} */") for guess in ("asthma", "flu")]
    assert hit["status"] == "error" and hit["error"] == miss["error"]
    assert "asthma" not in str(hit)


async def test_an_error_in_the_rows_of_an_heir_is_still_that_error(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    engine.run("CREATE TABLE event (note TEXT)")
    engine.run("CREATE TABLE event_old () INHERITS (event)")
    engine.run("CREATE TABLE event_staff () INHERITS (event)")
    engine.run("INSERT INTO event_old VALUES ('fine')", f"GRANT SELECT ON event, event_old TO {engine.reader}")  # type: ignore[attr-defined]
    database = VisibleDatabase(engine.open(), Visibility(allow=("event",), hide=("event_staff",)))
    outcome = await database.execute("SELECT CAST(note AS integer) FROM event")
    assert outcome["status"] == "error" and outcome["error"] is not None
    assert "integer" in outcome["error"] and "event_old" not in outcome["error"] and "fine" not in outcome["error"]
