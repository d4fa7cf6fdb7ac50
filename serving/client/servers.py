"""One or several servers behind one name: the choice of a server, and pauses for servers that fail.

Requests with the same key go to the same server, so that its prefix cache stays warm. A server that fails gets a pause;
its requests go to the others in the meantime. Afterwards one request tries it again.
"""

import hashlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from route_sql.serving.client.bounds import Allowance, Bounds
from route_sql.serving.client.completion_parts import Part
from route_sql.serving.client.completions import Completions
from route_sql.serving.client.failures import WorthRetrying, all_failed
from route_sql.serving.client.served_model import UNNAMED, ServedModel
from route_sql.serving.errors import ServerRefused

FIRST_REST = 1.0
"""Seconds for which a server is left alone after its first failure; each further one doubles them."""
LONGEST_REST = 30.0
TRIAL_SECONDS = 2.0
"""Seconds that a server has to answer a short request when it comes back."""
CONFLICT = 409
_OUT_OF_MEMORY = 424


class Server:
    """One server and its recent failures."""

    def __init__(self, completions: Completions) -> None:
        """Begin without failures."""
        self.completions = completions
        self._failures = 0
        self._rests_until = 0.0
        self._is_on_trial = False

    @property
    def shown(self) -> str:
        """Host and port."""
        return urlsplit(self.completions.base_url).netloc.rpartition("@")[2]

    def weight(self, key: str) -> bytes:
        """The rank of this server for a key; the highest one has the key (rendezvous hashing).

        When a server leaves, only its own keys move, and they come back to it.
        """
        return hashlib.sha256(f"{self.completions.root}\n{key}".encode(errors="replace")).digest()

    async def is_fit(self) -> bool:
        """Whether it may be asked: it has not failed lately, or its rest is over and it answers a short request.

        While one request tries a server again, the others go elsewhere.
        """
        if not self._failures:
            return True
        if self._is_on_trial or time.monotonic() < self._rests_until:
            return False
        self._is_on_trial = True
        try:
            self._is_on_trial = await self.completions.is_alive(TRIAL_SECONDS)
        except BaseException:  # a cancelled call must not keep the server on trial forever
            self._is_on_trial = False
            raise
        if not self._is_on_trial:
            self.failed()
        return self._is_on_trial

    def failed(self, retry_after: float = 0.0) -> None:
        """Pause the server, longer after each failure; requests that fail together count once."""
        now = time.monotonic()
        if now >= self._rests_until:
            self._failures += 1
        seconds = min(LONGEST_REST, FIRST_REST * 2 ** min(self._failures - 1, 10))
        self._rests_until = now + max(seconds, min(retry_after, LONGEST_REST))

    def answered(self) -> None:
        """Forget its failures."""
        self._failures, self._rests_until = 0, 0.0

    def end_trial(self) -> None:
        """Let the next request try it, if it has not answered."""
        self._is_on_trial = False


class _TriedServers:
    """The servers that one call tries, in their order."""

    def __init__(self, servers: Sequence[Server], key: str, allowance: Allowance) -> None:
        self._allowance = allowance
        self._servers = sorted(servers, key=lambda server: server.weight(key), reverse=True)
        self._left = list(self._servers)
        self._failures: list[WorthRetrying] = []
        self._refusals: list[tuple[Server, ServerRefused]] = []

    async def server(self) -> Server:
        """The server to ask next: the first that is fit and has room, else the first that is fit, else the first."""
        if len(self._servers) == 1:
            return self._servers[0]
        for server in self._left:
            if not await server.completions.is_full() and await server.is_fit():
                return server
        for server in self._left:
            if await server.is_fit():
                return server
        return self._left[0]

    async def failed(self, server: Server, failure: WorthRetrying) -> None:
        """Turn to the next server; after the last one, wait and begin again.

        Raises:
            ServingError: patience has ended.
        """
        server.failed(failure.retry_after)
        self._failures.append(failure)
        self._left.remove(server)
        if self._left:
            return
        if self._refusals:
            raise self._refusals[0][1]
        await self._allowance.pause(all_failed(self._failures))
        self._left, self._failures = list(self._servers), []

    def refused(self, server: Server, refusal: ServerRefused) -> None:
        """Turn to the next server if the refusal may be a fault of this one alone.

        Raises:
            ServerRefused: it is not, or no server is left.
        """
        self._refusals.append((server, refusal))
        self._left.remove(server)
        if not _may_be_broken(refusal):
            raise refusal
        if not self._left:
            raise self._refusals[0][1]

    def answered(self, server: Server) -> None:
        """Note who answered; a server that refused the same request is broken."""
        server.answered()
        for other, _ in self._refusals:
            other.failed()


