"""Names on real engines: what stands for nothing is not sent, what stands for something runs.

The hidden cells contain `mk7`; no visible cell, name or literal does.
"""

import pytest
from support.engine_cases import Engine
from support.honest_names import FINE, HONEST
from support.hostile_names import EVERYWHERE, HOSTILE

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.schema.rights.visibility import Visibility

HIDE = Visibility(hide=("secret", "customer.email"))
FURTHER = {"mariadb": ("past.email",)}
SCRIPT = (
    "DROP VIEW IF EXISTS rich",
    "CREATE TABLE customer (id INTEGER PRIMARY KEY, name VARCHAR(20), email VARCHAR(40))",
    "INSERT INTO customer VALUES (1, 'Ann', 'mk7mail1'), (2, 'Bob', 'mk7mail2')",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, amount INTEGER)",
    "INSERT INTO orders VALUES (1, 1, 10), (2, 2, 20)",
    "CREATE TABLE secret (id INTEGER, token VARCHAR(20))",
    "INSERT INTO secret VALUES (1, 'mk7tok1')",
)
OWN_SCRIPT = {
    "postgres": (
        "CREATE TYPE address AS (city TEXT, zip TEXT)",
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE TABLE person (id INTEGER, home address, homes address[], mood mood, doc JSONB)",
        "INSERT INTO person VALUES (1, ROW('Bern', '3000'), ARRAY[ROW('Bern', '3000')::address], 'glad', '{\"a\": 1}')",
        "ALTER TABLE person ADD whole secret, ADD past customer, ADD pasts customer[]",
        "CREATE FUNCTION out_two(n INTEGER, OUT a INTEGER, OUT b TEXT) LANGUAGE sql STABLE AS 'SELECT n, ''x''::text'",
        "CREATE FUNCTION out_rows(n INTEGER) RETURNS TABLE (x INTEGER, y INTEGER) LANGUAGE sql STABLE "
        "AS 'SELECT g, g * 2 FROM generate_series(1, n) g'",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
    ),
    "mariadb": (
        "CREATE TABLE past (id INTEGER PRIMARY KEY, email VARCHAR(20)) WITH SYSTEM VERSIONING",
        "INSERT INTO past VALUES (1, 'mk7past')",
        "CREATE TABLE whole_past (id INTEGER PRIMARY KEY, v INTEGER) WITH SYSTEM VERSIONING",
        "INSERT INTO whole_past VALUES (1, 1)",
        "CREATE TABLE parted (id INTEGER) PARTITION BY RANGE (id) "
        "(PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)",
        "INSERT INTO parted VALUES (1), (20)",
    ),
    "duckdb": (
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE TYPE plan AS ENUM ('mk7plan')",
        "ALTER TABLE secret ADD COLUMN plan plan",
        "CREATE TABLE person (id INTEGER, home STRUCT(city VARCHAR, zip VARCHAR), homes STRUCT(city VARCHAR)[], "
        "mood mood)",
        "INSERT INTO person VALUES (1, {'city': 'Bern', 'zip': '3000'}, [{'city': 'Bern'}], 'glad')",
    ),
}


@pytest.fixture
def visible(engine: Engine) -> VisibleDatabase:
    engine.run(*SCRIPT, *OWN_SCRIPT.get(engine.name, ()))
    hide = Visibility(hide=(*HIDE.hide, *FURTHER.get(engine.name, ())))
    return VisibleDatabase(engine.open(functions=["out_*"]), hide)


@pytest.mark.parametrize("name", list(HOSTILE))
def test_each_engine_has_its_sixty_of_both_kinds(name: str) -> None:
    assert len({*EVERYWHERE, *HOSTILE[name]}) >= 60
    assert len({*FINE, *HONEST[name]}) >= 60


async def test_no_hostile_statement_runs(visible: VisibleDatabase, engine: Engine) -> None:
    ran = []
    for sql in (*EVERYWHERE, *HOSTILE[engine.name]):
        outcome = await visible.execute(sql)
        if outcome["status"] not in ("error", "refused") or "mk7" in str(outcome):
            ran.append((sql, outcome["status"], outcome["rows"]))
    assert ran == []


async def test_honest_statements_run(visible: VisibleDatabase, engine: Engine) -> None:
    failed = []
    for sql in (*FINE, *HONEST[engine.name]):
        outcome = await visible.execute(sql)
        if outcome["status"] != "ok" or not outcome["rows"] or "mk7" in str(outcome):
            failed.append((sql, outcome["status"], outcome["error"]))
    assert failed == []
