"""Through the whole graph: attacks that change nothing on any engine, and servers that are lost, slow or busy."""

import asyncio
from typing import Any, get_args

import pytest
from support.engine_cases import ENDLESS, Engine, ServerEngine
from support.guard_statements import BOUNDED, REFUSED
from support.loopback_proxy import Proxy

from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Status
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

COUNT = "SELECT COUNT(*) FROM dept"
QUESTION = Question(question="How many departments are there?", database="shop")
WRITES = (
    "DROP TABLE dept",
    "DELETE FROM emp",
    "COMMIT; DELETE FROM emp; COMMIT",
    "INSERT INTO dept VALUES (9, 'x')",
    "CREATE TABLE evil (a INTEGER)",
    "WITH d AS (SELECT 1 AS id) DELETE FROM emp WHERE id IN (SELECT id FROM d)",
)
STATE = (
    "SELECT * FROM dept ORDER BY id",
    "SELECT * FROM emp ORDER BY id",
    "SELECT COUNT(*), SUM(n) FROM nums",
    "SELECT table_name FROM information_schema.tables WHERE table_schema IN ('public', 'main', DATABASE()) ORDER BY 1",
)


class Asked:
    """A graph on one database, and a model with scripted replies."""

    def __init__(self, database: Any) -> None:
        self.model = ScriptedModel(history=[])
        self.graph = build_graph(self.model, Catalog({"shop": database}))

    async def ask(self, sql: str, **choices: Any) -> Answer:
        self.model.enqueue("sql", sql)
        context = Context(strategy="single", **choices)
        answer: Answer = (await self.graph.ainvoke(QUESTION, context=context, version="v2")).value
        return answer


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.05)


def state(server: ServerEngine) -> list[Any]:
    """The rows and tables, as the administrator sees them."""
    names = STATE[:3] + (STATE[3].replace(", DATABASE()", "") if server.name == "postgres" else STATE[3],)
    return [server.ask(sql) for sql in names]


async def test_no_attack_changes_a_file(make_engine: Any) -> None:
    engine = make_engine("duckdb")
    before = engine.file.read_bytes()
    await attacked(engine, "duckdb")
    assert engine.file.read_bytes() == before
    assert [path.name for path in engine.file.parent.iterdir()] == [engine.file.name]


async def test_no_attack_changes_a_server(server: ServerEngine) -> None:
    before = state(server)
    assert before[0]
    await attacked(server, "mysql" if server.name == "mariadb" else "postgres")
    assert state(server) == before


async def attacked(engine: Engine, dialect: str) -> None:
    """Every attack as the model's reply; each run ends with a status and an answer."""
    asked = Asked(engine.open(Limits(seconds=0.5)))
    for sql in (*WRITES, *REFUSED[dialect], *BOUNDED[dialect]):
        answer = await asked.ask(sql)
        assert answer["status"] in get_args(Status)
        assert answer["error"] or answer["sql"]
        if sql in WRITES:
            assert answer["status"] in ("refused", "error")
    assert (await asked.ask(COUNT))["rows"] == [[2]]


async def test_a_server_that_goes_in_the_middle_of_a_query(server: ServerEngine) -> None:
    asked = Asked(server.open(Limits(seconds=60), pool=1))
    assert (await asked.ask(COUNT))["rows"] == [[2]]
    running = asyncio.create_task(asked.ask(ENDLESS, deadline=60))
    await until(server.running)
    await asyncio.to_thread(server.kill)
    with pytest.raises(DatabaseUnavailable, match="the connection was lost; ask again"):
        await running
    assert (await asked.ask(COUNT))["rows"] == [[2]]


async def test_a_server_that_is_not_there(server: ServerEngine) -> None:
    server.port = 1  # nobody listens
    with pytest.raises(DatabaseUnavailable) as caught:
        await Asked(server.open()).ask(COUNT)
    assert server.password not in str(caught.value)


async def test_a_network_that_stalls_in_the_middle_of_a_query(server: ServerEngine, proxy: Proxy) -> None:
    asked = Asked(server.open(Limits(seconds=1.5), pool=1))
    assert (await asked.ask(COUNT))["rows"] == [[2]]
    running = asyncio.create_task(asked.ask(ENDLESS))
    await until(server.running)
    proxy.stall()
    # The query is given up at its deadline; what comes next needs a new connection, which can't be had.
    with pytest.raises(DatabaseUnavailable, match="did not answer within 5 s"):
        await running
    proxy.sever()
    assert (await asked.ask(COUNT))["rows"] == [[2]]


async def test_sixty_four_questions_at_once_share_a_small_pool(engine: Engine) -> None:
    asked = Asked(engine.open(pool=2))
    answers = await asyncio.gather(*(asked.ask(COUNT) for _ in range(64)))
    assert [answer["rows"] for answer in answers] == [[[2]]] * 64


async def test_a_pool_that_stays_exhausted_is_said(server: ServerEngine) -> None:
    database = server.open(Limits(seconds=600), pool=1, wait_seconds=0.3)
    asked = Asked(database)
    assert (await asked.ask(COUNT))["rows"] == [[2]]
    running = asyncio.create_task(database.execute(ENDLESS))
    await until(server.running)
    with pytest.raises(DatabaseUnavailable, match="raise pool or wait_seconds"):
        await asked.ask(COUNT, deadline=0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    asked.model.history.clear()
