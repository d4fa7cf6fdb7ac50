"""SQLite files as databases: in processes of their own, bounded, read-only."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from route_sql.tools.database.guarded import policy_of, refused_query
from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.database.running.pool import Pool
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.sqlite.collations import note
from route_sql.tools.database.sqlite.session import STOPPED, FileLocked, SQLiteSession, let_go
from route_sql.tools.database.sqlite.skipping import Reflected, ReflectionStopped, read_skipping
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.statements import without_empty_statements

DEFAULT_LIMITS = Limits()
WAIT_SECONDS = 60.0
_Fingerprint = tuple[str, tuple[int, int] | None]


class SQLiteDatabase:
    """A `Database` on a SQLite file. Nothing is opened before it is first used.

    SQLite runs in processes that all databases share, so that whatever it does can be ended: a query in one step that
    nothing interrupts, the reflection of a file that was made to hang. A query that does not stop at its deadline is
    ended about a second later, and the next query starts another process.

    Args:
        name: The name in the catalog.
        path: The file.
        limits: The bounds of every query that is not given its own. A process may take their `memory_bytes`.
        workers: How many queries may run at once; each has a thread and a process.
        wait_seconds: How long a query waits for one of them.
        functions: Functions that may be called beyond the guard's list, such as `st_*`; each must only read, and may
            read hidden data.
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
        wait_seconds: float = WAIT_SECONDS,
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
        open_session = partial(SQLiteSession, path, limits.memory_bytes, authorizer=authorizer)
        self._pool = Pool(name, open_session, workers, prefix="sqlite")
        self._wait_seconds = wait_seconds
        self._reflecting = threading.Lock()
        self._reflected: tuple[_Fingerprint, Reflected] | None = None

    def __repr__(self) -> str:
        """The name and the file."""
        return f"SQLiteDatabase({self.name!r}, {str(self.path)!r})"

    async def schema(self) -> Schema:
        """The tables and views with sample values; a file without tables gives an empty schema.

        Cached until the schema changes or another file takes the place of this one; the samples are as old as
        that. Callers that come together wait for one reflection. A view that costs too much is left out, and a table
        or view whose samples do has none; `warnings` says so.

        Raises:
            DatabaseUnavailable: the file is missing, no database, locked for 5 seconds, damaged, or closed, or its
                schema takes too much time or memory, or no worker was free in time.
        """
        query = Query("", self.limits)
        schema = await self._pool.result(query, partial(self._current_schema, query), self._wait_seconds)
        if schema is None:
            raise DatabaseUnavailable(f"{self.path}: reading its schema could not be stopped at once")
        return schema

    async def execute(self, sql: str, limits: Limits | None = None) -> Outcome:
        """Run one SELECT within `limits`, or the database's own; cancelling stops the query.

        Raises:
            DatabaseUnavailable: the file is missing, no database, damaged, or closed, or no worker was free in time.
        """
        query = Query(sql, limits or self.limits)
        return await self._pool.outcome(query, partial(self._run, query), self._wait_seconds)

    async def warnings(self) -> tuple[str, ...]:
        """Warnings on the schema as it was last read: its missing parts, and collations of other programs.

        There are none on rights, since the file is always opened read-only.
        """
        try:
            if self._reflected is None:
                await self.schema()
        except DatabaseUnavailable:
            return ()  # reading the schema reports the error
        found = self._reflected[1] if self._reflected is not None else None
        if found is None:
            return ()
        return (*found.warnings(self.name), *((note(self.name, found.stand_ins),) if found.stand_ins else ()))

    async def close(self) -> None:
        """Stop what runs, then close files and threads."""
        await self._pool.close()
        let_go(self.path)

    # in a worker thread

    def _run(self, query: Query, session: SQLiteSession) -> Outcome:
        if self._guard:
            if refused := self._refused(query, session):
                return refused
            query.sql = without_empty_statements(query.sql, self.dialect)
        return session.run(query)

    def _refused(self, query: Query, session: SQLiteSession) -> Outcome | None:
        fresh = partial(self._current_schema, query, session)
        try:
            return refused_query(query.sql, self.dialect, partial(self._known_schema, fresh), fresh, self.policy)
        except FileLocked as error:
            return failed("error", error.said)
        except ReflectionStopped:
            return failed("timeout", STOPPED)

    def _known_schema(self, fresh: Callable[[], Schema]) -> Schema:
        return self._reflected[1].schema if self._reflected is not None else fresh()

    def _current_schema(self, query: Query, session: SQLiteSession) -> Schema:
        with self._reflecting:
            fingerprint = session.version(query), session.file
            if self._reflected is None or self._reflected[0] != fingerprint:
                self._reflected = fingerprint, read_skipping(self.path, query, partial(session.reflect, query))
            return self._reflected[1].schema
