"""PostgreSQL's types that are called like something hidden: the name is nowhere in the schema, and no field of it.

A column that holds rows of a table which is not wholly visible is hidden with it: whoever sees a row sees all of it.
"""

from collections.abc import Callable

import pytest
from support.engine_cases import Engine

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.guard.check import check_sql
from route_sql.tools.guard.refusal import Policy
from route_sql.tools.schema.rendering import render
from route_sql.tools.schema.rights.visibility import Visibility

SCRIPT = (
    "CREATE TABLE salary_mk7 (id INTEGER, amount_mk7 INTEGER)",
    "CREATE TABLE depot.vault_mk7 (id INTEGER)",
    "CREATE TABLE agent (id INTEGER, pin_mk7 TEXT, city TEXT)",
    "CREATE DOMAIN pin_mk7 AS TEXT",
    "CREATE TYPE grade AS ENUM ('low', 'high')",
    "CREATE TYPE pair AS (one salary_mk7, two INTEGER)",
    "CREATE DOMAIN plain AS INTEGER",
    "CREATE TYPE held AS (of agent, n INTEGER)",
    "CREATE TYPE place AS (city TEXT, zip INTEGER)",
    "CREATE TABLE audit (id INTEGER, old salary_mk7, olds salary_mk7[], far depot.vault_mk7, code pin_mk7, "
    "who agent, mixed pair, grade grade, size plain, place place)",
    "INSERT INTO audit (id, who, mixed, grade, place) VALUES (1, (1, 'mk7', 'Bern'), (NULL, 2), 'low', ('Bern', 3000))",
    "CREATE DOMAIN boxed AS agent",
    "CREATE VIEW log AS SELECT a.id, a.city, a, ARRAY[a] AS list, ROW(a, 1)::held AS held, a::boxed AS boxed "
    "FROM agent a",
    "CREATE VIEW log_of_log AS SELECT l.id, l FROM log l",
    "INSERT INTO agent VALUES (1, 'mk7', 'Bern')",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public, depot TO PUBLIC",
)
HIDE = Visibility(hide=("salary_mk7", "depot.vault_mk7", "agent.pin_mk7"))


@pytest.fixture
def visible(make_engine: Callable[[str], Engine]) -> VisibleDatabase:
    engine = make_engine("postgres")
    engine.run(*SCRIPT)
    return VisibleDatabase(engine.open(namespaces=("public", "depot")), HIDE)


async def test_the_schema_does_not_name_them(visible: VisibleDatabase) -> None:
    schema = await visible.schema()
    assert "mk7" not in render(schema)
    assert "mk7" not in repr(schema)
    audit = schema.table("audit")
    assert audit is not None
    types = {column.name: column.type for column in audit.columns}
    assert types == {"id": "INTEGER", "code": "USER-DEFINED", "grade": "grade", "size": "plain", "place": "place"}
    log, above = schema.table("log"), schema.table("log_of_log")
    assert log is not None and [column.name for column in log.columns] == ["id", "city"]
    assert above is not None and [column.name for column in above.columns] == ["id"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT (old).amount_mk7 FROM audit",
        "SELECT (old).* FROM audit",
        "SELECT (olds[1]).id FROM audit",
        "SELECT (far).* FROM audit",
        "SELECT (who).pin_mk7 FROM audit",
        "SELECT (who).* FROM audit",
        "SELECT ((mixed).one).* FROM audit",
        "SELECT who FROM audit",
        "SELECT to_json(who) FROM audit",
        "SELECT a.mixed FROM audit a",
        "SELECT jsonb_populate_record(old, '{}') FROM audit",
        "SELECT l.a FROM log l",
        "SELECT list[1] FROM log",
        "SELECT held FROM log",
        "SELECT boxed::text FROM log",
        "SELECT l FROM log_of_log",
        "SELECT 'x'::pin_mk7",
        "SELECT NULL::salary_mk7",
    ],
)
async def test_nothing_of_them_is_reached(visible: VisibleDatabase, sql: str) -> None:
    outcome = await visible.execute(sql)
    assert outcome["status"] in ("error", "refused") and not outcome["rows"]


async def test_other_types_keep_their_names_and_fields(visible: VisibleDatabase) -> None:
    outcome = await visible.execute("SELECT (place).zip, grade, 'low'::grade, 3::plain FROM audit")
    assert outcome["rows"] == [[3000, "low", "low", 3]]


@pytest.mark.parametrize("sql", ["SELECT * FROM audit", "SELECT row_to_json(a) FROM audit a", "SELECT l FROM log l"])
async def test_no_row_as_a_whole_shows_them(visible: VisibleDatabase, sql: str) -> None:
    outcome = await visible.execute(sql)
    assert outcome["status"] == "ok" and "mk7" not in str(outcome["rows"])


def test_the_columns_of_a_listed_function_are_said_to_be_unknown() -> None:
    policy = Policy(functions=frozenset({"out_*"}))
    from route_sql.tools.schema.records import Schema

    refusal = check_sql("SELECT a FROM out_two(1)", Schema("postgres", ()), "postgres", policy)
    assert refusal is not None and "name them all behind the function in FROM" in refusal.message
    assert check_sql("SELECT a FROM out_two(1) AS f(a, b)", Schema("postgres", ()), "postgres", policy) is None
