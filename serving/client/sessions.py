"""HTTP sessions and queues by event loop."""

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx2

from route_sql.serving.errors import ServerRefused
from route_sql.tools.loop_thread import LoopThread

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def open_http_session(base_url: str) -> httpx2.AsyncClient:
    """An HTTP session for one server. It reads files (certificates), so it must not run on an event loop.

    Raises:
        ServerRefused: the environment names a proxy or certificates that can't be used.
    """
    try:
        return _http_session(is_local=urlsplit(base_url).hostname in _LOOPBACK)
    except (httpx2.InvalidURL, ValueError, ImportError, OSError) as error:
        raise ServerRefused(
            f"No request can be sent to the model server: {error}. Check the environment's settings of proxies and "
            "certificates: ALL_PROXY, HTTP_PROXY, HTTPS_PROXY, SSL_CERT_FILE and SSL_CERT_DIR."
        ) from error


def _http_session(*, is_local: bool) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        # A proxy named in the environment can't reach our loopback.
        trust_env=not is_local,
        # Loopback connections cost nothing; one that is not kept can't go stale or outlive its event loop.
        limits=httpx2.Limits(max_keepalive_connections=0 if is_local else 20),
        timeout=None,
        # A cookie would tell the server which calls belong together, and grow with each answer.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
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

    async def of_this_loop(self) -> tuple[httpx2.AsyncClient, asyncio.Semaphore]:
        """The running loop's session and queue.

        Raises:
            ServerRefused: the environment names a proxy or certificates that can't be used.
        """
        connections = self._of_this_loop()
        try:
            return await asyncio.shield(connections.opening), connections.turns
        except ServerRefused:
            self._connections.pop(asyncio.get_running_loop(), None)  # the next call looks at the environment again
            raise

    def once(self) -> asyncio.Lock:
        """The running loop's lock for a request that is made once."""
        return self._of_this_loop().once

    def _of_this_loop(self) -> _LoopConnections:
        loop = asyncio.get_running_loop()
        with self._lock:
            for closed in [known for known in self._connections if known.is_closed()]:
                del self._connections[closed]
            if loop not in self._connections:
                opening = loop.create_task(asyncio.to_thread(open_http_session, self._base_url))
                self._connections[loop] = _LoopConnections(
                    opening, asyncio.Semaphore(self._concurrency), asyncio.Lock()
                )
            return self._connections[loop]

    async def aclose(self) -> None:
        """Close the running loop's session; the next call opens another."""
        with self._lock:
            connections = self._connections.pop(asyncio.get_running_loop(), None)
        if connections is not None:
            with suppress(ServerRefused):  # then nothing was opened
                await (await connections.opening).aclose()


SYNC_CALLS = LoopThread("route-sql chat")
