"""One question at a time, for callers in threads and on event loops."""

import asyncio
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock

from route_sql.tools.errors import InvalidInput

NESTED = (
    "a question was asked while another one of the same database waits for its decision or runs, so both would wait "
    "for ever: let `decide` return first, or ask a second open_default(...)"
)
BLOCKED = (
    "`ask` was called on an event loop while `aask` answers a question on the same loop, so both would wait for ever: "
    "`await aask(...)` instead"
)


class _QueuePlace(Future[None]):
    """A question's place in the queue; it has its result when the question's turn comes."""

    def __init__(self, loop: AbstractEventLoop | None) -> None:
        super().__init__()
        self.loop = loop
        """The event loop that must run for the question to end; None for a question of a thread."""


_ASKED_BY: ContextVar[tuple[_QueuePlace, ...]] = ContextVar("_asked_by", default=())
"""Questions from which this code was called. Threads of `asyncio.to_thread` and tasks inherit it."""


class Turns:
    """One question at a time, first come, first served, for threads and any number of event loops."""

    def __init__(self) -> None:
        """Begin with nobody in the queue."""
        # Python's garbage collector may end a forgotten question in a thread that holds the lock.
        self._lock = RLock()
        self._places: deque[_QueuePlace] = deque()

    @contextmanager
    def place(self, loop: AbstractEventLoop | None = None) -> Iterator[_QueuePlace]:
        """A place in the queue, until the block ends: wait for the place's result, then run the question.

        Raises:
            InvalidInput: the turn would never come, since a question before this one waits for it.
        """
        place = self._join(loop)
        token = _ASKED_BY.set((*_ASKED_BY.get(), place))
        try:
            yield place
        finally:
            self._leave(place)
            _ASKED_BY.reset(token)

    def _join(self, loop: AbstractEventLoop | None) -> _QueuePlace:
        with self._lock:
            if any(place in _ASKED_BY.get() for place in self._places):
                raise InvalidInput(NESTED)
            blocked = _running_loop() if loop is None else None
            if blocked is not None and any(place.loop is blocked for place in self._places):
                raise InvalidInput(BLOCKED)
            place = _QueuePlace(loop)
            self._places.append(place)
            self._let_first_run()
        return place

    def _leave(self, place: _QueuePlace) -> None:
        with self._lock:
            self._places.remove(place)
            self._let_first_run()

    def _let_first_run(self) -> None:
        first = self._places[0] if self._places else None
        # A cancelled place leaves by itself, and then the next one runs.
        if first is not None and not first.done() and first.set_running_or_notify_cancel():
            first.set_result(None)


def _running_loop() -> AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
