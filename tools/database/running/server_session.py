"""A connection to a database server on which one bounded query runs at a time."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.database.roles import RoleReport
from route_sql.tools.database.running.cells import NO_SPELLING, Spelling
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.running.rows import fetch
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema

CONNECT_SECONDS = 5
LOCK_SECONDS = 5
"""Seconds that a query waits for a lock."""
IDLE_SECONDS = 60
"""Time after which the server ends an idle transaction, in case this process hangs."""
CANCEL_SECONDS = 0.6
"""Seconds that the server has to stop a query before its connection is cut."""
OWN_SECONDS = 60.0
OWN_LIMITS = Limits(OWN_SECONDS, rows=1_000_000, result_bytes=256_000_000)
"""Bounds of our own queries about the schema."""

TIMEOUT = "the query took longer than {seconds:g} s and was stopped"
STOPPED = "the query was cancelled"
MEMORY = "the query needs more than {megabytes} MB of memory"
LOCKED = f"the query waited {LOCK_SECONDS} s for a lock that another session holds"
ONE_SELECT = "only one SELECT statement may run"


@dataclass(frozen=True, slots=True)
class Fault:
    """Meaning of a driver's error; `lost` and `unreachable` are about the server, the others about the query."""

    kind: Literal["error", "refused", "timeout", "memory", "lost"]
    message: str = ""


class Stopped(Exception):
    """The query was stopped between two rows."""


