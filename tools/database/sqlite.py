"""SQLite files as databases: off the event loop, bounded, read-only."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from route_sql.tools.database.guarded import policy_of, refused_query
from route_sql.tools.database.outcome import Limits, Outcome, failed
from route_sql.tools.database.pool import Pool
from route_sql.tools.database.query import Query
from route_sql.tools.database.sqlite_collations import note
from route_sql.tools.database.sqlite_file import connect, identity, is_lock, read_rows, unavailable
from route_sql.tools.database.sqlite_session import SQLiteSession
from route_sql.tools.database.waiting import outcome_of
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.reflection import reflect
from route_sql.tools.schema.samples import with_samples

DEFAULT_LIMITS = Limits()
LOCKED_SECONDS = 5.0
_Fingerprint = tuple[int, tuple[int, int] | None]


class SQLiteDatabase:
    """A `Database` on a SQLite file. Nothing is opened before it is first used.

    Args:
        name: The name in the catalog.
        path: The file.
        limits: The bounds of every query that is not given its own. Their `memory_bytes` also lowers SQLite's
            heap limit for the whole process, see `sqlite_session`.
        workers: How many queries may run at once; each has a thread and a connection.
        functions: Functions that may be called beyond the guard's list, such as `st_*`; each must only read, and may
            read what is hidden.
        guard: False, for benchmarks and tests only, sends text to SQLite that the static guard has not read. What
            only the guard refuses then runs: calls of functions that are not on its list, and text that SQLite
            and the parser read differently.
        authorizer: False, for benchmarks and tests only, leaves SQLite without its authorizer. What the guard lets
            pass by mistake may then read SQLite's own tables and settings; writing to the file stays impossible
            through `mode=ro` and `query_only`, attaching through the limit of no attached file.
    """

    dialect = "sqlite"

    def __init__(
        self,
        name: str,
        path: Path,
        limits: Limits = DEFAULT_LIMITS,
        *,
        workers: int = 4,
        functions: Sequence[str] = (),
        guard: bool = True,
        authorizer: bool = True,
    ) -> None:
        """Remember the file; nothing is opened."""
        self.name = name
        self.path = path
        self.limits = limits
        self.policy = policy_of(name, functions)
        self._guard = guard
        open_session = partial(
            SQLiteSession, path, limits.memory_bytes, guard=guard, authorizer=authorizer, policy=self.policy
        )
        self._pool = Pool(name, open_session, workers, prefix="sqlite")
        self._reflecting = threading.Lock()
        self._reflected: tuple[_Fingerprint, Schema] | None = None

    def __repr__(self) -> str:
        """The name and the file."""
        return f"SQLiteDatabase({self.name!r}, {str(self.path)!r})"

    async def schema(self) -> Schema:
        """The tables and views with sample values; a file without tables gives an empty schema.

        Cached until the schema changes or another file takes the place of this one; the samples are as old as
        that. Callers that come together wait for one reflection.

        Raises:
            DatabaseUnavailable: the file is missing, no database, locked for 5 seconds, damaged, or closed.
        """
        return await asyncio.wrap_future(self._pool.submit_without_session(self._current_schema))

    async def execute(self, sql: str, limits: Limits | None = None) -> Outcome:
        """Run one SELECT within `limits`, or the database's own; cancelling stops the query.

        Raises:
            DatabaseUnavailable: the file is missing, no database, damaged, or closed.
        """
        query = Query(sql, limits or self.limits)
        with self._pool.submitted(query, partial(self._run, query)) as future:
            return await outcome_of(query, future)

    async def warnings(self) -> tuple[str, ...]:
        """A sentence on collations that only the program which made the file has; none on rights.

        The file is opened read-only, whoever opens it.
        """
        names = await asyncio.to_thread(self._stand_ins)
        return (note(self.name, names),) if names else ()

    async def close(self) -> None:
        """Stop what runs, then close connections and threads."""
        await self._pool.close()

    # in a worker thread

    def _stand_ins(self) -> tuple[str, ...]:
        try:
            with closing(connect(self.path)) as connection:
                return connection.stand_ins
        except DatabaseUnavailable:
            return ()  # whoever reads it says so

    def _run(self, query: Query, session: SQLiteSession) -> Outcome:
        if self._guard:
            fresh = partial(self._current_schema, query.limits.seconds)
            try:
                outcome = refused_query(query.sql, self.dialect, partial(self._known_schema, fresh), fresh, self.policy)
            except DatabaseUnavailable as error:
                if not is_lock(error.__cause__):
                    raise
                outcome = failed("error", str(error.__cause__))
            if outcome is not None:
                return outcome
        return session.run(query)

    def _known_schema(self, fresh: Callable[[], Schema]) -> Schema:
        return self._reflected[1] if self._reflected is not None else fresh()

    def _current_schema(self, seconds: float = LOCKED_SECONDS) -> Schema:
        with self._reflecting, closing(connect(self.path, seconds)) as connection:
            try:
                fingerprint = self._fingerprint(connection)
                if self._reflected is None or self._reflected[0] != fingerprint:
                    reader = partial(read_rows, connection)
                    self._reflected = fingerprint, with_samples(_reflect(self.path), reader)
            except sqlite3.Error as error:
                raise unavailable(self.path, error) from error
            except DBAPIError as error:
                cause = error.orig if isinstance(error.orig, sqlite3.Error) else sqlite3.DatabaseError(str(error.orig))
                raise unavailable(self.path, cause) from cause
            return self._reflected[1]

    def _fingerprint(self, connection: sqlite3.Connection) -> _Fingerprint:
        version: int = connection.execute("PRAGMA schema_version").fetchone()[0]
        return version, identity(self.path)


def _reflect(path: Path) -> Schema:
    engine = create_engine("sqlite://", creator=partial(connect, path, LOCKED_SECONDS), poolclass=NullPool)
    with engine.connect() as connection:
        return reflect(connection)
