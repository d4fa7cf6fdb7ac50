"""A bounded pool of sessions, each used by one worker thread at a time."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Generic, Protocol, TypeVar

from route_sql.tools.database.outcome import Outcome
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.running.waiting import NoWorkerFree, all_busy, result_of, stuck
from route_sql.tools.errors import DatabaseUnavailable


class PooledSession(Protocol):
    """A connection with its rules."""

    @property
    def is_usable(self) -> bool:
        """Whether it may serve another query: it is alive, and a late attempt to stop the last query can't hit it."""

    def close(self) -> None:
        """Close the connection; never raises."""


_S = TypeVar("_S", bound=PooledSession)
_T = TypeVar("_T")


class Pool(Generic[_S]):
    """At most `size` sessions, opened when needed and kept for the next query.

    A session that was lost or stopped is closed, and the next query opens another.
    """

    def __init__(self, name: str, open_session: Callable[[], _S], size: int, *, prefix: str = "database") -> None:
        """Open nothing yet.

        Args:
            name: The database's name, for the threads' names and for messages.
            open_session: Opens a session; called in a worker thread.
            size: Number of sessions and threads at most.
            prefix: Beginning of the threads' names.
        """
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=f"{prefix}-{name}")
        self._name = name
        self._size = size
        self._open = open_session
        self._lock = threading.Lock()
        self._idle: list[_S] = []
        self._running: set[Query] = set()
        self._closed = False

    def submit(self, work: Callable[[_S], _T]) -> "Future[_T]":
        """Do something with a session in a worker thread.

        Raises:
            DatabaseUnavailable: the pool is closed.
        """
        return self.submit_without_session(partial(self._with_session, work))

    def submit_without_session(self, work: Callable[[], _T]) -> "Future[_T]":
        """Do something in a worker thread; no session is opened for it.

        Raises:
            DatabaseUnavailable: the pool is closed.
        """
        if self._closed:
            raise DatabaseUnavailable(f"the database {self._name} was closed; open a new catalog")
        return self._threads.submit(work)

    @contextmanager
    def submitted(self, query: Query, work: Callable[[_S], _T]) -> "Iterator[Future[_T]]":
        """Submit work that is waited for inside the block; closing the pool stops its query.

        Raises:
            DatabaseUnavailable: the pool is closed.
        """
        self._running.add(query)
        try:
            yield self.submit(work)
        finally:
            self._running.discard(query)

    async def result(self, query: Query, work: Callable[[_S], _T], wait_seconds: float) -> _T | None:
        """Result of the work; None if it does not end five seconds after the query's deadline.

        Raises:
            DatabaseUnavailable: the pool is closed, or no worker was free in time, or the work says so.
        """
        try:
            with self.submitted(query, work) as future:
                return await result_of(query, future, wait_seconds)
        except NoWorkerFree:
            pass  # raised below, so that the trace does not hold it
        raise all_busy(self._name, self._size, wait_seconds)

    async def outcome(self, query: Query, work: Callable[[_S], Outcome], wait_seconds: float) -> Outcome:
        """Like `result`, with an outcome where the query could not be stopped."""
        return await self.result(query, work, wait_seconds) or stuck(query)

    @property
    def is_closed(self) -> bool:
        """Whether no more work is accepted."""
        return self._closed

    async def close(self) -> None:
        """Accept no more work, stop running queries, wait for the workers and close all sessions."""
        self._closed = True
        for query in list(self._running):
            query.stop()
        await asyncio.to_thread(self._close_sessions)

    def _close_sessions(self) -> None:
        self._threads.shutdown()
        while self._idle:
            self._idle.pop().close()

    def _with_session(self, work: Callable[[_S], _T]) -> _T:
        with self._session() as session:
            return work(session)

    @contextmanager
    def _session(self) -> Iterator[_S]:
        session = self._take()
        try:
            yield session
        except BaseException:  # the session may be in any state after it
            session.close()
            raise
        if session.is_usable:
            with self._lock:
                self._idle.append(session)
        else:
            session.close()

    def _take(self) -> _S:
        while True:
            with self._lock:
                session = self._idle.pop() if self._idle else None
            if session is None:
                return self._open()
            if session.is_usable:
                return session
            session.close()
