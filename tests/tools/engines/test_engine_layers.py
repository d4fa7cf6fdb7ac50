"""What holds when the guard is off, and that no message gives a secret away."""

import traceback
from collections.abc import Callable, Mapping

import pytest
from sqlalchemy import make_url
from support.engine_cases import Engine, MariaDB, ServerEngine

from route_sql.tools.database.mysql.database import MySQLDatabase
from route_sql.tools.database.postgres.database import PostgresDatabase
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

COUNT = "SELECT COUNT(*) FROM emp"
WRITES = [
    "DELETE FROM emp",
    "INSERT INTO emp (id) VALUES (9)",
    "UPDATE emp SET name = 'x'",
    "DROP TABLE nums",
    "CREATE TABLE t (a INTEGER)",
    "CREATE TEMPORARY TABLE t (a INTEGER)",
    "COMMIT",
]
SEVERAL = ["SELECT 1; DELETE FROM emp", "COMMIT; DELETE FROM emp", "SELECT 1; SELECT 2"]


@pytest.mark.parametrize("sql", [*WRITES, *SEVERAL])
async def test_the_guard_refuses_what_is_no_query(engine: Engine, sql: str) -> None:
    outcome = await engine.open().execute(sql)
    assert outcome["status"] == "refused"
    assert outcome["error"] is not None and outcome["error"].startswith("only one SELECT statement may run")


@pytest.mark.parametrize("sql", [*WRITES, *SEVERAL])
async def test_without_the_guard_the_session_refuses_it(engine: Engine, sql: str) -> None:
    if isinstance(engine, ServerEngine):
        engine.allow_writing()
    database = engine.open(guard=False, pool=1)
    assert (await database.execute(sql))["status"] in ("refused", "error")
    assert (await database.execute(COUNT))["rows"] == [[3]]
    assert (await database.execute("SELECT COUNT(*) FROM nums"))["rows"] == [[2000]]


@pytest.mark.parametrize(
    ("name", "escape"),
    [
        ("postgres", "SET default_transaction_read_only = off"),
        ("postgres", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"),
        ("postgres", "SELECT set_config('transaction_read_only', 'off', false)"),
        ("postgres", "SELECT set_config('default_transaction_read_only', 'off', false)"),
        ("postgres", "BEGIN READ WRITE"),
        ("mariadb", "SET SESSION TRANSACTION READ WRITE"),
        ("mariadb", "START TRANSACTION READ WRITE"),
        ("mariadb", "SET max_statement_time = 0"),
    ],
)
async def test_no_statement_opens_the_session_for_the_next_one(
    make_engine: Callable[[str], Engine], name: str, escape: str
) -> None:
    engine = make_engine(name)
    assert isinstance(engine, ServerEngine)
    engine.allow_writing()
    database = engine.open(guard=False, pool=1)
    await database.execute(escape)
    assert (await database.execute("DELETE FROM emp"))["status"] in ("refused", "error")
    assert (await database.execute("WITH x AS (SELECT 1) DELETE FROM emp"))["status"] in ("refused", "error")
    assert engine.ask(COUNT)[0][0] == 3


async def test_a_writing_cte_is_refused_by_the_server(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    assert isinstance(engine, ServerEngine)
    engine.allow_writing()
    database = engine.open(guard=False)
    outcome = await database.execute("WITH x AS (DELETE FROM emp RETURNING id) SELECT id FROM x")
    assert outcome["status"] == "error" and "data-modifying" in str(outcome["error"])
    assert engine.ask(COUNT)[0][0] == 3


async def test_without_both_layers_writing_works(server: ServerEngine) -> None:
    """Else the tests above would hold whatever the session does."""
    server.allow_writing()
    database = server.open(Limits(seconds=0.5), guard=False, session=False)
    assert (await database.execute("INSERT INTO emp (id) VALUES (9)"))["status"] == "empty"
    assert server.ask(COUNT)[0][0] == 4
    endless = "SELECT COUNT(*) FROM nums a, nums b, nums c, nums d, nums e"
    assert (await database.execute(endless))["status"] == "timeout"


async def test_quotes_are_read_as_the_guard_reads_them(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("mariadb")
    assert isinstance(engine, MariaDB)
    before = engine.ask("SELECT @@GLOBAL.sql_mode")[0][0]
    try:
        engine.run("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
        outcome = await engine.open().execute("""SELECT "a", 'it\\'s' FROM dept WHERE id = 1""")
    finally:
        engine.run(f"SET GLOBAL sql_mode = '{before}'")
    assert outcome["rows"] == [["a", "it's"]]


async def test_no_message_holds_the_password_or_the_url(server: ServerEngine) -> None:
    texts = [repr(server.open())]
    for change in ({"password": "wr0ng-s3cret"}, {"database": "nowhere"}, {"port": 1}):
        texts.append(await _failure(server, change))
    for sql in ("SELECT * FROM secret", "SELECT * FROM mysql.user", "SELECT passwd FROM pg_shadow"):
        texts.append(str(await server.open(guard=False).execute(sql)))
    for text in texts:
        for secret in (server.password, "wr0ng-s3cret", server.reader, "p4ss", f":{server.port}", "127.0.0.1"):
            assert secret not in text


async def _failure(server: ServerEngine, change: Mapping[str, object]) -> str:
    """All that a log could show of a connection that fails."""
    kind = PostgresDatabase if server.name == "postgres" else MySQLDatabase
    database = kind("shop", server.url.set(**change))  # type: ignore[arg-type]
    server.opened.append(database)
    with pytest.raises(DatabaseUnavailable) as caught:
        await database.execute("SELECT 1")
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    shown = "".join(traceback.format_exception(caught.value))
    return "\n".join(line for line in shown.splitlines() if "server.url" not in line)


async def test_what_is_wrong_with_a_connection_is_said(server: ServerEngine) -> None:
    said = {
        "password": ("wrong", "user or password are wrong"),
        "database": ("nowhere", "there is no such database"),
        "port": (1, "nothing listens at that host and port"),
    }
    for part, (value, reason) in said.items():
        assert reason in await _failure(server, {part: value})


def test_a_url_without_a_database_is_refused_at_once() -> None:
    with pytest.raises(DatabaseUnavailable, match="names no database"):
        MySQLDatabase("shop", make_url("mysql://me:s3cret@localhost"))
