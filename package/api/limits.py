"""Limits of the API: bytes and seconds of a body, requests of a caller per minute, and questions at the same time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import ceil
from time import monotonic

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from route_sql.api.errors import CLOSING, RETRY, ApiError, error_answer

BODY_BYTES = 256 * 1024
BODY_SECONDS = 10.0
"""Seconds that a client may take to send a body."""
FULL = "Too many questions are waiting; ask again in a moment."


@dataclass(frozen=True)
class BoundedBody:
    """Reads the body of a request before it is handled, or refuses it.

    Args:
        app: The application behind it.
        most: Bytes of a body at most.
        seconds: Seconds that it may take to arrive.
    """

    app: ASGIApp
    most: int = BODY_BYTES
    seconds: float = BODY_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.seconds):
                body = await self._read(scope, receive)
        except TimeoutError:
            error = ApiError(400, f"The body took longer than {self.seconds:g} seconds to arrive; send it again.")
        except ApiError as refused:
            error = refused
        else:
            if body is not None:
                await self.app(scope, _again(body, receive), send)
            return
        # The rest of the body would be read as the next request.
        error.headers["Connection"] = "close"
        await error_answer(error, scope)(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None if the client left."""
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self.most:
            raise self._too_large()
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self.most:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> ApiError:
        return ApiError(413, f"The body is too large; it may have {self.most} bytes.")


def _again(body: bytes, receive: Receive) -> Receive:
    """A channel that gives a body that was read already, and then the client's next messages."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return first.pop() if first else await receive()

    return received


@dataclass
class Rate:
    """Requests of each caller per minute; unused ones of the last minute may come all at once.

    Args:
        per_minute: The number; 0 for no limit.
    """

    per_minute: int
    _left: dict[str | None, tuple[float, float]] = field(default_factory=dict)

    def take(self, caller: str | None) -> None:
        """Count a request.

        Raises:
            ApiError: the caller has sent too many.
        """
        if not self.per_minute:
            return
        now, a_second = monotonic(), self.per_minute / 60
        left, since = self._left.get(caller, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - since) * a_second)
        is_over = left < 1
        self._left[caller] = (left if is_over else left - 1), now
        if is_over:
            again = {"Retry-After": str(ceil((1 - left) / a_second))}
            raise ApiError(429, f"Too many requests: {self.per_minute} a minute are allowed.", again)


@dataclass
class Slots:
    """Questions that are answered at once, and questions that wait for their turn.

    Args:
        at_once: Questions answered at once.
        most_waiting: Questions that may wait.
    """

    at_once: int
    most_waiting: int
    running: int = 0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    _promised: int = 0
    is_closing: bool = False

    @property
    def waiting(self) -> int:
        """Questions that wait."""
        return self._promised - self.running

    def promise(self) -> None:
        """Reserve a turn for a question; `turn` waits for it and `forget` gives it up.

        Raises:
            ApiError: too many wait, or the server is closing.
        """
        if self.is_closing:
            raise ApiError(503, CLOSING, RETRY)
        if self._promised >= self.at_once + self.most_waiting:
            raise ApiError(503, FULL, RETRY)
        self._promised += 1

    def forget(self) -> None:
        """Give up a reserved turn."""
        self._promised -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a free slot and hold it.

        Raises:
            ApiError: the server closes before there is one.
        """
        await self._acquire()
        try:
            yield
        finally:
            self._pass_on()

    def close(self) -> None:
        """Refuse questions that wait; those that run may end."""
        self.is_closing = True
        for each in self._waiting:
            if not each.done():
                each.set_exception(ApiError(503, CLOSING, RETRY))

    async def _acquire(self) -> None:
        if self.is_closing:
            raise ApiError(503, CLOSING, RETRY)
        if self.running < self.at_once:
            self.running += 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                self._pass_on()  # the slot came at the same moment as the cancellation
            raise
        finally:
            with suppress(ValueError):
                self._waiting.remove(mine)

    def _pass_on(self) -> None:
        """Give a slot to the question that waits longest; without one it is free."""
        while self._waiting:
            if not (first := self._waiting.popleft()).done():
                first.set_result(None)
                return
        self.running -= 1
