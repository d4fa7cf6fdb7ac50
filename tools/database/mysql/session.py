"""A MySQL or MariaDB connection that runs bounded SELECT statements only."""

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress

import pymysql
from pymysql.cursors import SSCursor
from sqlalchemy import URL

from route_sql.tools.database.mysql.cells import read_computed_bits
from route_sql.tools.database.mysql.connection import allow, connect, fault_of, reason_of, reset
from route_sql.tools.database.mysql.role import read_role
from route_sql.tools.database.mysql.schema import current_fingerprint, readable_schema
from route_sql.tools.database.roles import RoleReport
from route_sql.tools.database.running.query import GIVE_UP
from route_sql.tools.database.running.server_session import (
    CANCEL_SECONDS,
    CONNECT_SECONDS,
    IDLE_SECONDS,
    LOCK_SECONDS,
    ONE_SELECT,
    Fault,
    ServerSession,
    unavailable,
)
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema

TITLE = "MySQL or MariaDB"
DISK_PER_MEMORY = 16
"""Bytes of temporary tables on the server's disk for each byte of a query's memory."""
_SMALLEST_MEMORY = 16_000_000
_READ_OTHERWISE = {
    "ANSI_QUOTES",
    "NO_BACKSLASH_ESCAPES",
    "PIPES_AS_CONCAT",
    "IGNORE_SPACE",
    "ANSI",
    "ORACLE",
    "DB2",
    "MAXDB",
    "MSSQL",
    "POSTGRESQL",
}
"""Modes in which the server reads a text differently than the guard."""
_READ_ONLY = "SHOW SESSION VARIABLES WHERE variable_name IN ('tx_read_only', 'transaction_read_only')"
"""Its name changed in MySQL 8 and MariaDB 11."""


def open_session(name: str, url: URL, memory_bytes: int, *, is_protected: bool = True) -> "MySQLSession":
    """Connect and set the session up.

    Raises:
        DatabaseUnavailable: the server can't be reached or refuses the login; no message holds any of the URL.
    """
    reason = ""
    try:
        return MySQLSession(name, url, memory_bytes, is_protected=is_protected)
    except (pymysql.err.MySQLError, ValueError, OSError) as error:
        reason = reason_of(error)
    raise unavailable(TITLE, name, reason)


