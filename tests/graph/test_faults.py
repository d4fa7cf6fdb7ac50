"""What breaks around the graph: the model's server, the database's file, the disk, too many questions at once."""

import asyncio
import hashlib
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.chat_stub import ChatStub, completion, dropped

from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.errors import ModelUnavailable, ServerUnavailable
from route_sql.serving.profile import Profile
from route_sql.serving.store.manifest import HubFile, ModelEntry
from route_sql.serving.store.model_store import ModelStore
from route_sql.serving.store.sources import FileSource, HubSource
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
QUESTION = Question(question="Who lives in Bergen?", database="shop")
SINGLE = Context(strategy="single")


class StallingProxy:
    """A relay on loopback that passes nothing on while it is stalled, and ends no connection."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._flows = asyncio.Event()
        self._flows.set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> "StallingProxy":
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def stall(self) -> None:
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            self._pumps.add(asyncio.create_task(self._pump(source, target)))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                await self._flows.wait()
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass  # either side may hang up; the other is closed below
        finally:
            target.close()


@pytest.fixture
async def proxy(stub: ChatStub) -> AsyncIterator[StallingProxy]:
    async with StallingProxy(int(stub.url.rpartition(":")[2])) as opened:
        yield opened


async def answered(chat: ChatTGI, catalog: Catalog, context: Context = SINGLE) -> Answer:
    answer: Answer = (await build_graph(chat, catalog).ainvoke(QUESTION, context=context, version="v2")).value
    return answer


async def test_a_model_server_that_is_not_there(catalog: Catalog) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        chat = ChatTGI(base_url=url, max_retries=0)
        with pytest.raises(ServerUnavailable, match=rf"{url} can't be reached.*Check that it runs"):
            await answered(chat, catalog)
    await chat.aclose()


async def test_a_network_to_the_model_that_stalls(stub: ChatStub, proxy: StallingProxy, catalog: Catalog) -> None:
    chat = ChatTGI(base_url=proxy.url, timeout=0.3, max_retries=0)
    stub.enqueue(completion(NAMES))
    assert (await answered(chat, catalog))["status"] == "ok"
    proxy.stall()
    with pytest.raises(ServerUnavailable, match="did not answer in time"):
        await answered(chat, catalog)
    proxy.flow()
    stub.replies.extend([completion(NAMES)] * 2)  # the request that waited may come through too, to nobody
    assert (await answered(chat, catalog))["rows"] == [["Ida"], ["Una"]]
    stub.replies.clear()
    await chat.aclose()


async def test_a_stall_between_two_agents_is_waited_out(stub: ChatStub, proxy: StallingProxy, catalog: Catalog) -> None:
    chat = ChatTGI(base_url=proxy.url, timeout=0.3, max_retries=20, budget=60)
    stub.enqueue(completion(NAMES))

    async def recover() -> None:
        while len(stub.bodies) < 1:
            await asyncio.sleep(0.01)
        proxy.stall()
        await asyncio.sleep(0.5)
        stub.enqueue(*[completion(NAMES)] * 20)
        proxy.flow()

    recovering = asyncio.create_task(recover())
    answer = await answered(chat, catalog, Context(without=("link_schema",)))
    await recovering
    stub.replies.clear()
    assert (answer["status"], [entry["node"] for entry in answer["ledger"]]) == ("ok", ["draft", "generate"])
    await chat.aclose()


async def test_a_model_server_that_dies_in_the_middle(stub: ChatStub, catalog: Catalog) -> None:
    chat = ChatTGI(base_url=stub.url, max_retries=1)
    stub.enqueue(dropped, completion(NAMES), dropped, dropped)
    assert (await answered(chat, catalog))["status"] == "ok"
    with pytest.raises(ServerUnavailable, match="closed the connection"):
        await answered(chat, catalog)
    await chat.aclose()


async def test_a_file_that_is_spoilt_while_we_serve(model: ScriptedModel, catalog: Catalog, shop: Path) -> None:
    graph = build_graph(model, catalog)
    model.enqueue("sql", NAMES)
    assert (await graph.ainvoke(QUESTION, context=SINGLE))["status"] == "ok"
    good = shop.read_bytes()
    shop.with_name("bad").write_bytes(b"not a database" * 1_000)
    shop.with_name("bad").replace(shop)
    with pytest.raises(DatabaseUnavailable, match="not a SQLite database"):
        await graph.ainvoke(QUESTION, context=SINGLE)
    shop.unlink()
    with pytest.raises(DatabaseUnavailable, match="there is no file"):
        await graph.ainvoke(QUESTION, context=SINGLE)
    shop.write_bytes(good)
    model.enqueue("sql", NAMES)
    assert (await graph.ainvoke(QUESTION, context=SINGLE))["status"] == "ok"


async def test_a_file_that_goes_between_two_agents(model: ScriptedModel, catalog: Catalog, shop: Path) -> None:
    def lost(question: str, sql: str, outcome: object) -> str:
        shop.unlink(missing_ok=True)
        return "Look again."

    model.enqueue("sql", NAMES)
    with pytest.raises(DatabaseUnavailable, match="there is no file"):
        await build_graph(model, catalog, checks=[lost]).ainvoke(QUESTION)


async def test_many_questions_at_once_share_few_connections(model: ScriptedModel, shop: Path) -> None:
    database = SQLiteDatabase("shop", shop, Limits(seconds=30), workers=2)
    async with Catalog({"shop": database}) as catalog:
        model.enqueue("sql", *[NAMES] * 64)
        graph = build_graph(model, catalog)
        answers = await asyncio.gather(*(graph.ainvoke(QUESTION, context=SINGLE) for _ in range(64)))
        assert sum(thread.name.startswith("sqlite-shop") for thread in threading.enumerate()) == 2
    assert [(answer["status"], answer["row_count"]) for answer in answers] == [("ok", 2)] * 64


async def test_endless_queries_do_not_starve_the_questions_behind_them(model: ScriptedModel, shop: Path) -> None:
    endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r"
    database = SQLiteDatabase("shop", shop, Limits(seconds=0.2), workers=2)
    async with Catalog({"shop": database}) as catalog:
        model.enqueue("sql", *[endless] * 6, *[NAMES] * 6)
        graph = build_graph(model, catalog)
        answers = await asyncio.gather(*(graph.ainvoke(QUESTION, context=SINGLE) for _ in range(12)))
    assert sorted(answer["status"] for answer in answers) == ["ok"] * 6 + ["timeout"] * 6


BYTES = b"GGUF" + bytes(range(256)) * 1_200
ENTRY = ModelEntry(
    name="demo",
    title="a demo",
    file="model.gguf",
    sources=(HubFile("someone/model", "main", "model.gguf"),),
    size=len(BYTES),
    sha256=hashlib.sha256(BYTES).hexdigest(),
    licence="Apache-2.0",
    profile=Profile(context=512),
)
PARTIAL = f"{ENTRY.file}.{ENTRY.sha256[:12]}.partial"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """The address of the model's file on a server of our own."""
    (folder := tmp_path / "hub").mkdir()
    (folder / ENTRY.file).write_bytes(BYTES)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{ENTRY.file}"
    server.shutdown()
    thread.join()
    server.server_close()


