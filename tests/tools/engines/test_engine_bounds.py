"""Every engine stops what takes too long, and the servers really stop it; lost servers and full pools."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from support.engine_cases import ENDLESS, Engine, Postgres, ServerEngine
from support.loopback_proxy import Proxy

from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits


async def until(condition: Callable[[], Any]) -> None:
    """Wait in the event loop; the test's own time-out ends a wait in vain."""
    while not condition():
        await asyncio.sleep(0.05)


async def test_the_deadline_stops_the_query(engine: Engine) -> None:
    database = engine.open(Limits(seconds=0.3), pool=1)
    outcome = await database.execute(ENDLESS)
    assert (outcome["status"], outcome["error"]) == ("timeout", "the query took longer than 0.3 s and was stopped")
    assert (await database.execute("SELECT COUNT(*) FROM dept", Limits()))["rows"] == [[2]]
    if isinstance(engine, ServerEngine):
        assert engine.running() == []


async def test_cancelling_stops_the_query(engine: Engine) -> None:
    database = engine.open(Limits(seconds=600), pool=1)
    running = asyncio.create_task(database.execute(ENDLESS))
    waiting = asyncio.create_task(database.execute(ENDLESS))
    if isinstance(engine, ServerEngine):
        await until(engine.running)
    else:
        await asyncio.sleep(0.1)
    for task in (waiting, running):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await database.execute("SELECT COUNT(*) FROM dept"))["rows"] == [[2]]
    if isinstance(engine, ServerEngine):
        await until(lambda: engine.running() == [])


async def test_closing_stops_what_runs(engine: Engine) -> None:
    database = engine.open(Limits(seconds=600))
    running = asyncio.create_task(database.execute(ENDLESS))
    if isinstance(engine, ServerEngine):
        await until(engine.running)
    else:
        await asyncio.sleep(0.1)
    await database.close()
    assert (await running)["status"] == "timeout"
    for call in (database.execute("SELECT 1"), database.schema()):
        with pytest.raises(DatabaseUnavailable, match="closed"):
            await call
    if isinstance(engine, ServerEngine):
        await until(lambda: engine.running() == [])


async def test_the_event_loop_goes_on(engine: Engine) -> None:
    running = asyncio.create_task(engine.open().execute(ENDLESS, Limits(seconds=0.5)))
    turns = 0
    while not running.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 3


async def test_more_queries_than_connections_all_answer(engine: Engine) -> None:
    database = engine.open(pool=2)
    outcomes = await asyncio.gather(*(database.execute(f"SELECT n FROM nums WHERE n = {n}") for n in range(1, 41)))
    assert [outcome["rows"] for outcome in outcomes] == [[[n]] for n in range(1, 41)]


async def test_a_caller_who_waits_too_long_is_told_so(server: ServerEngine) -> None:
    database = server.open(pool=1, wait_seconds=0.3)
    running = asyncio.create_task(database.execute(ENDLESS))
    await until(server.running)
    with pytest.raises(DatabaseUnavailable, match=r"all 1 connections .* busy for 0\.3 s; raise pool"):
        await database.execute("SELECT 1")
    with pytest.raises(DatabaseUnavailable, match="raise pool"):
        await database.schema()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: server.running() == [])
    assert (await database.execute("SELECT COUNT(*) FROM dept"))["status"] == "ok"


async def test_a_session_that_the_server_ends(server: ServerEngine) -> None:
    database = server.open(pool=1)
    await database.execute("SELECT 1")
    server.kill()
    assert (await database.execute("SELECT COUNT(*) FROM dept"))["rows"] == [[2]]
    running = asyncio.create_task(database.execute(ENDLESS))
    await until(server.running)
    await asyncio.to_thread(server.kill)
    with pytest.raises(DatabaseUnavailable, match="the connection was lost; ask again"):
        await running
    assert (await database.execute("SELECT COUNT(*) FROM dept"))["rows"] == [[2]]


async def test_a_network_that_breaks(server: ServerEngine, proxy: Proxy) -> None:
    database = server.open(pool=1)
    await database.schema()
    running = asyncio.create_task(database.execute(ENDLESS))
    await until(server.running)
    proxy.sever()
    with pytest.raises(DatabaseUnavailable, match="the connection was lost"):
        await running
    assert (await database.execute("SELECT COUNT(*) FROM dept"))["rows"] == [[2]]


async def test_a_network_that_stalls(server: ServerEngine, proxy: Proxy) -> None:
    database = server.open(Limits(seconds=1.5), pool=1)
    await database.schema()
    running = asyncio.create_task(database.execute(ENDLESS))
    await until(server.running)
    proxy.stall()
    assert (await running)["status"] == "timeout"
    proxy.sever()
    assert (await database.execute("SELECT COUNT(*) FROM dept"))["rows"] == [[2]]
    await until(lambda: server.running() == [])


async def test_a_server_that_never_answers(server: ServerEngine, proxy: Proxy) -> None:
    proxy.stall()
    with pytest.raises(DatabaseUnavailable, match="did not answer within 5 s"):
        await server.open().execute("SELECT 1")


async def test_waiting_for_a_lock_ends(server: ServerEngine) -> None:
    database = server.open(Limits(seconds=1))
    with server.connected() as cursor:
        if isinstance(server, Postgres):
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE dept IN ACCESS EXCLUSIVE MODE")
        else:
            cursor.execute("LOCK TABLES dept WRITE")
        outcome = await database.execute("SELECT * FROM dept")
        cursor.execute("ROLLBACK" if isinstance(server, Postgres) else "UNLOCK TABLES")
    assert outcome["status"] == "timeout"
    assert (await database.execute("SELECT COUNT(*) FROM dept"))["rows"] == [[2]]


async def test_one_database_serves_several_event_loops_in_turn(engine: Engine) -> None:
    database = engine.open()
    for _ in range(2):
        outcome = await asyncio.to_thread(asyncio.run, database.execute("SELECT COUNT(*) FROM dept"))
        assert outcome["rows"] == [[2]]


async def test_a_huge_cell_does_not_come_through(make_engine: Callable[[str], Engine]) -> None:
    database = make_engine("postgres").open(Limits(memory_bytes=40_000_000), pool=1)
    small = await database.execute("SELECT repeat('x', 1000000)")
    assert (small["status"], small["truncated"]) == ("ok", True)
    huge = await database.execute("SELECT repeat('x', 100000000)")
    assert (huge["status"], huge["error"]) == ("error", "the query needs more than 40 MB of memory")
    assert (await database.execute("SELECT COUNT(*) FROM dept"))["rows"] == [[2]]


async def test_mariadb_bounds_the_memory_of_a_session(make_engine: Callable[[str], Engine]) -> None:
    database = make_engine("mariadb").open(Limits(memory_bytes=20_000_000), pool=1)
    columns = ", ".join(f"REPEAT('x', 1000000) AS c{number}" for number in range(100))
    unequal = " AND ".join(f"c{number} <> 'y'" for number in range(100))
    outcome = await database.execute(f"SELECT COUNT(*) FROM (SELECT {columns}) AS wide WHERE {unequal}")
    assert (outcome["status"], outcome["error"]) == ("error", "the query needs more than 20 MB of memory")
    assert (await database.execute("SELECT COUNT(*) FROM dept"))["rows"] == [[2]]
