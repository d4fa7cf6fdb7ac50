"""One run of a query, shared by the thread that runs it and the coroutine that waits for it."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from route_sql.tools.limits import Limits

GRACE = 0.25
"""Seconds that the engine has to stop by itself after the deadline, before it is interrupted from outside."""
GIVE_UP = 5.0
"""Seconds after the deadline when the waiting side stops waiting for a call that can't be interrupted."""


class Interruptible(Protocol):
    """A connection whose running statement another thread can stop."""

    def interrupt(self) -> None:
        """Stop the running statement; without one, do nothing."""


class Query:
    """A statement under limits. Its clock starts when a worker begins it, not while it waits for one."""

    def __init__(self, sql: str, limits: Limits, *, clock: Callable[[], float] = monotonic) -> None:
        """Set up a run that has not started.

        Args:
            sql: The statement.
            limits: Its limits.
            clock: Seconds, of which it may take those of the limits.
        """
        self._clock = clock
        self.sql = sql
        self.limits = limits
        self._lock = threading.Lock()
        self._running: Interruptible | None = None
        self._started: float | None = None
        self._stopped = threading.Event()

    def start(self, connection: Interruptible) -> None:
        """Start the clock; from here on `stop` interrupts the connection."""
        with self._lock:
            self._running = connection
            self._started = self._clock()

    def prepare(self, connection: Interruptible) -> None:
        """Like `start`, before the clock starts: the connection is being opened."""
        with self._lock:
            self._running = connection

    def end(self) -> None:
        """The connection is free; a late `stop` must not hit the next query on it."""
        with self._lock:
            self._running = None

    def stop(self) -> None:
        """Stop the statement, or keep it from starting."""
        with self._lock:
            self._stopped.set()
            if self._running is not None:
                self._running.interrupt()

    def pause(self, seconds: float) -> None:
        """Sleep in the worker, but no longer than until `stop`."""
        self._stopped.wait(seconds)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started if self._started is not None else 0.0

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called; a passed deadline does not count."""
        return self._stopped.is_set()

    @property
    def must_stop(self) -> bool:
        """Whether it was stopped or its deadline has passed."""
        return self._stopped.is_set() or self.seconds > self.limits.seconds

    @property
    def is_overdue(self) -> bool:
        """Whether it still runs after its deadline."""
        return self.seconds > self.limits.seconds + GRACE

    @property
    def is_hopeless(self) -> bool:
        """Whether even an interruption did not end it."""
        return self.seconds > self.limits.seconds + GIVE_UP

    @property
    def patience(self) -> float:
        """Seconds until the next look at it."""
        return max(self.limits.seconds + GRACE - self.seconds, GRACE)
