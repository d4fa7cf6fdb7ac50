"""The HTTP app over a real server on loopback, with a scripted model."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from langchain_core.language_models import BaseChatModel
from support.protocol_databases import make_databases, scripted

from route_sql import Catalog, Context
from route_sql.access.keys import read_callers
from route_sql.access.listening import ClosingServer, hosts_of, listening
from route_sql.api.app import build_app
from route_sql.api.envelope import Served
from route_sql.api.service import Service, ServiceLimits
from route_sql.api.threads.checkpoints import open_threads
from route_sql.graph.extensions.audit import AuditLog
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel

PLAIN = Context(seconds=60, strategy="single")
ASKED = {"question": "Which pets are there?", "database": "pets"}
APPROVING = {**ASKED, "options": {"approve": True}}
STREAM = {"Accept": "text/event-stream"}
ORIGIN = "https://app.example"
ANALYST, GUEST = "analyst-token-0123456789", "guest-token-0123456789ab"
CALLERS = f"""
[callers.analyst]
token = "${{ANALYST_TOKEN}}"
hide = ["owner.phone"]

[callers.guest]
key_sha256 = "{sha256(GUEST.encode()).hexdigest()}"
allow = ["pets:pet"]
"""
KEYS: dict[str, Any] = {"callers": CALLERS, "environ": {"ANALYST_TOKEN": ANALYST}}
NOWHERE = "0" * 32
OPEN = ("/", "/health", "/ready", "/metrics", "/openapi.json")


class Hanging(ScriptedModel):
    """A model that answers when it is released, and counts the calls that were stopped."""

    asked: asyncio.Event
    released: asyncio.Event
    stopped: asyncio.Event

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        self.asked.set()
        try:
            await asyncio.wait_for(self.released.wait(), 60)
        except asyncio.CancelledError:
            self.stopped.set()
            raise
        return await super()._agenerate(*args, **kwargs)


def hanging() -> Hanging:
    """A model that writes the same query for each question, once it is released."""
    made = scripted()
    return Hanging(
        history=[], otherwise=made.otherwise, asked=asyncio.Event(), released=asyncio.Event(), stopped=asyncio.Event()
    )


@dataclass
class Running:
    """A server that runs, and its clients."""

    url: str
    service: Service
    server: ClosingServer
    seen: list[Served]

    def client(self, token: str | None = None, **headers: str) -> httpx2.AsyncClient:
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **headers}
        return httpx2.AsyncClient(base_url=self.url, headers=sent, timeout=30)


@asynccontextmanager
async def serving_api(
    folder: Path,
    model: BaseChatModel | None = None,
    *,
    callers: str = "",
    environ: Mapping[str, str] | None = None,
    context: Context = PLAIN,
    limits: ServiceLimits | None = None,
    threads: str | Path | None = None,
    closing_seconds: int = 1,
    audit: AuditLog | None = None,
) -> AsyncIterator[Running]:
    """A server in this process; a folder that was used before keeps its databases and threads."""
    toml = folder / "databases.toml"
    if not toml.exists():
        make_databases(folder)
    databases = toml.read_text().partition("[callers")[0]
    toml.write_text(f"{databases}{callers}")
    place = threads or folder / "data" / "threads.sqlite"
    async with Catalog.from_toml(toml) as catalog, open_threads(place) as (saver, store):
        graph = build_graph(model or scripted(), catalog, checkpointer=saver, audit=audit)
        service = Service(catalog, catalog.names(), graph, store, context, limits or ServiceLimits(per_minute=0))
        with listening("127.0.0.1", 0) as opened:
            port = opened.getsockname()[1]
            seen: list[Served] = []
            known = read_callers(toml, environ or {})
            app = build_app(service, hosts_of("127.0.0.1", port), [ORIGIN], known, seen.append)
            config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=closing_seconds)
            server = ClosingServer(config, service.close)
            task = asyncio.create_task(server.serve(sockets=[opened]))
            while not server.started:
                await asyncio.sleep(0.01)
            try:
                yield Running(f"http://127.0.0.1:{port}", service, server, seen)
            finally:
                server.should_exit = True
                await task
                await service.finish()


def events_in(text: str) -> list[tuple[str, Any]]:
    """The events of a stream, without its comments."""
    parts = [part.split("\n") for part in text.split("\n\n") if part and not part.startswith(":")]
    return [(lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))) for lines in parts]


def host_of(running: Running) -> str:
    return running.url.partition("//")[2]


async def raw(running: Running, *lines: str, body: bytes = b"") -> tuple[int, bytes]:
    """The answer to a request as it is written here."""
    host, port = host_of(running).split(":")
    reader, writer = await asyncio.open_connection(host, int(port), family=socket.AF_INET)
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return int(answer.split()[1]), answer
