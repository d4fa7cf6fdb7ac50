"""Threads for work that may be impossible to stop: a thread that hangs is abandoned, and another replaces it."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

MOST_STUCK = 8
"""Number of abandoned workers that may still run."""
_T = TypeVar("_T")


class Workers:
    """At most `size` threads that work in order, and those that were abandoned.

    The threads do not keep the program from ending.
    """

    def __init__(self, name: str, size: int, *, prefix: str = "database") -> None:
        """Start nothing yet."""
        self._name = f"{prefix}-{name}"
        self._size = size
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._threads = 0
        self._idle = 0
        self._stuck: set[Future[Any]] = set()
        self._is_closed = False

    @property
    def stuck(self) -> int:
        """Number of abandoned workers that still run."""
        return len(self._stuck)

    def submit(self, work: Callable[[], _T]) -> "Future[_T]":
        """Do something in a worker thread."""
        future: Future[_T] = Future()
        with self._changed:
            self._waiting.append((future, work))
            self._start_threads()
            self._changed.notify()
        return future

    def give_up(self, future: "Future[Any]") -> None:
        """Replace the thread that does this work by another; without one, do nothing."""
        with self._changed:
            if not future.done() and future.running() and future not in self._stuck:
                self._stuck.add(future)
                self._threads -= 1
                self._start_threads()

    def close(self) -> None:
        """Drop waiting work, and wait for the threads that were not given up."""
        with self._changed:
            self._is_closed = True
            while self._waiting:
                self._waiting.popleft()[0].cancel()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._threads)

    def _start_threads(self) -> None:
        while self._threads < self._size and len(self._waiting) > self._idle:
            self._threads += 1
            self._idle += 1
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()

    def _serve(self) -> None:
        while (taken := self._next()) is not None:
            future, work = taken
            if future.set_running_or_notify_cancel():
                _do(future, work)
            if self._was_given_up(future):
                return

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            self._idle -= 1
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            self._changed.notify_all()
            return None

    def _was_given_up(self, future: Future[Any]) -> bool:
        with self._changed:
            if future in self._stuck:
                self._stuck.discard(future)
                return True
            self._idle += 1
            return False


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        result = work()
    except BaseException as error:  # any error is raised where the result is awaited
        future.set_exception(error)
    else:
        future.set_result(result)
