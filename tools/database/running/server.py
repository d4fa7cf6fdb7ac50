"""Databases on servers: pool, deadline, guard, cached schema, the role's warnings."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TypeVar

from sqlalchemy import URL

from route_sql.tools.database.guarded import policy_of, refused_query
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.database.roles import RoleReport, warnings_of
from route_sql.tools.database.running.pool import Pool
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.running.server_session import OWN_SECONDS, ServerSession
from route_sql.tools.database.running.waiting import all_busy
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema

DEFAULT_LIMITS = Limits()
FRESH = 20
"""Seconds for which a schema counts as current, for each second that the check took."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Choices of a database on a server; the defaults suit an application with few users."""

    limits: Limits = DEFAULT_LIMITS
    """Bounds of every query that is not given its own."""
    namespaces: tuple[str, ...] = ()
    """The engine's schema names to show; none shows the default one of the role or the url."""
    pool: int = 4
    """Queries that may run at once; each has a thread and a connection."""
    wait_seconds: float = 10.0
    """Time that a query waits for one of them."""
    functions: tuple[str, ...] = ()
    """Functions that may be called beyond the guard's list, such as `st_*`; each must only read, and may read hidden
    data."""
    guard: bool = True
    """False, for benchmarks and tests only, sends text to the server that the static guard has not read."""
    session: bool = True
    """False, for benchmarks and tests only, runs text unchanged and commits its changes."""


class ServerDatabase(ABC):
    """A `Database` on a server. Nothing is opened before it is first used.

    Args:
        name: The name in the catalog.
        url: SQLAlchemy's URL of the engine, with user, password, host, port and database.
        options: Bounds, schemas and pool.

    Raises:
        DatabaseUnavailable: the driver is not installed, or an option of the url may not be set.
    """

    dialect: str
    """sqlglot's name of the dialect."""

    def __init__(self, name: str, url: URL, options: ServerOptions = ServerOptions()) -> None:
        """Check the url and open nothing yet."""
        self.name = name
        self.limits = options.limits
        self._options = options
        open_session = self._session_opener(url)
        self.policy = policy_of(name, options.functions)
        self._pool = Pool(name, open_session, options.pool)
        self._reflecting = threading.Lock()
        self._reflected: tuple[str, Schema] | None = None
        self._fresh_until = 0.0
        self._role: RoleReport | None = None

    @abstractmethod
    def _session_opener(self, url: URL) -> Callable[[], ServerSession]:
        """A function that opens a session, for worker threads.

        Raises:
            DatabaseUnavailable: the driver is not installed, or the url can't be used.
        """

    def __repr__(self) -> str:
        """The name alone; a URL could hold a password."""
        return f"{type(self).__name__}({self.name!r})"

    async def schema(self) -> Schema:
        """The tables and views that the role may read, with sample values.

        Cached until the schema or the role's rights change; the samples are as old as that. The check
        for changes takes a twentieth of the time at most. Callers that come at the same time wait for one
        reflection.

        Raises:
            DatabaseUnavailable: the server can't be reached, or was lost, or the database is closed.
        """
        if self._reflected is not None and monotonic() < self._fresh_until and not self._pool.is_closed:
            return self._reflected[1]
        return await self._ask(self._current_schema)

    async def fresh_schema(self) -> Schema:
        """The schema, once the server was asked whether it has changed.

        Raises:
            DatabaseUnavailable: as for `schema`.
        """
        return await self._ask(self._current_schema)

    async def execute(self, sql: str, limits: Limits | None = None) -> Outcome:
        """Run one SELECT within `limits`, or the database's own; cancelling stops the query on the server.

        Raises:
            DatabaseUnavailable: the server can't be reached, or was lost, or no connection came free in time, or
                the database is closed.
        """
        query = Query(sql, limits or self.limits)
        return await self._pool.outcome(query, partial(self._run, query), self._options.wait_seconds)

    async def role(self) -> RoleReport:
        """The rights of the role on the server, asked for once.

        Raises:
            DatabaseUnavailable: as for `schema`.
        """
        if self._role is None:
            self._role = await self._ask(self._read_role)
        return self._role

    async def warnings(self) -> tuple[str, ...]:
        """Sentences for every answer, on a role that may do more than read.

        Raises:
            DatabaseUnavailable: as for `schema`.
        """
        return warnings_of(await self.role(), self.name)

    async def close(self) -> None:
        """Stop what runs, then close connections and threads."""
        await self._pool.close()

    async def _ask(self, work: Callable[[Query, ServerSession], _T]) -> _T:
        """Run a query of our own, within a minute."""
        query = Query("", Limits(seconds=OWN_SECONDS))
        size, wait_seconds = self._options.pool, self._options.wait_seconds
        answer = await self._pool.result(query, partial(work, query), wait_seconds)
        if answer is None:
            raise all_busy(self.name, size, wait_seconds)
        return answer

    # in a worker thread

    def _run(self, query: Query, session: ServerSession) -> Outcome:
        if self._options.guard:
            # A query of our own, with our own deadline.
            fresh = partial(self._current_schema, Query("", Limits(seconds=OWN_SECONDS)), session)
            known = partial(self._known_schema, fresh)
            if (outcome := refused_query(query.sql, self.dialect, known, fresh, self.policy)) is not None:
                return outcome
        return session.run(query)

    def _known_schema(self, fresh: Callable[[], Schema]) -> Schema:
        return self._reflected[1] if self._reflected is not None else fresh()

    def _current_schema(self, query: Query, session: ServerSession) -> Schema:
        with self._reflecting, session.busy(query):
            started = monotonic()
            fingerprint = session.fingerprint(self._options.namespaces)
            self._fresh_until = monotonic() + FRESH * (monotonic() - started)
            if self._reflected is None or self._reflected[0] != fingerprint:
                self._reflected = fingerprint, session.reflect(self._options.namespaces)
            return self._reflected[1]

    def _read_role(self, query: Query, session: ServerSession) -> RoleReport:
        with session.busy(query):
            return session.role(self._options.namespaces)
