"""Connections to PostgreSQL: the meaning of a URL, and of errors."""

import math
import socket
import struct
import sys
from collections.abc import Generator
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from sqlalchemy import URL

from route_sql.tools.database.postgres.cells import plain_cells
from route_sql.tools.database.running.server_session import CONNECT_SECONDS, LOCKED, ONE_SELECT, Fault

_T = TypeVar("_T")
_BYTES_RECEIVED = struct.Struct("=128xQ")
"""Place of the count of received bytes in Linux's `tcp_info`."""


class TooMuch(psycopg.DatabaseError):
    """A result has more bytes than one query may take."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed when one answer has more than `most_bytes` or takes more than `most_seconds`.

    Bytes are counted where the system does: TCP on Linux. libpq reads as long as bytes come, so more of
    them may be in memory before a result from a fast server is refused.
    """

    most_bytes = sys.maxsize
    most_seconds: float = CONNECT_SECONDS

    def wait(self, gen: Generator[Any, Any, _T], *arguments: Any, **options: Any) -> _T:
        """Wait as psycopg does, but with a deadline."""
        return super().wait(self._bounded(gen), *arguments, **options)

    def _bounded(self, steps: Generator[Any, Any, _T]) -> Generator[Any, Any, _T]:
        most, end = self._received() + self.most_bytes, monotonic() + self.most_seconds
        try:
            wanted = next(steps)
            while True:
                ready = yield wanted
                self._check(most, end)
                wanted = steps.send(ready)
        except StopIteration as stop:
            self._check(most)
            value: _T = stop.value
            return value

    def _check(self, most: int, end: float = math.inf) -> None:
        if self._received() > most:
            self.close()
            raise TooMuch("the result has too many bytes")
        if monotonic() > end:
            self.close()
            raise psycopg.OperationalError("timeout expired")

    def _received(self) -> int:
        if sys.platform != "linux":
            return 0
        with socket.socket(fileno=self.fileno()) as opened:
            try:
                count: int = _BYTES_RECEIVED.unpack(opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136))[0]
                return count
            except (OSError, struct.error):
                return 0  # a Unix socket, or an old kernel
            finally:
                opened.detach()


_C = TypeVar("_C", bound=Connection)


def connect(url: URL, kind: type[_C], *, plain: bool = True) -> _C:
    """Connect as a URL says. Nothing is ever prepared: a pooler gives the next statement to another connection.

    Args:
        url: Server, user and options.
        kind: The class of the connection.
        plain: Whether dates, JSON and the like come as the text that PostgreSQL writes.

    Raises:
        psycopg.Error: the server can't be reached or refuses the login.
    """
    _, options = url.set(drivername="postgresql+psycopg").get_dialect()().create_connect_args(url)
    options.setdefault("connect_timeout", CONNECT_SECONDS)
    options.setdefault("application_name", "route-sql")
    fixed = {"client_encoding": "utf8", "prepare_threshold": None}
    return kind.connect(**{**options, **fixed}, context=plain_cells() if plain else None)


def fault_of(error: Exception) -> Fault:
    """The meaning of an error; its first sentence, and the server's hint, without details."""
    if isinstance(error, TooMuch | errors.OutOfMemory):
        return Fault("memory")
    if isinstance(error, errors.QueryCanceled):
        return Fault("timeout")
    if isinstance(error, errors.LockNotAvailable):
        return Fault("error", LOCKED)
    if isinstance(error, errors.AdminShutdown | errors.CrashShutdown | errors.IdleInTransactionSessionTimeout):
        return Fault("lost")
    message = _sentence(error)
    if isinstance(error, errors.ReadOnlySqlTransaction | errors.InsufficientPrivilege):
        return Fault("refused", message)
    if isinstance(error, errors.SyntaxError) and "multiple commands" in message:
        return Fault("refused", f"{ONE_SELECT}; this text holds several")
    return Fault("error", message)


def _sentence(error: Exception) -> str:
    diagnosis = error.diag if isinstance(error, psycopg.Error) else None
    if diagnosis is None or not diagnosis.message_primary:
        return str(error).partition("\n")[0]
    return (
        f"{diagnosis.message_primary} ({diagnosis.message_hint})"
        if diagnosis.message_hint
        else diagnosis.message_primary
    )


_REASONS = (
    ("no password supplied", "it asks for a password; put one into the url, best as ${VARIABLE}"),
    ("authentication failed", "user or password are wrong; check the url"),
    ("pg_hba.conf", "it lets this user or this machine not in; an administrator must allow it in pg_hba.conf"),
    ("too many", "it has no connection left; lower pool, or raise its limit of connections"),
    ("no more connections", "it has no connection left; lower pool, or raise its limit of connections"),
    ("query_wait_timeout", "the pooler in between has no connection free; lower pool, or raise the pooler's pool_size"),
    ("unsupported startup parameter", "the pooler in between takes no startup options; unset PGOPTIONS"),
    ("cannot connect to server", "the pooler in between can't reach it; see that it runs"),
    ("no such database", "there is no such database, or the role may not connect to it; check the url"),
    ("role ", "there is no such role, or it may not log in; check the url"),
    ("database ", "there is no such database, or the role may not connect to it; check the url"),
    ("invalid connection option", "the url has an option that PostgreSQL does not know; check what follows the ?"),
    ("refused", "nothing listens at that host and port; see that it runs and check the url"),
    ("No such file", "there is no socket at that place; see that it runs and check the url"),
    ("translate host", "the host's name is unknown; check the url"),
    ("resolve host", "the host's name is unknown; check the url"),
    ("timeout", f"it did not answer within {CONNECT_SECONDS} s; check host, port and firewall"),
    ("SSL", "no encrypted connection could be made; check sslmode and its certificates"),
    ("starting up", "it is starting up; ask again in a moment"),
    ("shutting down", "it is shutting down; ask again later"),
)


def reason_of(error: psycopg.Error) -> str:
    """The reason why there is no connection and the remedy, without the driver's words, which name the user."""
    text = str(error)
    if error.sqlstate and error.diag.message_primary and error.sqlstate[:2] not in ("08", "28", "3D", "53", "57"):
        return f"the session could not be set up ({error.diag.message_primary}); check the pooler or proxy in between"
    return next((reason for sign, reason in _REASONS if sign in text), "no connection could be made; check the url")
