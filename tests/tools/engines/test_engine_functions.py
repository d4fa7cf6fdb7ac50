"""Functions that the owner of a database allows beyond the guard's lists, on every engine."""

from collections.abc import Callable, Sequence

import pytest
from support.engine_cases import Engine

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.schema.rights.visibility import Visibility

ENGINES = ["sqlite", "duckdb", "postgres", "mariadb"]
MADE = {
    "duckdb": ["CREATE MACRO st_twice(x) AS x * 2", "CREATE SCHEMA gis", "CREATE MACRO gis.twice(x) AS x * 2"],
    "postgres": [
        "CREATE FUNCTION st_twice(x integer) RETURNS integer LANGUAGE sql AS 'SELECT x * 2'",
        "CREATE FUNCTION depot.twice(x integer) RETURNS integer LANGUAGE sql AS 'SELECT x * 2'",
        "CREATE FUNCTION st_writes() RETURNS integer LANGUAGE sql AS "
        "'INSERT INTO dept VALUES (9, ''written'') RETURNING id'",
    ],
    "mariadb": ["CREATE FUNCTION st_twice(x INTEGER) RETURNS INTEGER DETERMINISTIC RETURN x * 2"],
}
CALLS = {"sqlite": "sqlite_compileoption_used('NO_SUCH_OPTION') + 2", "postgres": "ST_Twice(id)"}
PATTERNS = {"sqlite": ["SQLite_CompileOption*"]}


def with_functions(make_engine: Callable[[str], Engine], name: str) -> Engine:
    engine = make_engine(name)
    engine.run(*MADE.get(name, []))
    if name == "mariadb":
        engine.run(f"GRANT EXECUTE ON *.* TO '{engine.reader}'@'%'")  # type: ignore[attr-defined]
    return engine


async def status(engine: Engine, sql: str, functions: Sequence[str] = ()) -> object:
    outcome = await engine.open(functions=functions).execute(sql)
    return outcome["rows"] if outcome["status"] == "ok" else outcome["status"]


@pytest.mark.parametrize("name", ENGINES)
async def test_a_listed_function_may_be_called_and_no_other(make_engine: Callable[[str], Engine], name: str) -> None:
    engine = with_functions(make_engine, name)
    sql = f"SELECT {CALLS.get(name, 'st_twice(id)')} FROM emp WHERE id = 1"
    patterns = PATTERNS.get(name, ["st_*"])
    assert await status(engine, sql) == "refused"
    assert await status(engine, sql, ["other", "*st_twic", "st_", "sqlite_", "gis.st_*"]) == "refused"
    assert await status(engine, sql, patterns) == [[2]]


@pytest.mark.parametrize("name", ENGINES)
async def test_a_listed_function_may_be_called_where_something_is_hidden(
    make_engine: Callable[[str], Engine], name: str
) -> None:
    engine = with_functions(make_engine, name)
    whole = engine.open(functions=PATTERNS.get(name, ["st_*"]))
    database = VisibleDatabase(whole, Visibility(hide=("emp.name",)))
    sql = f"SELECT {CALLS.get(name, 'st_twice(id)')} FROM emp WHERE id = 1"
    assert (await database.execute(sql))["rows"] == [[2]]
    assert (await database.execute(f"{sql} AND name = 'Ann'"))["status"] != "ok"


async def test_one_in_a_schema_is_listed_with_it(make_engine: Callable[[str], Engine]) -> None:
    engine = with_functions(make_engine, "postgres")
    sql = "SELECT depot.twice(id) FROM emp WHERE id = 1"
    assert await status(engine, sql, ["twice", "tw*", "*ce", "other.*e"]) == "refused"
    assert await status(engine, sql, ["Depot.Tw*"]) == [[2]]
    assert await status(engine, "SELECT pg_catalog.pg_sleep(0)", ["depot.*p"]) == "refused"


async def test_the_session_holds_whatever_is_listed(make_engine: Callable[[str], Engine]) -> None:
    engine = with_functions(make_engine, "postgres")
    outcome = await engine.open(functions=["st_*"]).execute("SELECT st_writes()")
    assert "read-only transaction" in str(outcome["error"])
    assert engine.ask("SELECT count(*) FROM dept") == [(2,)]  # type: ignore[attr-defined]


async def test_a_virtual_table_can_not_be_a_pattern(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("sqlite")
    engine.run('CREATE VIRTUAL TABLE "s*" USING fts5(x)')
    assert await status(engine, "SELECT sqlite_compileoption_used('THREADSAFE')") == "refused"


@pytest.mark.parametrize("functions", ["st_*", ["*"], ["a b"], ["f()"], [""], ["a.b.c"], ["[a-z]"], [3], ["x.*"]])
def test_what_is_no_list_of_functions_says_so(make_engine: Callable[[str], Engine], functions: Sequence[str]) -> None:
    with pytest.raises(DatabaseUnavailable, match="functions of the database shop: .* write such as"):
        make_engine("sqlite").open(functions=functions)