class MySQLSession(ServerSession):
    """One connection and its rules; see `MySQLDatabase` for the protection."""

    driver_error = pymysql.err.MySQLError
    title = TITLE

    def __init__(self, name: str, url: URL, memory_bytes: int, *, is_protected: bool = True) -> None:
        """Connect.

        Raises:
            pymysql.err.MySQLError: the server can't be reached or refuses the login.
        """
        super().__init__(name)
        self._url = url
        self._is_protected = is_protected
        self._is_spent = False
        self._has_deadline = False
        self._connection = connect(url, CONNECT_SECONDS)
        self.is_mariadb = "mariadb" in self._connection.get_server_info().lower()
        try:
            self._set_up(memory_bytes)
        except BaseException:  # no other code could close this connection
            self.disconnect()
            raise

    def _set_up(self, memory_bytes: int) -> None:
        with self._connection.cursor() as cursor:
            deadline = "@@SESSION.max_statement_time" if self.is_mariadb else "@@SESSION.max_execution_time"
            cursor.execute(f"SELECT @@SESSION.sql_mode, {deadline}")
            mode, seconds = cursor.fetchone()
            cursor.execute(_READ_ONLY)
            names = [str(row[0]) for row in cursor.fetchall()]
        self._has_deadline = bool(seconds)
        modes = (mode for mode in str(mode).split(",") if mode.isidentifier() and mode not in _READ_OTHERWISE)
        settings = {"sql_mode": f"'{','.join(modes)}'", "autocommit": 1}
        settings |= dict.fromkeys(("lock_wait_timeout", "innodb_lock_wait_timeout"), LOCK_SECONDS)
        if self._is_protected:
            settings |= dict.fromkeys(names, 1)
        if self.is_mariadb:
            memory = max(memory_bytes, _SMALLEST_MEMORY)
            settings["idle_readonly_transaction_timeout"] = IDLE_SECONDS
            settings |= {"max_session_mem_used": memory, "tmp_disk_table_size": DISK_PER_MEMORY * memory}
        self._settings = ", ".join(f"SESSION {name} = {value}" for name, value in settings.items())

    @contextmanager
    def select(self, sql: str, limits: Limits) -> Iterator[tuple[list[str], Iterable[Sequence[object]]]]:
        """See `ServerSession.select`."""
        allow(self._connection, limits.seconds + GIVE_UP)
        self._begin(limits)
        cursor = self._connection.cursor(SSCursor)
        rows = _CursorRows(cursor, limits.rows)
        try:
            cursor.execute(sql)
            if cursor.description is None and self._is_protected:
                self._is_spent = True
                raise pymysql.err.NotSupportedError
            rows.are_left = cursor.description is not None
            if rows.are_left:
                read_computed_bits(cursor._result)
            yield [str(column[0]) for column in cursor.description or ()], rows
            rows.end()
        finally:
            self._end(cursor, rows)

    def _begin(self, limits: Limits) -> None:
        seconds = max(limits.seconds, 0.001)
        deadline = f"max_statement_time = {seconds:.3f}"
        if not self.is_mariadb:
            deadline = f"max_execution_time = {max(1, round(seconds * 1000))}"
        with self._connection.cursor() as cursor:
            most = f"SESSION sql_select_limit = {limits.rows + 1}"
            cursor.execute(f"SET NAMES utf8mb4, {self._settings}, SESSION {deadline}, {most}")
            if self._is_protected:
                cursor.execute("START TRANSACTION READ ONLY")

    def _end(self, cursor: SSCursor, rows: "_CursorRows") -> None:
        """Reset the session; if rows are left it is closed, since reading all of them could take forever."""
        if rows.are_left or not self._connection.open:
            self._is_spent = True
            self.cut()
            if self._connection._result is not None:
                self._connection._result.unbuffered_active = False  # else closing, now or later, reads to the end
        cursor.close()
        if not self._is_spent and self._is_protected:
            try:
                reset(self._connection)
            except pymysql.err.MySQLError:  # an old server or a proxy in between that can't: the next query connects
                self._is_spent = True

    def fault(self, error: Exception) -> Fault:
        """See `ServerSession.fault`."""
        if isinstance(error, pymysql.err.NotSupportedError):
            return Fault("refused", ONE_SELECT)
        return Fault("lost") if not self._connection.open else fault_of(error)

    def cancel(self) -> None:
        """See `ServerSession.cancel`."""
        with closing(connect(self._url, CANCEL_SECONDS)) as other, other.cursor() as cursor:
            cursor.execute(f"KILL QUERY {self._connection.thread_id()}")

    def cut(self) -> None:
        """See `ServerSession.cut`."""
        opened = self._connection._sock  # the driver offers no other way to wake a thread that reads
        if opened is not None:
            with suppress(OSError):  # closed in the meantime
                opened.shutdown(socket.SHUT_RDWR)

    @property
    def is_alive(self) -> bool:
        """Whether the connection is open: the server answers."""
        if self._is_spent or not self._connection.open:
            return False
        allow(self._connection, CONNECT_SECONDS)
        try:
            self._connection.ping(reconnect=False)
        except (pymysql.err.MySQLError, OSError):
            return False
        return True

    def disconnect(self) -> None:
        """See `ServerSession.disconnect`."""
        allow(self._connection, CANCEL_SECONDS)
        with suppress(pymysql.err.MySQLError, OSError):  # it is closed, or was cut
            self._connection.close()

    def fingerprint(self, namespaces: Sequence[str]) -> str:
        """See `ServerSession.fingerprint`."""
        return current_fingerprint(self, namespaces)

    def reflect(self, namespaces: Sequence[str]) -> Schema:
        """See `ServerSession.reflect`."""
        return readable_schema(self, namespaces)

    def role(self, namespaces: Sequence[str]) -> RoleReport:
        """See `ServerSession.role`."""
        return read_role(self, namespaces, self._has_deadline if self.is_mariadb else None)


class _CursorRows:
    """The rows of a cursor one by one, and whether there may be more of them."""

    def __init__(self, cursor: SSCursor, most: int) -> None:
        self._cursor = cursor
        self._most = most
        self._seen = 0
        self.are_left = False

    def __iter__(self) -> Iterator[Sequence[object]]:
        self.are_left = self._cursor.description is not None
        while self.are_left:
            row = self._next()
            if row is None:
                return
            yield row

    def end(self) -> None:
        """Read to the end, after the last row that the server was asked for."""
        if self.are_left and self._seen > self._most:
            self._next()

    def _next(self) -> Sequence[object] | None:
        try:
            row: Sequence[object] | None = self._cursor.fetchone()
        except pymysql.err.MySQLError:
            self.are_left = False
            raise
        self._seen += 1
        self.are_left = row is not None
        return row