def store(cache: Path, url: str) -> ModelStore:
    def opened(place: object) -> FileSource:
        assert isinstance(place, HubFile)
        return HubSource(place, url=url)

    return ModelStore(cache, {"demo": ENTRY}, open_source=opened)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full, the disk that is always full")
def test_a_disk_that_is_full_is_said_and_leaves_nothing_that_counts(tmp_path: Path, hub: str) -> None:
    cache = tmp_path / "cache"
    (cache / PARTIAL).mkdir(parents=True)
    (cache / PARTIAL / "hub.part").symlink_to("/dev/full")
    with pytest.raises(ModelUnavailable, match=r"The model cache .*cache can't be used: .*No space left on device"):
        store(cache, hub).resolve("demo")
    assert not store(cache, hub).cached("demo")
    assert not (cache / ENTRY.file).exists()
    (cache / PARTIAL / "hub.part").unlink()  # there is space again
    assert store(cache, hub).resolve("demo").path.read_bytes() == BYTES


def test_a_file_that_may_not_grow_is_said_and_the_rest_is_fetched_later(tmp_path: Path, hub: str) -> None:
    cache = tmp_path / "cache"
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from pathlib import Path; import test_faults\n"
        f"test_faults.store(Path({str(cache)!r}), {hub!r}).resolve('demo')"
    )
    limited = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert limited.returncode == 1
    assert "ModelUnavailable: The model cache" in limited.stderr and "File too large" in limited.stderr
    assert not (cache / ENTRY.file).exists()
    assert not store(cache, hub).cached("demo")
    assert 0 < (cache / PARTIAL / "hub.part").stat().st_size <= 100_000
    assert store(cache, hub).resolve("demo").path.read_bytes() == BYTES


async def test_of_several_servers_one_answers_a_database_and_the_ledger_names_it(catalog: Catalog) -> None:
    stubs = [ChatStub(otherwise=completion(NAMES)) for _ in range(3)]
    chat = ChatTGI(base_url=[stub.url for stub in stubs], model="m")
    graph = build_graph(chat, catalog)
    first = await graph.ainvoke(QUESTION, context=Context(strategy="paper"))
    served = [call["server"] for call in first["ledger"]]
    assert len(served) > 2 and len(set(served)) == 1
    own = next(stub for stub in stubs if stub.url.endswith(served[0]))
    own.close()
    second = await graph.ainvoke(QUESTION, context=Context(strategy="paper"))
    assert second["status"] == "ok"
    others = {call["server"] for call in second["ledger"]}
    assert len(others) == 1 and others != {served[0]}
    # Streamed to a reader, as Studio does: the database still decides.
    async for _ in graph.astream(QUESTION, context=Context(strategy="paper"), stream_mode="messages"):
        pass
    assert sum(bool(stub.bodies) for stub in stubs) == 2
    for stub in stubs:
        if stub is not own:
            stub.close()