class Servers:
    """Servers of one model, asked as if they were one."""

    def __init__(self, urls: Sequence[str], api_key: str | None, bounds: Bounds, concurrency: int) -> None:
        """`urls` with or without `/v1`; of each server, requests of one event loop beyond `concurrency` wait."""
        each = [Completions(url, api_key, bounds, concurrency) for url in urls]
        self._servers = [Server(one) for one in {one.root: one for one in each}.values()]
        self._bounds = bounds
        self._name: tuple[str, str] | None = None
        """The served model's name, and the server that named it first."""

    @property
    def are_several(self) -> bool:
        """Whether there is more than one."""
        return len(self._servers) > 1

    async def create(self, body: dict[str, Any], key: str) -> Part:
        """The whole completion; calls with the same key go to the same server while it is fit.

        Raises:
            ServingError: when a server refuses, or patience ends.
        """
        async with aclosing(self.stream(body, key)) as parts:
            return await anext(parts)

    async def stream(self, body: dict[str, Any], key: str) -> AsyncGenerator[Part]:
        """The completion's parts as they come; once there was a part, a failure is final.

        A body whose `model` is None asks for the servers' own.

        Raises:
            ServingError: when a server refuses, or patience ends.
        """
        allowance = Allowance(self._bounds)
        call = _TriedServers(self._servers, key, allowance)
        delivered = False
        while True:
            server = await call.server()
            try:
                async with aclosing(self._parts(server, body, allowance)) as parts:
                    async for part in parts:
                        if not delivered:
                            call.answered(server)
                        delivered = True
                        yield part
                return
            except WorthRetrying as failure:
                if delivered:
                    server.failed()
                    raise failure.final from failure.__cause__
                await call.failed(server, failure)
            except ServerRefused as refusal:
                if delivered:
                    raise
                call.refused(server, refusal)
            finally:
                server.end_trial()

    async def served_model(self) -> ServedModel:
        """The model that the first server which answers says it has; tried again while none is ready.

        Raises:
            ServerUnavailable: none can be reached, or patience ends.
        """
        allowance = Allowance(self._bounds)
        call = _TriedServers(self._servers, "", allowance)
        while True:
            server = await call.server()
            try:
                return await server.completions.served_model(allowance)
            except WorthRetrying as failure:
                await call.failed(server, failure)
            finally:
                server.end_trial()

    async def aclose(self) -> None:
        """Close the sessions of the running event loop."""
        for server in self._servers:
            await server.completions.aclose()

    async def _parts(self, server: Server, body: dict[str, Any], allowance: Allowance) -> AsyncGenerator[Part]:
        if body["model"] is None:
            name = (await server.completions.served_model(allowance)).name
            if name is not None:
                self._require_same(server, name)
            body = body | {"model": name or UNNAMED}
        shown = server.shown if self.are_several else None
        async with aclosing(server.completions.stream(body, allowance)) as parts:
            async for part in parts:
                yield replace(part, server=shown)

    def _require_same(self, server: Server, name: str) -> None:
        """Check that all servers name the same model: else the answer would depend on who is asked."""
        self._name = self._name or (name, server.shown)
        first, where = self._name
        if name != first:
            raise ServerRefused(
                f"The model servers name different models: {where} has {first[:200]!r}, {server.shown} has "
                f"{name[:200]!r}. Serve one model under one name (--served-model-name), or say which one to ask for "
                "(ROUTE_SQL_SERVER_MODEL).",
                status=CONFLICT,
            )


def _may_be_broken(refusal: ServerRefused) -> bool:
    """Whether another server may answer the same request: this one failed, or sent no completion."""
    return refusal.status is None or refusal.status >= 500 or refusal.status == _OUT_OF_MEMORY
