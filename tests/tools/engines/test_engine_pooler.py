"""Behind PgBouncer one connection to the server is shared: nobody notices us on it, and we notice nobody."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from support.chat_stub import ChatStub, completion
from support.engine_cases import ENDLESS, Engine, Postgres
from support.pooler_process import pgbouncer, pgbouncer_program

from route_sql.cli import main
from route_sql.tools.database.roles import role_report
from route_sql.tools.limits import Limits

COUNT = "SELECT COUNT(*) FROM emp"
HONEST = (
    COUNT,
    "SELECT name FROM emp WHERE born = '1990-02-03'",
    "SELECT d.name, COUNT(*) FROM dept d JOIN emp e ON e.dept_id = d.id GROUP BY d.name",
    "SELECT nothing FROM emp",
    "SELECT 1 / 0",
    "DELETE FROM emp",
)


@pytest.fixture
def shop(make_engine: Callable[[str], Engine]) -> Postgres:
    if pgbouncer_program() is None:
        pytest.skip("no PgBouncer: the system's package pgbouncer is not installed")
    made = make_engine("postgres")
    assert isinstance(made, Postgres)
    made.allow_writing()
    return made


@pytest.fixture(params=["transaction", "session"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def pooled(shop: Postgres, mode: str = "transaction") -> Iterator[Postgres]:
    """The engine with its port set to a pooler's."""
    direct = shop.port
    with pgbouncer(shop.admin, {shop.reader: shop.password}, mode) as port:
        shop.port = port
        try:
            yield shop
        finally:
            shop.port = direct


@contextmanager
def other_application(shop: Postgres) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    text = shop.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(text, autocommit=True, prepare_threshold=None) as connection:
        yield connection


_STATE = """
    SELECT pg_backend_pid(), (SELECT string_agg(name || '=' || setting, ',' ORDER BY name) FROM pg_settings
        WHERE name NOT IN ('application_name', 'client_encoding')), current_user::text,
        (SELECT count(*) FROM pg_prepared_statements),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
"""


def state(connection: "psycopg.Connection[tuple[object, ...]]") -> tuple[object, ...]:
    found = connection.execute(_STATE).fetchone()
    assert found is not None
    return found


async def test_another_application_writes_between_our_queries(shop: Postgres) -> None:
    with pooled(shop), other_application(shop) as other:
        database = shop.open(pool=1)
        before = state(other)
        for number, sql in enumerate(HONEST):
            await database.execute(sql)
            other.execute("INSERT INTO emp (id) VALUES (%s)", (100 + number,))
            assert state(other) == before
        await database.schema()
        await database.role()
        assert state(other) == before
        await database.execute(COUNT)
        other.execute("INSERT INTO emp (id) VALUES (200)")
        await database.close()
        assert state(other) == before
    assert shop.ask(COUNT)[0][0] == 3 + len(HONEST) + 1


@pytest.mark.parametrize(
    "left",
    [
        "SET search_path = depot",
        "SET standard_conforming_strings = off",
        "SET TimeZone = 'Pacific/Chatham'",
        "SET DateStyle = 'SQL, DMY'",
        "SET extra_float_digits = -5",
        "SET default_transaction_read_only = off",
        "SET default_transaction_isolation = 'serializable'",
        "SET statement_timeout = 1",
        "SET bytea_output = 'escape'",
    ],
)
async def test_what_another_application_sets_changes_no_answer(shop: Postgres, left: str) -> None:
    sql = "SELECT name, born, rate / 3, seen, timestamptz '2024-01-02 00:00:00Z', '\\n' FROM emp ORDER BY id"
    with pooled(shop), other_application(shop) as other:
        wanted = await shop.open(pool=1).execute(sql)
        assert wanted["status"] == "ok"
        schema = await shop.open(pool=1).schema()
        other.execute(left.encode())
        database = shop.open(pool=1)
        assert (await database.execute(sql))["rows"] == wanted["rows"]
        assert await database.schema() == schema
        assert (await shop.open(pool=1, guard=False).execute("DELETE FROM emp"))["status"] != "ok"


async def test_the_shortest_timeout_of_another_application_ends_no_session_of_ours(shop: Postgres) -> None:
    with pooled(shop), other_application(shop) as other:
        other.execute("SET statement_timeout = 1")
        for _ in range(60):
            database = shop.open(pool=1)
            assert (await database.execute(COUNT))["rows"] == [[3]]
            await database.close()


async def test_what_another_application_holds_is_left_to_it(shop: Postgres) -> None:
    with pooled(shop), other_application(shop) as other:
        other.execute("SELECT pg_advisory_lock(7)")
        other.execute("LISTEN news")
        other.execute("PREPARE mine AS SELECT 1")
        other.execute("CREATE TEMPORARY TABLE scratch (n INTEGER)")
        database = shop.open(pool=1)
        for sql in HONEST:
            await database.execute(sql)
        await database.schema()
        assert state(other)[3:] == (1, 1)
        assert other.execute("SELECT count(*) FROM scratch").fetchone() == (0,)
        assert other.execute("SELECT pg_listening_channels()").fetchall() == [("news",)]


async def test_a_role_that_another_application_took_is_not_ours(shop: Postgres) -> None:
    shop.run(
        f"CREATE ROLE {shop.reader}_boss",
        f"ALTER ROLE {shop.reader} NOINHERIT",
        f"GRANT {shop.reader}_boss TO {shop.reader}",
        "CREATE TABLE payroll (n INTEGER)",
        f"GRANT SELECT ON payroll TO {shop.reader}_boss",
    )
    try:
        with pooled(shop), other_application(shop) as other:
            other.execute(f"SET ROLE {shop.reader}_boss".encode())
            other.execute("SELECT n FROM payroll")
            outcome = await shop.open(pool=1, guard=False).execute("SELECT n FROM payroll")
            assert (outcome["status"], outcome["error"]) == ("refused", "permission denied for table payroll")
            assert "payroll" not in {table.key for table in await shop.open(pool=1).schema()}
    finally:
        shop.run(f"DROP OWNED BY {shop.reader}_boss", f"DROP ROLE {shop.reader}_boss")


