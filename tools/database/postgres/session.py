"""A PostgreSQL connection that runs bounded SELECT statements only."""

import os
import selectors
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg
from sqlalchemy import URL

from route_sql.tools.database.postgres.cells import SPELLING
from route_sql.tools.database.postgres.connection import Connection, TooMuch, connect, fault_of, reason_of
from route_sql.tools.database.postgres.role import read_role
from route_sql.tools.database.postgres.schema import current_fingerprint, readable_schema
from route_sql.tools.database.postgres.transaction import ReflectionConnection, read_transaction
from route_sql.tools.database.roles import RoleReport
from route_sql.tools.database.running.query import GIVE_UP
from route_sql.tools.database.running.server_session import (
    CANCEL_SECONDS,
    OWN_SECONDS,
    Fault,
    ServerSession,
    unavailable,
)
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema

TITLE = "PostgreSQL"
FIRST_ROWS = 8
MOST_ROWS = 1_000
PIECE_BYTES = 1_000_000
"""Approximate bytes that are fetched at once."""
COPIES = 4
"""Copies of incoming bytes in memory at most: libpq's buffer, twice as large, its result, and Python's."""


def open_session(name: str, url: URL, namespaces: Sequence[str], *, is_protected: bool = True) -> "PostgresSession":
    """Connect and set the session up.

    Raises:
        DatabaseUnavailable: the server can't be reached or refuses the login; no message holds any of the URL.
    """
    reason = ""
    try:
        return PostgresSession(name, url, namespaces, is_protected=is_protected)
    except psycopg.Error as error:
        reason = reason_of(error)
    raise unavailable(TITLE, name, reason)


class PostgresSession(ServerSession):
    """One connection and its rules; see `PostgresDatabase` for the protection."""

    driver_error = psycopg.Error
    title = TITLE
    spelling = SPELLING

    def __init__(self, name: str, url: URL, namespaces: Sequence[str], *, is_protected: bool = True) -> None:
        """Connect.

        Raises:
            psycopg.Error: the server can't be reached or refuses the login.
        """
        super().__init__(name)
        self._url = url
        self._is_protected = is_protected
        self._connection = connect(url, Connection)
        try:
            self._set_up(namespaces)
        except BaseException:  # no other code could close this connection
            self._connection.close()
            raise

    def _set_up(self, namespaces: Sequence[str]) -> None:
        self._connection.autocommit = True
        self._transaction = read_transaction(self._connection, namespaces)
        self.is_pooled = self._transaction.is_pooled
        if not self._is_protected:
            lasting = (setting.replace("SET LOCAL", "SET") for setting in self._transaction.settings)
            self._connection.execute("; ".join(lasting).encode())

    @contextmanager
    def select(self, sql: str, limits: Limits) -> Iterator[tuple[list[str], Iterable[Sequence[object]]]]:
        """See `ServerSession.select`."""
        text = sql.encode()
        if b"\0" in text:
            raise ValueError("the text holds a null character")
        self._connection.most_bytes = limits.memory_bytes // COPIES
        self._connection.most_seconds = limits.seconds + GIVE_UP
        milliseconds = max(1, round(limits.seconds * 1000))
        if not self._is_protected:
            yield from self._run_as_it_is(text, milliseconds)
            return
        with self._transaction.around(self._connection, milliseconds, lambda: self.is_stopped):
            with self._connection.cursor(name="route_sql", scrollable=False) as cursor:
                cursor.execute(text)
                yield [column.name for column in cursor.description or ()], _in_pieces(cursor)

    def _run_as_it_is(self, text: bytes, milliseconds: int) -> Iterator[tuple[list[str], Iterable[Sequence[object]]]]:
        self._connection.execute(f"SET statement_timeout = {milliseconds}".encode())
        with self._connection.cursor() as cursor:
            cursor.execute(text)
            yield [column.name for column in cursor.description or ()], cursor if cursor.description else ()

    def fault(self, error: Exception) -> Fault:
        """See `ServerSession.fault`."""
        if self._connection.closed and not isinstance(error, TooMuch):
            return Fault("lost")
        return fault_of(error)

    def cancel(self) -> None:
        """See `ServerSession.cancel`."""
        self._connection.cancel_safe(timeout=CANCEL_SECONDS)

    def cut(self) -> None:
        """See `ServerSession.cut`."""
        with suppress(OSError, psycopg.Error):  # closed in the meantime
            with socket.socket(fileno=os.dup(self._connection.fileno())) as double:
                double.shutdown(socket.SHUT_RDWR)

    @property
    def is_alive(self) -> bool:
        """Whether the connection is open: an idle one has nothing to read but its end."""
        if self._connection.closed:
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection.fileno(), selectors.EVENT_READ)
            return not selector.select(0)

    def disconnect(self) -> None:
        """See `ServerSession.disconnect`."""
        self._connection.close()

    def fingerprint(self, namespaces: Sequence[str]) -> str:
        """See `ServerSession.fingerprint`."""
        return current_fingerprint(self, namespaces)

    def reflect(self, namespaces: Sequence[str]) -> Schema:
        """See `ServerSession.reflect`."""
        try:
            own = self._for_reflection()
        except psycopg.Error as error:
            reason = reason_of(error)
        else:
            return readable_schema(self, own, namespaces)
        raise unavailable(TITLE, self.name, reason)

    def _for_reflection(self) -> ReflectionConnection:
        """A connection like this one that gives SQLAlchemy the Python values it expects."""
        own = connect(self._url, ReflectionConnection, plain=False)
        own.autocommit = True
        own.begin = self._transaction.begin(round(OWN_SECONDS * 1000))
        own.most_seconds = OWN_SECONDS + GIVE_UP
        return own

    def role(self, namespaces: Sequence[str]) -> RoleReport:
        """See `ServerSession.role`."""
        return read_role(self, namespaces)


def _in_pieces(cursor: psycopg.ServerCursor[tuple[object, ...]]) -> Iterator[Sequence[object]]:
    """Rows in pieces of about a megabyte, estimated from the rows before."""
    wanted, seen, size = FIRST_ROWS, 0, 0
    while rows := cursor.fetchmany(wanted):
        for row in rows:
            size += sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
            yield row
        seen += len(rows)
        wanted = max(1, min(MOST_ROWS, PIECE_BYTES * seen // max(size, 1)))
