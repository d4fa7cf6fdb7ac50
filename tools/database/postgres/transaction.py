"""The transaction in which everything runs on PostgreSQL: read-only, and all settings end with it.

A pooler between us and the server may give each transaction to any of its connections. Our settings of a session would
then stay on a connection that others use, and settings of others could apply to us.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

import psycopg
from psycopg import errors
from psycopg import sql as composed
from psycopg.pq import TransactionStatus

from route_sql.tools.database.postgres.connection import Connection
from route_sql.tools.database.postgres.shared_locks import Locks, begin_shared, end_shared
from route_sql.tools.database.running.server_session import CONNECT_SECONDS, IDLE_SECONDS, LOCK_SECONDS

_OWN_ROLE = ("session_authorization", "role")
_OF_OTHERS = ("row_security", "TimeZone", "DateStyle", "extra_float_digits", "lc_monetary", "lc_numeric", "lc_time")
"""Settings that change rights or results, which another client of a pooler may have left."""
_SETTINGS = {
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "work_mem": "16MB",
    "standard_conforming_strings": "on",
    "backslash_quote": "off",
    "bytea_output": "hex",
    "intervalstyle": "postgres",
    "cursor_tuple_fraction": "1.0",
    "jit": "off",
}
"""Settings that a plain role may change. The guard reads strings as the standard does; plans are for all rows, as most
results are fetched whole."""
_NOTICE_LOSS = "client_connection_check_interval"
_BEGIN = "BEGIN READ ONLY"
_TRIES = 20
"""Attempts to begin: on a busy machine a statement may take longer than the shortest `statement_timeout`, 1 ms."""
_KNOWN = "SELECT name FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = ANY (%s)"
_PATH = "SELECT pg_catalog.unnest(pg_catalog.current_schemas(false))"
_RANDOM = SystemRandom()


@dataclass(frozen=True, slots=True)
class Transaction:
    """Begin and end of transactions on one connection.

    `is_pooled` is True unless the server's process has the number that the greeting gave: a pooler gives a number of
    its own. Only a connection that is surely not shared is wiped after a transaction.
    """

    settings: tuple[str, ...]
    is_pooled: bool

    def begin(self, milliseconds: int) -> bytes:
        """Statements, in one text, that begin a transaction whose statements may take this long."""
        statements = [_BEGIN, _deadline(milliseconds), *self.settings]
        if not self.is_pooled:  # a seed that a query has chosen outlives both rollback and DISCARD ALL
            statements.append(_new_seed())
        return "; ".join(statements).encode()

    @contextmanager
    def around(
        self, connection: Connection, milliseconds: int, must_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[None]:
        """Begin a transaction for one query; then roll back and wipe what outlives it; close what can't be wiped."""
        held: Locks = frozenset()
        try:
            _begin(connection, self.begin(milliseconds), must_stop)
            if self.is_pooled:
                held = begin_shared(connection)
            yield
        finally:
            self._end(connection, held)

    def _end(self, connection: Connection, held: Locks) -> None:
        if connection.closed:
            return
        try:
            if self.is_pooled and connection.info.transaction_status != TransactionStatus.IDLE:
                end_shared(connection, held, _new_seed())
            connection.rollback()
            if not self.is_pooled:
                connection.execute(b"DISCARD ALL")
        except psycopg.Error:
            connection.close()  # within a transaction: a pooler ends the server's connection too


class ReflectionConnection(Connection):
    """A connection that begins its transaction when a cursor is opened: SQLAlchemy rolls back before its first query.

    Until then it uses no connection of a pooler, which may have only one.
    """

    begin = b""

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        """A cursor in a transaction that has begun."""
        if self.begin and self.info.transaction_status == TransactionStatus.IDLE:
            _begin(self, self.begin)
        return super().cursor(*arguments, **options)

    def close(self) -> None:
        """Roll back and close: a pooler ends the server's connection too if a transaction is open."""
        if not self.closed:
            with suppress(psycopg.Error):
                self.rollback()
        super().close()


def read_transaction(connection: Connection, namespaces: Sequence[str]) -> Transaction:
    """The way to run transactions on a new connection, which is in autocommit mode.

    Args:
        connection: Just opened.
        namespaces: What the search path holds; none is the role's current path.

    Raises:
        psycopg.Error: the server was lost, or does not take a setting.
    """
    first = [_BEGIN, _deadline(CONNECT_SECONDS * 1000), *map(_default, (*_OWN_ROLE, "search_path"))]
    _begin(connection, "; ".join(first).encode())
    try:
        row = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
        is_pooled = row is None or row[0] != connection.info.backend_pid
        path = _search_path(connection, namespaces)
        settings = [*_known(connection), _set("search_path", path)]
        settings += _notice_loss(connection)
    finally:
        if not connection.closed:
            connection.rollback()
    return Transaction(tuple(settings), is_pooled)


def _begin(connection: Connection, statements: bytes, must_stop: Callable[[], bool] = lambda: False) -> None:
    """Begin; again where another client of a pooler has left a `statement_timeout` that ended one of the statements.

    Raises:
        psycopg.Error: no attempt began it, or it was cancelled because it must stop.
    """
    for left in reversed(range(_TRIES)):
        try:
            if connection.info.transaction_status != TransactionStatus.IDLE:
                connection.rollback()
            psycopg.Cursor(connection).execute(statements)
            return
        except errors.QueryCanceled:
            if must_stop() or not left:
                raise


def _known(connection: Connection) -> list[str]:
    names = [name.lower() for name in (*_OF_OTHERS, *_SETTINGS)]
    known = {str(row[0]).lower() for row in connection.execute(_KNOWN, (names,))}
    defaults = [_default(name) for name in (*_OWN_ROLE, *(name for name in _OF_OTHERS if name.lower() in known))]
    return defaults + [_set(name, f"'{value}'") for name, value in _SETTINGS.items() if name in known]


def _search_path(connection: Connection, namespaces: Sequence[str]) -> str:
    """Temporary tables come last."""
    names = list(namespaces) or [str(row[0]) for row in connection.execute(_PATH)]
    return ", ".join(composed.Identifier(name).as_string(None) for name in [*names, "pg_temp"])


def _notice_loss(connection: Connection) -> list[str]:
    """The setting with which a server notices that its client is gone; none on a system where it can't."""
    setting = _set(_NOTICE_LOSS, "'2s'")
    try:
        connection.execute(setting.encode())
    except psycopg.Error:
        return []
    return [setting]


def _new_seed() -> str:
    return f"SELECT pg_catalog.setseed({_RANDOM.uniform(-1, 1):.12f})"


def _default(name: str) -> str:
    return f"SET LOCAL {name} TO DEFAULT"


def _deadline(milliseconds: int) -> str:
    return _set("statement_timeout", str(milliseconds))


def _set(name: str, value: str) -> str:
    return f"SET LOCAL {name} = {value}"