class ServerSession(ABC):
    """One connection and its rules. It serves one query at a time."""

    driver_error: ClassVar[type[Exception]]
    title: ClassVar[str]
    spelling: ClassVar[Spelling] = NO_SPELLING
    """The engine's words for infinity and NaN."""

    def __init__(self, name: str) -> None:
        """Remember the database's name, for messages; `is_pooled` says whether a pooler may be in between."""
        self.name = name
        self.is_pooled = False
        self._free = threading.Event()
        self._free.set()
        self._stoppers: list[threading.Thread] = []

    # added by each engine

    @abstractmethod
    def select(self, sql: str, limits: Limits) -> AbstractContextManager[tuple[list[str], Iterable[Sequence[object]]]]:
        """Run a query in a transaction of its own that is rolled back; the rows come in pieces.

        Raises:
            Exception: the driver's, or ValueError for text that can't be sent.
        """

    @abstractmethod
    def fault(self, error: Exception) -> Fault:
        """The meaning of a driver's error, in words without connection details."""

    @abstractmethod
    def cancel(self) -> None:
        """Ask the server from outside to stop the running query; blocks, and may raise anything."""

    @abstractmethod
    def cut(self) -> None:
        """Shut the socket down, so that the thread that waits on it wakes; never raises."""

    @property
    @abstractmethod
    def is_alive(self) -> bool:
        """Whether the connection is open."""

    @abstractmethod
    def disconnect(self) -> None:
        """Close the connection; never raises."""

    @abstractmethod
    def fingerprint(self, namespaces: Sequence[str]) -> str:
        """A text that changes when the schema changes, from a cheap query."""

    @abstractmethod
    def role(self, namespaces: Sequence[str]) -> RoleReport:
        """The rights of the role."""

    @abstractmethod
    def reflect(self, namespaces: Sequence[str]) -> Schema:
        """The tables that may be read, with sample values."""

    # shared by all engines

    @property
    def is_usable(self) -> bool:
        """Whether another query may run on it: a late cancellation could hit that query."""
        return not self._stoppers and self.is_alive

    @property
    def is_stopped(self) -> bool:
        """Whether its query was interrupted."""
        return bool(self._stoppers)

    def close(self) -> None:
        """Close the connection, once no attempt to stop a query on it is left."""
        for thread in self._stoppers:
            thread.join(2 * CANCEL_SECONDS)
        self.disconnect()

    def interrupt(self) -> None:
        """Stop the running query: ask the server, and cut the connection if that does not help. Returns at once."""
        if self._stoppers:
            return
        self._stoppers = [
            threading.Thread(target=work, name=f"stop-{self.name}", daemon=True)
            for work in (self._try_to_cancel, self._cut_if_busy)
        ]
        for thread in self._stoppers:
            thread.start()

    def run(self, query: Query) -> Outcome:
        """Run a query in this thread.

        Raises:
            DatabaseUnavailable: the server was lost.
        """
        with self.busy(query):
            fault = self._attempt(query)
        if not isinstance(fault, Fault):
            return fault
        if query.must_stop and fault.kind in ("lost", "timeout"):
            late = query.seconds > query.limits.seconds
            return failed("timeout", TIMEOUT.format(seconds=query.limits.seconds) if late else STOPPED, query.seconds)
        if fault.kind == "lost":
            self.interrupt()  # if only the network broke, the server still works on it
            raise self.unavailable(fault)
        return _failed(fault, query)

    def ask(self, sql: str, limits: Limits = OWN_LIMITS) -> list[tuple[object, ...]]:
        """The rows of one of our own queries, within `limits`.

        Raises:
            DatabaseUnavailable: the query fails, or the server was lost.
        """
        found = self._rows(sql, limits)
        if isinstance(found, Fault):
            raise self.unavailable(found)
        return found

    def sample(self, sql: str, limits: Limits) -> list[tuple[object, ...]]:
        """Rows like those of `ask`, or none if the query fails: missing samples are not an error.

        Raises:
            DatabaseUnavailable: the server was lost.
        """
        found = self._rows(sql, limits)
        if not isinstance(found, Fault):
            return found
        if found.kind == "lost":
            raise self.unavailable(found)
        return []

    @contextmanager
    def busy(self, query: Query) -> Iterator[None]:
        """While the query may be stopped."""
        self._free.clear()
        query.start(self)
        try:
            yield
        finally:
            query.end()
            self._free.set()

    def unavailable(self, fault: Fault) -> DatabaseUnavailable:
        """The exception for a server that was lost."""
        return unavailable(self.title, self.name, fault.message or "the connection was lost; ask again")

    def unlisted(self, reason: str) -> DatabaseUnavailable:
        """The exception for a schema that can't be reflected."""
        return unavailable(self.title, self.name, f"its catalog can't be read ({reason}); see what the role may read")

    def _attempt(self, query: Query) -> Outcome | Fault:
        if query.must_stop:
            return Fault("timeout")
        try:
            with self.select(query.sql, query.limits) as (columns, rows):
                fetched = fetch(_while_wanted(rows, query), query.limits, self.spelling)
        except Stopped:
            return Fault("timeout")
        except ValueError as error:  # text that can't be sent, such as half a surrogate pair
            return Fault("error", f"the query can't be run: {error}")
        except MemoryError:
            return Fault("memory")
        except self.driver_error as error:
            return self.fault(error)
        return fetched.outcome(columns, query.seconds)

    def _rows(self, sql: str, limits: Limits) -> list[tuple[object, ...]] | Fault:
        found: list[tuple[object, ...]] = []
        size = 0
        try:
            with self.select(sql, limits) as (_, rows):
                for row in rows:
                    size += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
                    if len(found) == limits.rows or size > limits.result_bytes:
                        break
                    found.append(tuple(row))
        except self.driver_error as error:
            return self.fault(error)
        return found

    def _try_to_cancel(self) -> None:
        try:
            self.cancel()
        except Exception:  # the server may be gone, and drivers raise anything; the cut follows
            return

    def _cut_if_busy(self) -> None:
        if not self._free.wait(CANCEL_SECONDS):
            self.cut()


def _failed(fault: Fault, query: Query) -> Outcome:
    if fault.kind == "refused":
        return failed("refused", fault.message, query.seconds)
    if fault.kind == "timeout":
        return failed("timeout", TIMEOUT.format(seconds=query.limits.seconds), query.seconds)
    if fault.kind == "memory":
        return failed("error", MEMORY.format(megabytes=query.limits.memory_bytes // 1_000_000), query.seconds)
    return failed("error", fault.message, query.seconds)


def _while_wanted(rows: Iterable[Sequence[object]], query: Query) -> Iterator[Sequence[object]]:
    for row in rows:
        if query.must_stop:
            raise Stopped
        yield row


def unavailable(title: str, name: str, reason: str) -> DatabaseUnavailable:
    """The exception for a server that can't be used; the reason says what to do."""
    return DatabaseUnavailable(f"the {title} server of the database {name!r} can't be used: {reason}")
