"""Limits of the API: requests of a caller per minute, and questions at the same time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import ceil
from time import monotonic

from route_sql.api.errors import CLOSING, RETRY, ApiError

FULL = "Too many questions are waiting; ask again in a moment."


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
