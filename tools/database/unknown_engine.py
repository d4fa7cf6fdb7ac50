"""Any database that SQLAlchemy supports, with the bounds that are possible on an unknown engine."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlglot.dialects.dialect import Dialect

from route_sql.tools.database.guarded import policy_of, refused
from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.running.rows import fetch
from route_sql.tools.database.running.waiting import NoWorkerFree, all_busy, result_of, stuck
from route_sql.tools.database.running.workers import MOST_STUCK, Workers
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.guard.check import DIALECTS, check_sql
from route_sql.tools.guard.nodes import is_allowed, reason
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.reflection.reflect import DIALECTS as SQLGLOT_NAMES
from route_sql.tools.schema.reflection.reflect import reflect
from route_sql.tools.sql.parsing import NOT_A_QUERY, parses, shared_tree, tokens
from route_sql.tools.sql.statements import kind_of_statement, statement_count

WAIT_SECONDS = 10.0
SCHEMA_SECONDS = 300.0
"""Seconds for which a reflected schema counts as fresh, since not every engine has a cheap query for changes."""
AGAIN_SECONDS = 1.0
"""Seconds that it counts as fresh after a query with an unknown name."""
REFLECT_SECONDS = 120.0
"""Seconds that reading the schema may take."""
_T = TypeVar("_T")
_TIMEOUT = "the query took longer than {seconds:g} s; its result was thrown away"


class UnknownEngineDatabase:
    """A `Database` on an engine without its own adapter; read its `warnings` before you use it.

    Text must be one query whose clauses are on the guard's list. So must its functions, if the guard has a list for the
    dialect. It runs in a transaction that is rolled back. Rows, cells and bytes are capped as in the other adapters.

    Args:
        name: The name in the catalog.
        url: SQLAlchemy's URL; its dialect and driver must be installed.
        limits: The bounds of a query that has none of its own; `memory_bytes` can't be enforced.
        namespaces: The engine's schema names to show; none shows the default one.
        workers: Number of queries that may run at once.
        functions: Functions that may be called beyond the guard's list, such as `st_*`; each must only read, and may
            read hidden data.
        wait_seconds: Seconds that a query waits for a worker.

    Raises:
        DatabaseUnavailable: the dialect or its driver is not installed, or its SQL can't be read here.
    """

    def __init__(
        self,
        name: str,
        url: URL,
        limits: Limits,
        *,
        namespaces: Sequence[str] = (),
        workers: int = 4,
        functions: Sequence[str] = (),
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """Open nothing yet."""
        self.name = name
        self.limits = limits
        self.policy = policy_of(name, functions)
        self._engine = _engine(name, url, workers, wait_seconds)
        self.dialect = SQLGLOT_NAMES.get(self._engine.dialect.name, self._engine.dialect.name)
        if Dialect.get(self.dialect) is None:
            raise DatabaseUnavailable(f"the SQL of the database {name} can't be read here ({self.dialect})")
        self._namespaces = tuple(namespaces)
        self._workers = workers
        self._wait_seconds = wait_seconds
        self._threads = Workers(name, workers)
        self._running: set[Query] = set()
        self._closed = False
        self._reflecting = threading.Lock()
        self._reflected: tuple[float, Schema] | None = None

    def __repr__(self) -> str:
        """The name alone, since the URL could hold a password."""
        return f"UnknownEngineDatabase({self.name!r})"

    async def schema(self) -> Schema:
        """The tables and views, without sample values; reflected again after five minutes.

        Raises:
            DatabaseUnavailable: the database can't be opened or read, or no worker was free in time.
        """
        query = Query("", replace(self.limits, seconds=REFLECT_SECONDS))
        found = await self._result(query, lambda: self._read_schema(query))
        if found is None:
            raise DatabaseUnavailable(f"reading the schema of {self.name} took longer than {REFLECT_SECONDS:g} s")
        return found

    async def execute(self, sql: str, limits: Limits | None = None) -> Outcome:
        """Run one SELECT; after the deadline nobody waits for its result, but the server may still work.

        A worker whose query can't be stopped is replaced, unless too many such workers still run.

        Raises:
            DatabaseUnavailable: the database can't be opened or read, no worker was free in time, or too many queries
                could not be stopped and still run.
        """
        if self._reflected is None and self.dialect in DIALECTS:
            await self.schema()
        query = Query(sql, limits or self.limits)
        return await self._result(query, lambda: self._run(query)) or stuck(query)

    async def _result(self, query: Query, work: Callable[[], _T]) -> _T | None:
        """Result of the work; None if it can't be stopped: its worker is replaced then."""
        self._check_open()
        self._running.add(query)
        future = self._threads.submit(work)
        try:
            return await result_of(query, future, self._wait_seconds)
        except NoWorkerFree:
            pass  # raised below, so that the trace does not hold it
        finally:
            self._running.discard(query)
            if not future.done():
                self._threads.give_up(future)
        raise all_busy(self.name, self._workers, self._wait_seconds)

    async def warnings(self) -> tuple[str, ...]:
        """Warnings about the bounds that do not hold on this engine."""
        functions = "" if self.dialect in DIALECTS else "; the functions that it calls are not checked"
        return (
            f"The database {self.name} runs on an engine without an adapter of its own: its session is not read-only, "
            f"no deadline or memory cap holds on the server{functions}. Give its user nothing but the right to read.",
        )

    async def close(self) -> None:
        """Stop what can be stopped, then close connections and threads."""
        self._closed = True
        for query in list(self._running):
            query.stop()
        await asyncio.to_thread(self._threads.close)
        self._engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise DatabaseUnavailable(f"the database {self.name} was closed; open a new catalog")
        if self._threads.stuck >= MOST_STUCK:
            raise DatabaseUnavailable(
                f"{MOST_STUCK} queries to the database {self.name} could not be stopped and still run; end them on its "
                "server, or set a time limit for its user there"
            )

    # in a worker thread

    def _read_schema(self, query: Query) -> Schema:
        query.start(_Unstoppable())
        return self._current_schema()

    def _run(self, query: Query) -> Outcome:
        query.start(_Unstoppable())  # so that a schema that is read again counts
        if refused := self._refused(query.sql):
            return refused
        with self._connection() as connection:
            query.start(_Cancelling(connection))
            try:
                return self._fetch(connection, query)
            except SQLAlchemyError as error:
                if query.must_stop:
                    return failed("timeout", _TIMEOUT.format(seconds=query.limits.seconds), query.seconds)
                return failed("error", _worded(error), query.seconds)
            finally:
                query.end()

    def _fetch(self, connection: Connection, query: Query) -> Outcome:
        result = connection.execution_options(stream_results=True).exec_driver_sql(query.sql)
        fetched = fetch((tuple(row) for row in result), query.limits)
        if query.must_stop:
            return failed("timeout", _TIMEOUT.format(seconds=query.limits.seconds), query.seconds)
        return fetched.outcome(list(result.keys()), query.seconds)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection whose transaction is rolled back."""
        try:
            connection = self._engine.connect()
        except SQLAlchemyError as error:
            # Drivers repeat the URL's parts in their messages, so only the error's kind is shown.
            raise DatabaseUnavailable(
                f"the database {self.name} can't be reached ({type(error).__name__}); check its url and its server"
            ) from None
        with connection:
            yield connection

    def _refused(self, sql: str) -> Outcome | None:
        if self.dialect in DIALECTS:
            refusal = check_sql(sql, self._current_schema(), self.dialect, self.policy)
            if refusal is not None and refusal.code == "unknown_name":
                refusal = check_sql(sql, self._current_schema(AGAIN_SECONDS), self.dialect, self.policy)
            return refused(refusal) if refusal else None
        tree = shared_tree(sql, self.dialect)
        if tree is None:
            return _not_one_query(sql, self.dialect)
        wrong = next((node for node in tree.walk() if not is_allowed(node, self.dialect)), None)
        return failed("refused", reason(wrong)) if wrong is not None else None

    def _current_schema(self, seconds: float = SCHEMA_SECONDS) -> Schema:
        with self._reading():
            if self._reflected is None or monotonic() - self._reflected[0] > seconds:
                with self._connection() as connection:
                    schema = self._reflect(connection)
                self._reflected = monotonic(), schema
            return self._reflected[1]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        if not self._reflecting.acquire(timeout=REFLECT_SECONDS):
            raise DatabaseUnavailable(f"the schema of {self.name} is still being read; ask again later")
        try:
            yield
        finally:
            self._reflecting.release()

    def _reflect(self, connection: Connection) -> Schema:
        try:
            return reflect(connection, self._namespaces)
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(f"the schema of {self.name} can't be read ({type(error).__name__})") from None


class _Unstoppable:
    """Work before there is a connection."""

    def interrupt(self) -> None:
        """Do nothing."""


class _Cancelling:
    """A connection that can be stopped, if its driver has a way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def interrupt(self) -> None:
        """Call the driver's `cancel` or `interrupt`, if it has one."""
        driver = self._connection.connection.dbapi_connection
        stop = getattr(driver, "cancel", None) or getattr(driver, "interrupt", None)
        if callable(stop):
            stop()


def _engine(name: str, url: URL, workers: int, wait_seconds: float) -> Engine:
    try:
        return create_engine(
            url, pool_size=workers, max_overflow=MOST_STUCK, pool_timeout=wait_seconds, pool_pre_ping=True
        )
    except (NoSuchModuleError, ModuleNotFoundError, ArgumentError) as error:
        raise DatabaseUnavailable(
            f"the database {name} needs SQLAlchemy's dialect and driver for {url.drivername}: {type(error).__name__}; "
            "install the package that brings it"
        ) from None


def _not_one_query(sql: str, dialect: str) -> Outcome:
    """The outcome of a text that is not one query: another statement is refused; any other text is an error."""
    found, complaint = tokens(sql, dialect) or [], parses(sql, dialect)
    verbs = found if complaint == NOT_A_QUERY else found[:1]
    if statement_count(found) > 1 or any(kind_of_statement(sql, [verb]) for verb in verbs):
        return failed("refused", f"only one SELECT statement may run; {complaint}")
    return failed("error", f"it can't be read as SQL: {complaint}")


def _worded(error: SQLAlchemyError) -> str:
    """The driver's own words, without SQLAlchemy's additions."""
    original = getattr(error, "orig", None)
    return " ".join(str(original or error).split())[:500]
