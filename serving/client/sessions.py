"""HTTP sessions and queues by event loop, and a loop of our own for callers that have none."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2

T = TypeVar("T")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def open_session(base_url: str) -> httpx2.AsyncClient:
    """An HTTP session for one server. It reads files (certificates), so it must not run on an event loop."""
    url = urlsplit(base_url)
    local = url.hostname in _LOOPBACK
    return httpx2.AsyncClient(
        # A proxy named in the environment can't reach our loopback.
        trust_env=not local,
        # Loopback connections cost nothing; one that is not kept can't go stale or outlive its event loop.
        limits=httpx2.Limits(max_keepalive_connections=0 if local else 20),
        timeout=None,
        follow_redirects=False,  # the key and the prompt go to the address that was given, and nowhere else
    )


@dataclass
class _LoopConnections:
    """The HTTP session, the queue and the lock of one event loop."""

    opening: asyncio.Task[httpx2.AsyncClient]
    turns: asyncio.Semaphore
    once: asyncio.Lock
    """Held while a request is made whose answer all calls need."""


class Sessions:
    """One session and one queue for each event loop that calls, since neither may cross loops."""

    def __init__(self, base_url: str, concurrency: int) -> None:
        """At most `concurrency` requests of one event loop are under way; the others wait their turn."""
        self._base_url = base_url
        self._concurrency = concurrency
        self._connections: dict[asyncio.AbstractEventLoop, _LoopConnections] = {}
        self._lock = threading.Lock()

    async def here(self) -> tuple[httpx2.AsyncClient, asyncio.Semaphore]:
        """The running loop's session and queue."""
        connections = self._here()
        return await asyncio.shield(connections.opening), connections.turns

    def once(self) -> asyncio.Lock:
        """The running loop's lock for a request that is made once."""
        return self._here().once

    def _here(self) -> _LoopConnections:
        loop = asyncio.get_running_loop()
        with self._lock:
            for closed in [known for known in self._connections if known.is_closed()]:
                del self._connections[closed]
            if loop not in self._connections:
                opening = loop.create_task(asyncio.to_thread(open_session, self._base_url))
                self._connections[loop] = _LoopConnections(
                    opening, asyncio.Semaphore(self._concurrency), asyncio.Lock()
                )
            return self._connections[loop]

    async def aclose(self) -> None:
        """Close the running loop's session; the next call opens another."""
        with self._lock:
            connections = self._connections.pop(asyncio.get_running_loop(), None)
        if connections is not None:
            await (await connections.opening).aclose()


class LoopThread:
    """An event loop in a daemon thread, so that synchronous calls work wherever they are made."""

    def __init__(self) -> None:
        """Prepare the thread; the first call starts it."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; an interrupted wait cancels it."""
        future = self._submit(work)
        try:
            return future.result()
        finally:
            future.cancel()

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """The items as they come; leaving early cancels the rest."""
        arrived: queue.SimpleQueue[list[T]] = queue.SimpleQueue()

        async def pump() -> None:
            async for item in items:
                arrived.put([item])

        future = self._submit(pump())
        future.add_done_callback(lambda _: arrived.put([]))
        try:
            while item := arrived.get():
                yield item[0]
            future.result()
        finally:
            future.cancel()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            # After a fork the thread is gone, though the object is there.
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="route-sql chat", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)


SYNC_CALLS = LoopThread()
