"""The protocol server over streamable HTTP: the SDK's client, and requests as a hostile page sends them."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from support.protocol_databases import PETS, make_databases, scripted, served

from route_sql import Catalog
from route_sql.access.keys import Callers, read_callers
from route_sql.access.listening import hosts_of, listening, require_safe
from route_sql.access.request_body import BODY_SECONDS
from route_sql.mcp.callers import owner
from route_sql.mcp.http import PATH, SESSIONS, caller_of_request, http_app
from route_sql.mcp.server import build_server
from route_sql.testing import ScriptedModel
from route_sql.tools.errors import InvalidInput

ANALYST, GUEST = "analyst-token-0123456789", "guest-token-0123456789ab"
ENVIRON = {"ANALYST_TOKEN": ANALYST, "GUEST_TOKEN": GUEST}
CALLERS = """
[callers.analyst]
token = "${ANALYST_TOKEN}"
hide = ["owner.phone"]

[callers.guest]
token = "${GUEST_TOKEN}"
allow = ["pets:pet"]
"""
LISTING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
BEGAN = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = {"Accept": "application/json, text/event-stream"}
ASKED = {"question": "Which pets are there?", "database": "pets"}
MODES = ("auto", "legacy")


class Hanging(ScriptedModel):
    """A model that never answers and counts the calls that were stopped."""

    asked: asyncio.Event = asyncio.Event()
    stopped: asyncio.Event = asyncio.Event()

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        self.asked.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.stopped.set()
            raise


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return make_databases(tmp_path)


@asynccontextmanager
async def serving(
    catalog: Path,
    callers: Callers | None = None,
    model: ScriptedModel | None = None,
    body_seconds: float = BODY_SECONDS,
) -> AsyncIterator[str]:
    """The URL of a server in this process."""
    with listening("127.0.0.1", 0) as opened:
        port = opened.getsockname()[1]
        async with Catalog.from_toml(catalog) as databases:
            server = build_server(model or scripted(), databases, caller_of=caller_of_request)
            hosts, origins = hosts_of("127.0.0.1", port), ["https://app.example"]
            app = http_app(server, hosts, origins, callers or Callers({}), body_seconds)
            running = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
            task = asyncio.create_task(running.serve(sockets=[opened]))
            while not running.started:
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{port}{PATH}"
            running.should_exit = True
            await task


@asynccontextmanager
async def connected(url: str, token: str | None = None, mode: Any = "auto") -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return dict(result.structured_content or {})


async def posted(url: str, body: Any = None, **headers: str) -> int:
    async with httpx2.AsyncClient() as http:
        sent = {"Content-Type": "application/json", **ACCEPT, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return (await http.post(url, json=LISTING if body is None else body, headers=sent)).status_code


@pytest.mark.parametrize("mode", MODES)
async def test_all_tools_resources_and_progress(catalog: Path, mode: str) -> None:
    reported: list[str] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        reported.append(message or "")

    async with serving(catalog) as url, connected(url, mode=mode) as client:
        answer: Any = (await client.call_tool("ask", ASKED, progress_callback=tell)).structured_content
        assert answer["status"] == "ok" and answer["rows"] == [["Rex", "dog"], ["Mia", "cat"]]
        assert (await call(client, "check", sql=PETS, database="zoo"))["allowed"]
        assert (await call(client, "execute", sql="DELETE FROM pet", database="zoo"))["status"] == "refused"
        assert "phone" in (await call(client, "schema", database="pets"))["schema"]
        assert (await client.read_resource("schema://zoo")).contents
    assert any(line.startswith("execute:") for line in reported)


@pytest.mark.parametrize("mode", MODES)
async def test_a_key_decides_what_is_seen_in_every_tool_and_resource(catalog: Path, mode: str) -> None:
    catalog.write_text(catalog.read_text() + CALLERS)
    callers = read_callers(catalog, ENVIRON)
    phones = "SELECT phone FROM owner"
    async with (
        serving(catalog, callers) as url,
        connected(url, ANALYST, mode) as analyst,
        connected(url, GUEST, mode) as guest,
    ):
        for client, hidden in ((analyst, "phone"), (guest, "owner")):
            assert hidden not in (await call(client, "schema", database="pets"))["schema"]
            assert hidden not in str(await client.read_resource("schema://pets"))
            assert not (await call(client, "check", sql=phones, database="pets"))["allowed"]
            outcome = await call(client, "execute", sql=phones, database="pets")
            assert outcome["status"] in ("error", "refused") and "555" not in str(outcome)
        assert (await call(analyst, "execute", sql="SELECT name FROM owner", database="zoo"))["rows"] == [["Ada"]]
        for tool, more in (("schema", {}), ("execute", {"sql": "SELECT 1"}), ("check", {"sql": "SELECT 1"})):
            assert (await guest.call_tool(tool, {"database": "zoo", **more})).is_error
        assert (await guest.call_tool("ask", {**ASKED, "database": "zoo"})).is_error
        with pytest.raises(MCPError):
            await guest.read_resource("schema://zoo")
        assert (await call(guest, "ask", **ASKED))["status"] == "ok"


async def test_no_request_without_a_right_key_is_answered(catalog: Path) -> None:
    catalog.write_text(catalog.read_text() + CALLERS)
    async with serving(catalog, read_callers(catalog, ENVIRON)) as url:
        for given in ({}, *({"Authorization": each} for each in ("Bearer x", "Bearer", f"Basic {GUEST}", GUEST))):
            assert await posted(url, **given) == 401
            assert await posted(f"{url}/../anything", **given) == 401
        assert await posted(url, Authorization=f"Bearer {GUEST}") != 401


async def test_a_session_belongs_to_the_key_that_began_it(catalog: Path) -> None:
    catalog.write_text(catalog.read_text() + CALLERS)
    async with serving(catalog, read_callers(catalog, ENVIRON)) as url, httpx2.AsyncClient(headers=ACCEPT) as http:
        first = await http.post(url, json=BEGAN, headers={"Authorization": f"Bearer {ANALYST}"})
        session = {"Mcp-Session-Id": first.headers["mcp-session-id"]}
        stolen = await http.post(url, json=LISTING, headers={"Authorization": f"Bearer {GUEST}", **session})
        assert first.status_code == 200 and stolen.status_code == 404


async def test_a_caller_with_all_its_sessions_leaves_those_of_others(catalog: Path) -> None:
    catalog.write_text(catalog.read_text() + CALLERS)
    async with serving(catalog, read_callers(catalog, ENVIRON)) as url, httpx2.AsyncClient(headers=ACCEPT) as http:
        greedy, other = ({"Authorization": f"Bearer {token}"} for token in (GUEST, ANALYST))
        given = [(await http.post(url, json=BEGAN, headers=greedy)).status_code for _ in range(SESSIONS + 1)]
        assert given == [200] * SESSIONS + [503]
        assert (await http.post(url, json=BEGAN, headers=other)).status_code == 200


async def test_a_body_that_comes_too_slowly_is_refused(catalog: Path) -> None:
    async with serving(catalog, body_seconds=0.2) as url:
        port = int(url.split(":")[2].partition("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        reply = (await asyncio.wait_for(reader.read(), 30)).decode()
        writer.close()
    assert reply.startswith("HTTP/1.1 400") and "longer than 0.2 seconds" in reply


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost:80@evil.example", ""])
async def test_a_page_that_points_its_name_at_loopback_is_refused(catalog: Path, host: str) -> None:
    async with serving(catalog) as url:
        assert await posted(url, Host=host) == 421
        port = url.split(":")[2].partition("/")[0]
        assert await posted(url, Host=f"LOCALHOST:{port}") != 421


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://app.example.evil"])
async def test_pages_of_other_origins_are_refused(catalog: Path, origin: str) -> None:
    async with serving(catalog) as url:
        assert await posted(url, Origin=origin) == 403
        assert await posted(url, Origin="https://app.example") not in (403, 421)


@pytest.mark.parametrize("keys", ["", CALLERS])
async def test_a_browser_lets_an_allowed_page_call(catalog: Path, keys: str) -> None:
    catalog.write_text(catalog.read_text() + keys)
    page = {"Origin": "https://app.example"}
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,mcp-session-id"}
    async with serving(catalog, read_callers(catalog, ENVIRON)) as url, httpx2.AsyncClient(headers=ACCEPT) as http:
        allowed = await http.options(url, headers={**page, **asks})
        assert allowed.status_code == 200 and "Mcp-Session-Id" in allowed.headers["access-control-allow-headers"]
        began = await http.post(url, json=BEGAN, headers={**page, "Authorization": f"Bearer {GUEST}"})
        assert began.status_code == 200 and "Mcp-Session-Id" in began.headers["access-control-expose-headers"]
        refused = await http.post(url, json=BEGAN, headers=page)
        assert refused.status_code == (401 if keys else 200)
        assert {each.headers["access-control-allow-origin"] for each in (allowed, began, refused)} == set(page.values())
        for unasked in ({}, page, asks):  # no question of a browser: the key is needed
            assert (await http.options(url, headers=unasked)).status_code == (401 if keys else 405)
        evil = await http.options(url, headers={**asks, "Origin": "https://evil.example"})
        assert evil.status_code == 403 and "access-control-allow-origin" not in evil.headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
async def test_bodies_that_a_page_may_send_unasked_are_refused(catalog: Path, kind: str) -> None:
    async with serving(catalog) as url:
        assert await posted(url, Content_Type=kind) == 415


async def test_hostile_bodies_get_an_error_and_the_server_lives(catalog: Path) -> None:
    async with serving(catalog) as url:
        for body in ([], {}, "x", {"jsonrpc": "2.0"}, [LISTING] * 50, {**LISTING, "params": {"a": "x" * 300_000}}):
            assert 400 <= await posted(url, body) < 500
        async with connected(url) as client:
            assert (await call(client, "check", sql=PETS, database="pets"))["allowed"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_cancelled_question_stops_and_others_are_answered(catalog: Path, mode: str) -> None:
    model = Hanging(history=[], asked=asyncio.Event(), stopped=asyncio.Event())
    async with serving(catalog, model=model) as url, connected(url, mode=mode) as one, connected(url) as other:
        async with anyio.create_task_group() as group:
            group.start_soon(one.call_tool, "ask", ASKED)
            await asyncio.wait_for(model.asked.wait(), 20)
            assert (await call(other, "execute", sql=PETS, database="pets"))["status"] == "ok"
            group.cancel_scope.cancel()
        await asyncio.wait_for(model.stopped.wait(), 20)
        assert (await call(one, "check", sql=PETS, database="pets"))["allowed"]


async def test_a_client_that_goes_away_in_the_middle_frees_the_model(catalog: Path) -> None:
    model = Hanging(history=[], asked=asyncio.Event(), stopped=asyncio.Event())
    async with serving(catalog, model=model) as url:
        leaving = asyncio.create_task(_asked(url))
        await asyncio.wait_for(model.asked.wait(), 20)
        leaving.cancel()
        await asyncio.wait([leaving])
        await asyncio.wait_for(model.stopped.wait(), 20)
        async with connected(url) as client:
            assert (await call(client, "schema", database="pets"))["database"] == "pets"


async def _asked(url: str) -> None:
    async with connected(url) as client:
        await client.call_tool("ask", ASKED)


async def test_two_clients_at_once_get_their_own_answers(catalog: Path) -> None:
    async with serving(catalog) as url, connected(url) as one, connected(url, mode="legacy") as other:
        asked = [
            call(client, "ask", **{**ASKED, "database": name}) for client in (one, other) for name in ("pets", "zoo")
        ]
        answers = await asyncio.gather(*asked)
        assert [answer["rows"][0][1] for answer in answers] == ["dog", "lion", "dog", "lion"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "sql.example", ""])
def test_without_keys_only_loopback(host: str) -> None:
    with pytest.raises(InvalidInput, match="callers"):
        require_safe(host, Callers({}))
    require_safe(host, Callers({ANALYST: owner(None)}))
    require_safe("127.0.0.1", Callers({}))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('token = "plain-text-token-in-a-file"', "environment"),
        ('token = "${SHORT}"', "16"),
        ('token = "${UNSET}"', "UNSET"),
        ("hide = []", "needs a token"),
        ('token = "${ANALYST_TOKEN}"\nhide = "owner"', "list"),
        ('token = "${ANALYST_TOKEN}"\nhides = ["owner"]', "nothing else"),
    ],
)
def test_a_wrong_caller_is_an_error_that_says_what_to_do(catalog: Path, entry: str, said: str) -> None:
    catalog.write_text(f"[callers.analyst]\n{entry}\n")
    with pytest.raises(InvalidInput, match=said):
        read_callers(catalog, {**ENVIRON, "SHORT": "abc"})


def test_two_callers_with_one_key_are_refused(catalog: Path) -> None:
    catalog.write_text(CALLERS)
    with pytest.raises(InvalidInput, match="same key"):
        read_callers(catalog, {"ANALYST_TOKEN": ANALYST, "GUEST_TOKEN": ANALYST})


async def test_the_command_serves_http_and_ends_when_it_is_asked_to(catalog: Path) -> None:
    started = served(catalog, "http://127.0.0.1:9", "--http", "--port", "0")
    with subprocess.Popen(
        [started.command, *started.args], env={**os.environ, **(started.env or {})}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = await asyncio.to_thread(process.stdout.readline)
            async with connected(line.split()[1]) as client:
                assert (await call(client, "execute", sql=PETS, database="pets"))["rows"][0] == ["Rex", "dog"]
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 20)
        finally:
            process.kill()
    assert "everyone on this machine" in line
