"""Connections on which no request begins."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from route_sql.access.connections import PunctualProtocol
from route_sql.access.listening import listening


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer after the time in which a request must begin."""
    if scope["type"] == "http":
        await asyncio.sleep(1.5)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        await send({"type": "http.response.body", "body": b"x"})


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with more than a connection can hold unread."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 50_000_000})


class Impatient(PunctualProtocol):
    unread_seconds = 1.0
    flush_seconds = 1.0


@asynccontextmanager
async def serving(app: ASGIApp = slow) -> AsyncIterator[int]:
    with listening("127.0.0.1", 0) as opened:
        config = uvicorn.Config(app, http=Impatient, log_level="critical", timeout_keep_alive=1, lifespan="off")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[opened]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield opened.getsockname()[1]
        finally:
            server.should_exit = True
            await task


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n"])
async def test_a_silent_or_dripping_connection_is_closed(sent: bytes) -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        began = time.monotonic()
        reading = asyncio.create_task(reader.read())
        while sent and not reading.done() and time.monotonic() - began < 10:
            writer.write(b"X: a\r\n")
            await asyncio.sleep(0.2)
        await asyncio.wait_for(asyncio.gather(reading, return_exceptions=True), 10)  # TimeoutError if it stays open
        writer.close()


async def test_a_slow_answer_and_a_second_request_are_not_cut_off() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 200") and await reader.readexactly(1) == b"x"
        assert await asyncio.wait_for(reader.read(), 10) == b"", "an idle connection ends too"
        writer.close()


async def test_a_client_that_reads_nothing_loses_its_connection() -> None:
    async with serving(large) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(4)
        read = 0
        with suppress(ConnectionError):
            while part := await asyncio.wait_for(reader.read(1_000_000), 10):
                read += len(part)
        assert read < 50_000_000
        writer.close()
