"""DuckDB files as databases: in processes of their own, bounded, read-only."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from route_sql.tools.database.duckdb.session import OWN_SECONDS, DuckDBSession, stopped
from route_sql.tools.database.guarded import policy_of, refused_query
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.database.running.pool import Pool
from route_sql.tools.database.running.query import Query
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema

DEFAULT_LIMITS = Limits()
WAIT_SECONDS = 60.0
_UNSAMPLED = "Views or tables of the database {name} have no sample values: reading them costs too much time or memory."
_Stamp = tuple[tuple[int, int, int] | None, ...]


class DuckDBDatabase:
    """A `Database` on a DuckDB file. Nothing is opened before it is first used.

    Each worker has a process in which the file is open read-only, without access to other files or the network, with
    its settings locked. DuckDB's own parser must call the text one SELECT, so that temporary tables and variables can't
    be made either. DuckDB stops the query at the deadline; a process that does not stop within 0.25 s is ended.
    A process may use `memory_bytes` more than at its start, which Linux enforces (elsewhere DuckDB alone, which
    doesn't count what its functions build), and spill eight times as much to a temporary folder.

    While the database is open here, DuckDB lets no program open the file for writing. A file that replaces it is
    opened with the next query.

    Args:
        name: The name in the catalog.
        path: The file.
        limits: The bounds of every query that is not given its own.
        namespaces: The schemas to show; none shows `main`.
        workers: How many queries may run at once.
        functions: Functions that may be called beyond the guard's list, such as `st_*`; each must only read, and may
            read hidden data.
        wait_seconds: How long a query waits for a process.
        guard: False, for benchmarks and tests only, sends text to DuckDB that the static guard has not read.
        session: False, for benchmarks and tests only, opens the file without settings: only the deadline is left.

    Raises:
        DatabaseUnavailable: the package duckdb is not installed.
    """

    dialect = "duckdb"

    def __init__(
        self,
        name: str,
        path: Path,
        limits: Limits = DEFAULT_LIMITS,
        *,
        namespaces: Sequence[str] = (),
        workers: int = 4,
        functions: Sequence[str] = (),
        wait_seconds: float = WAIT_SECONDS,
        guard: bool = True,
        session: bool = True,
    ) -> None:
        """Remember the file; nothing is opened."""
        if find_spec("duckdb") is None:
            raise DatabaseUnavailable("DuckDB needs its package: pip install 'route-sql[duckdb]'")
        self.name = name
        self.path = path
        self.limits = limits
        self._namespaces = tuple(namespaces)
        self._guard = guard
        self.policy = policy_of(name, functions)
        self._wait_seconds = wait_seconds
        self._pool = Pool(name, partial(DuckDBSession, path, limits.memory_bytes, is_protected=session), workers)
        self._reflecting = threading.Lock()
        self._reflected: tuple[_Stamp, Schema] | None = None
        self._has_all_samples = True

    def __repr__(self) -> str:
        """The name and the file."""
        return f"DuckDBDatabase({self.name!r}, {str(self.path)!r})"

    async def schema(self) -> Schema:
        """The tables and views with sample values, cached until the file changes or another takes its place.

        Raises:
            DatabaseUnavailable: the file is missing, no DuckDB database, being written to, or closed.
        """
        query = Query("", Limits(OWN_SECONDS))
        schema = await self._pool.result(query, partial(self._current_schema, query), self._wait_seconds)
        if schema is None:
            raise DatabaseUnavailable(f"{self.path}: reading its schema was stopped")
        return schema

    async def execute(self, sql: str, limits: Limits | None = None) -> Outcome:
        """Run one SELECT within `limits`, or the database's own; cancelling stops the query.

        Raises:
            DatabaseUnavailable: as for `schema`.
        """
        query = Query(sql, limits or self.limits)
        return await self._pool.outcome(query, partial(self._run, query), self._wait_seconds)

    async def warnings(self) -> tuple[str, ...]:
        """A warning if sample values are missing; none about safety, since the file is always opened read-only."""
        return () if self._has_all_samples else (_UNSAMPLED.format(name=self.name),)

    async def close(self) -> None:
        """Stop what runs, then end the processes."""
        await self._pool.close()

    # in a worker thread

    def _run(self, query: Query, session: DuckDBSession) -> Outcome:
        if self._guard:
            fresh = partial(self._current_schema, query, session)
            known = partial(self._known_schema, fresh)
            try:
                outcome = refused_query(query.sql, self.dialect, known, fresh, self.policy)
            except DatabaseUnavailable:
                if not query.must_stop:
                    raise
                return stopped(query)  # while its schema was read
            if outcome is not None:
                return outcome
        return session.run(query)

    def _known_schema(self, fresh: Callable[[], Schema]) -> Schema:
        return self._reflected[1] if self._reflected is not None else fresh()

    def _current_schema(self, query: Query, session: DuckDBSession) -> Schema:
        with self._reflecting:
            stamp = _stamp(self.path)
            if self._reflected is None or self._reflected[0] != stamp:
                schema, self._has_all_samples = session.reflect(query, self._namespaces)
                self._reflected = stamp, schema
            return self._reflected[1]


def _stamp(path: Path) -> _Stamp:
    """A stamp that changes with the file, or with the log of changes next to it."""
    return tuple(_file_stamp(file) for file in (path, path.with_name(path.name + ".wal")))


def _file_stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
