"""Nothing that a query sets, locks or makes is there for the next one, whatever the guard lets through."""

from collections.abc import Callable

import pytest
from support.engine_cases import Engine, MariaDB, Postgres, ServerEngine

from route_sql.tools.limits import Limits

COUNT = "SELECT COUNT(*) FROM dept"
POSTGRES = [
    ("SELECT pg_advisory_lock(7)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
    ("SELECT pg_advisory_lock_shared(7)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
    (
        "SELECT pg_try_advisory_lock(1, 2), 1 / (random() * 0)::int",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
    ),
    ("SELECT (7::bigint).pg_advisory_lock", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
    ("SELECT set_config('search_path', 'depot', false)", "SELECT current_setting('search_path')"),
    ("SELECT set_config('statement_timeout', '1', false)", "SELECT pg_sleep(0.1)::text"),
    ("SELECT set_config('work_mem', '1GB', false)", "SELECT current_setting('work_mem')"),
    ("SELECT set_config('my.own', 'x', false)", "SELECT coalesce(current_setting('my.own', true), '')"),
    ("SELECT set_config('role', 'none', false), set_config('jit', 'on', false)", "SELECT current_setting('jit')"),
    ("PREPARE mine AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements"),
    ("CREATE TEMPORARY TABLE dept (n INTEGER)", COUNT),
    ("LISTEN news", "SELECT count(*) FROM pg_listening_channels()"),
    ("DECLARE mine CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors WHERE name = 'mine'"),
]
MARIADB = [
    ("SELECT GET_LOCK('mine', 0)", "SELECT IS_USED_LOCK('mine')"),
    ("SELECT @mine := 7", "SELECT @mine"),
    ("SELECT LAST_INSERT_ID(7)", "SELECT LAST_INSERT_ID()"),
    ("SELECT 7 INTO @mine", "SELECT @mine"),
    ("SET @@SESSION.sql_mode = 'ANSI_QUOTES'", 'SELECT "text"'),
    ("SET SESSION group_concat_max_len = 4", "SELECT @@SESSION.group_concat_max_len"),
    ("SET NAMES latin1", "SELECT @@SESSION.character_set_results"),
    ("SET time_zone = '+05:00'", "SELECT @@SESSION.time_zone"),
    ("CALL leave_behind()", "SELECT @mine, @@SESSION.sql_mode, @@SESSION.time_zone"),
    ("CREATE TEMPORARY TABLE dept (n INTEGER)", COUNT),
    ("PREPARE mine FROM 'SELECT 1'", "EXECUTE mine"),
    ("LOCK TABLES dept READ", "SELECT COUNT(*) FROM emp"),
    ("USE information_schema", "SELECT DATABASE() IS NULL OR DATABASE() = 'information_schema'"),
    ("SET SESSION TRANSACTION READ WRITE", "SELECT @@SESSION.tx_read_only"),
    ("SET SESSION max_statement_time = 0, sql_select_limit = 1", "SELECT n FROM nums ORDER BY n"),
]
DUCKDB = [
    ("SET VARIABLE mine = 7", "SELECT getvariable('mine')"),
    ("CREATE TEMPORARY TABLE dept (n INTEGER)", COUNT),
    ("ATTACH ':memory:' AS other", "SELECT count(*) FROM duckdb_databases() WHERE database_name = 'other'"),
    ("USE temp", "SELECT current_schema()"),
    ("PREPARE mine AS SELECT 1", "SELECT count(*) FROM duckdb_prepared_statements()"),
]
SQLITE = [
    ("PRAGMA case_sensitive_like = ON", "SELECT 'A' LIKE 'a'"),
    ("CREATE TEMPORARY TABLE dept (n INTEGER)", COUNT),
    ("ATTACH ':memory:' AS other", "SELECT COUNT(*) FROM pragma_database_list"),
    ("SELECT * FROM pragma_query_only(0)", COUNT),
    ("BEGIN", COUNT),
]
CASES = [
    *(("postgres", *case) for case in POSTGRES),
    *(("mariadb", *case) for case in MARIADB),
    *(("duckdb", *case) for case in DUCKDB),
    *(("sqlite", *case) for case in SQLITE),
]


@pytest.mark.parametrize(("name", "leaves", "sees"), CASES)
async def test_nothing_is_left_for_the_next_query(
    make_engine: Callable[[str], Engine], name: str, leaves: str, sees: str
) -> None:
    engine = make_engine(name)
    if isinstance(engine, MariaDB):
        procedure = "SET @mine = 7; SET time_zone = '+05:00'; SET sql_mode = 'ANSI_QUOTES'; SELECT 1"
        engine.run(
            f"CREATE PROCEDURE leave_behind() BEGIN {procedure}; END",
            f"GRANT EXECUTE ON {engine.database}.* TO {engine.reader}",
        )
    database = engine.open(guard=False, pool=1)
    before = await database.execute(sees)
    await database.execute(leaves)
    after = await database.execute(sees)
    assert (after["status"], after["rows"]) == (before["status"], before["rows"])
    assert (await database.execute("SELECT COUNT(*) FROM nums"))["rows"] == [[2000]]


@pytest.mark.parametrize(
    ("name", "sql"),
    [("postgres", "SELECT pg_advisory_lock(7)"), ("postgres", "SELECT (7::bigint).pg_advisory_lock")],
)
async def test_the_server_holds_no_lock_after_a_query(
    make_engine: Callable[[str], Engine], name: str, sql: str
) -> None:
    engine = make_engine(name)
    assert isinstance(engine, Postgres)
    assert (await engine.open(guard=False, pool=1).execute(sql))["status"] == "ok"
    assert engine.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


async def test_mariadb_holds_no_lock_after_a_query(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("mariadb")
    assert isinstance(engine, MariaDB)
    assert (await engine.open(guard=False, pool=1).execute("SELECT GET_LOCK('mine', 0)"))["rows"] == [[1]]
    assert engine.ask("SELECT IS_FREE_LOCK('mine')") == [(1,)]


@pytest.mark.parametrize(
    ("name", "seed", "number"), [("postgres", "setseed(0.5)", "random()"), ("duckdb", "setseed(0.5)", "random()")]
)
async def test_a_seed_does_not_stay(make_engine: Callable[[str], Engine], name: str, seed: str, number: str) -> None:
    database = make_engine(name).open(guard=False, pool=1)
    drawn = []
    for _ in range(2):
        await database.execute(f"SELECT {seed}")
        drawn.append((await database.execute(f"SELECT {number}"))["rows"])
    assert drawn[0] != drawn[1]


async def test_the_connection_is_kept(server: ServerEngine) -> None:
    """Else all of the above would hold by connecting for every query."""
    database = server.open(Limits(seconds=5), guard=False, pool=1)
    sql = "SELECT pg_backend_pid()" if isinstance(server, Postgres) else "SELECT CONNECTION_ID()"
    first = (await database.execute(sql))["rows"]
    await database.execute("SELECT COUNT(*) FROM dept")
    assert (await database.execute(sql))["rows"] == first
