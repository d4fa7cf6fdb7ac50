"""Work that a server does at the same time, and work that waits for its turn."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Slots:
    """Questions that are answered at once, and questions that wait for their turn.

    Args:
        at_once: Questions answered at once.
        most_waiting: Questions that may wait.
        no_slot: Makes the error for a question that gets no turn; it is given whether the server is closing.
    """

    at_once: int
    most_waiting: int
    no_slot: Callable[[bool], Exception]
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
            Exception: that of `no_slot`, if too many wait or the server is closing.
        """
        if self.is_closing or self._promised >= self.at_once + self.most_waiting:
            raise self.no_slot(self.is_closing)
        self._promised += 1

    def forget(self) -> None:
        """Give up a reserved turn."""
        self._promised -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a free slot and hold it.

        Raises:
            Exception: that of `no_slot`, if the server closes before there is one.
        """
        await self._acquire()
        try:
            yield
        finally:
            self._pass_on()

    @asynccontextmanager
    async def promised_turn(self) -> AsyncIterator[None]:
        """Reserve a turn, wait for it and hold it.

        Raises:
            Exception: that of `no_slot`, if too many wait or the server closes.
        """
        self.promise()
        try:
            async with self.turn():
                yield
        finally:
            self.forget()

    def close(self) -> None:
        """Refuse questions that wait; those that run may end."""
        self.is_closing = True
        for each in self._waiting:
            if not each.done():
                each.set_exception(self.no_slot(True))

    async def _acquire(self) -> None:
        if self.is_closing:
            raise self.no_slot(True)
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