@pytest.mark.parametrize("sql", ["COMMIT", "SELECT 1; COMMIT", "COMMIT; DELETE FROM emp", "ROLLBACK", "DISCARD ALL"])
async def test_no_text_leaves_the_transaction(shop: Postgres, sql: str) -> None:
    with pooled(shop), other_application(shop) as other:
        database = shop.open(pool=1, guard=False)
        before = state(other)
        assert (await database.execute(sql))["status"] in ("refused", "error")
        assert (await database.execute("DELETE FROM emp RETURNING id"))["status"] in ("refused", "error")
        assert state(other) == before
    assert shop.ask(COUNT)[0][0] == 3


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('search_path', 'depot', false)",
        "SELECT set_config('statement_timeout', '1', false)",
        "SELECT set_config('default_transaction_read_only', 'on', false)",
        "SELECT set_config('my.own', 'x', false)",
        "SELECT pg_advisory_xact_lock(7)",
        "SELECT pg_advisory_lock(7)",
        "SELECT pg_advisory_lock(-7), pg_advisory_lock_shared(9223372036854775807)",
        "SELECT pg_try_advisory_lock(-1, 2), pg_try_advisory_lock_shared(1, -2)",
        "SELECT pg_advisory_lock(7) FROM generate_series(1, 2500)",
        "SELECT pg_advisory_lock(7), 1 / 0 FROM generate_series(1, 2)",
        "SELECT pg_advisory_lock(7), pg_sleep(60)",
        "SELECT pg_notify('news', 'x')",
    ],
)
async def test_without_the_guard_what_a_query_sets_ends_with_it(shop: Postgres, sql: str) -> None:
    with pooled(shop), other_application(shop) as other:
        before = state(other)
        await shop.open(Limits(seconds=1), pool=1, guard=False).execute(sql)
        assert state(other)[1:] == before[1:]
        assert shop.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


LOCKS = ("pg_advisory_lock(8)", "pg_advisory_lock_shared(8)", "pg_advisory_lock(-8, 1)", "pg_advisory_lock_shared(-9)")


@pytest.mark.parametrize("lock", LOCKS)
async def test_without_the_guard_locks_of_others_stay(shop: Postgres, lock: str) -> None:
    with pooled(shop), other_application(shop) as other:
        other.execute("SELECT pg_advisory_lock(7)")
        before = state(other)
        database = shop.open(pool=1, guard=False)
        for _ in range(2):
            assert (await database.execute(f"SELECT {lock} FROM generate_series(1, 1500)"))["status"] == "ok"
            assert state(other) == before
        assert other.execute("SELECT pg_advisory_unlock(7)").fetchone() == (True,)


async def test_without_the_guard_a_seed_does_not_stay(shop: Postgres) -> None:
    with pooled(shop), other_application(shop) as other:
        database = shop.open(pool=1, guard=False)
        drawn = set()
        for _ in range(2):
            assert (await database.execute("SELECT setseed(0.5)"))["status"] == "ok"
            drawn.add(other.execute("SELECT random()").fetchone())
        assert len(drawn) == 2


@pytest.mark.parametrize("lock", ["pg_advisory_lock(7)", "pg_try_advisory_lock_shared(7)", "pg_advisory_lock(1, 2)"])
async def test_the_guard_refuses_a_lock_that_would_stay(shop: Postgres, lock: str) -> None:
    with pooled(shop), other_application(shop) as other:
        assert (await shop.open(pool=1).execute(f"SELECT {lock}"))["status"] == "refused"
        assert state(other)[4] == 0


async def test_deadlines_and_cancelling_reach_the_server(shop: Postgres, mode: str) -> None:
    with pooled(shop, mode):
        database = shop.open(Limits(seconds=0.5), pool=1)
        assert (await database.execute(ENDLESS))["status"] == "timeout"
        running = asyncio.create_task(database.execute(ENDLESS, Limits(seconds=600)))
        async with asyncio.timeout(10):
            while not shop.running():
                await asyncio.sleep(0.05)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            while shop.running():
                await asyncio.sleep(0.05)
        assert (await database.execute(COUNT))["rows"] == [[3]]


async def test_the_pool_is_used_by_several_at_once(shop: Postgres) -> None:
    with pooled(shop):
        database = shop.open(pool=3)
        outcomes = await asyncio.gather(*(database.execute(f"SELECT n FROM nums WHERE n = {n}") for n in range(1, 31)))
        assert [outcome["rows"] for outcome in outcomes] == [[[n]] for n in range(1, 31)]


async def test_a_pooler_is_noticed(shop: Postgres, mode: str) -> None:
    direct = await role_report(shop.open())
    with pooled(shop, mode):
        behind = await role_report(shop.open())
    assert direct is not None and direct.notes == ()
    assert behind is not None and "pooler" in behind.notes[0]
    assert behind.findings == direct.findings


def test_doctor_says_so(
    shop: Postgres, stub: ChatStub, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stub.enqueue(completion("hello"))
    with pooled(shop):
        url = shop.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with pytest.raises(SystemExit):
            main(["doctor", "--model", stub.url, "--db", url])
    assert "a pooler, such as PgBouncer, is between" in capsys.readouterr().out
