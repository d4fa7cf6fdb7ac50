"""SQLite files: opening one read-only, and saying what is wrong with one that can't be read."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from route_sql.tools.database.outcome import Limits
from route_sql.tools.database.query import Query
from route_sql.tools.errors import DatabaseUnavailable

OPCODES = 2_000
"""Virtual machine steps between two looks at the clock."""


def connect(path: Path, locked_seconds: float = 0.0) -> sqlite3.Connection:
    """A read-only connection to a file that must exist; no authorizer, so for our own statements only.

    Args:
        path: The file.
        locked_seconds: How long a statement waits for another program's lock.

    Raises:
        DatabaseUnavailable: there is no such file, or it can't be opened.
    """
    _check_file(path)
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(
            uri, uri=True, timeout=locked_seconds, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    connection.text_factory = _text
    with closed_on_failure(connection):
        connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    """Close a connection that can't be made ready: as long as the error is kept, so would the open file be."""
    try:
        yield
    except BaseException:  # Ctrl-C too: nobody else has this connection to close it
        connection.close()
        raise


def unavailable(path: Path, error: BaseException | None) -> DatabaseUnavailable:
    """SQLite's error about a file, as one that says what to do."""
    return DatabaseUnavailable(f"{path}: {_reason(path, error)}")


def identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another that takes its place; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def read_rows(connection: sqlite3.Connection, sql: str, limits: Limits) -> list[tuple[object, ...]]:
    """The rows of one of our own queries as they are, within limits; none if the query fails."""
    query = Query(sql, limits)
    query.start(connection)
    connection.set_progress_handler(lambda: query.must_stop, OPCODES)
    rows: list[tuple[object, ...]] = []
    size = 0
    try:
        for row in connection.execute(sql):
            size += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
            if len(rows) == limits.rows or size > limits.result_bytes:
                break
            rows.append(row)
    except sqlite3.Error:
        return []  # a view on a table that is gone, or the deadline: samples are worth no more
    finally:
        connection.set_progress_handler(None, 0)
    return rows


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise DatabaseUnavailable(f"there is no file {path}; check the path") from None
    except OSError as error:
        raise DatabaseUnavailable(f"{path} can't be looked at: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise DatabaseUnavailable(f"{path} is a folder; name the SQLite file in it")
    if not stat.S_ISREG(mode):
        raise DatabaseUnavailable(f"{path} is not a regular file; name a SQLite file")
    if not os.access(path, os.R_OK):
        raise DatabaseUnavailable(f"{path} may not be read by this user; change its permissions")


def is_file_fault(code: int) -> bool:
    """Whether an error code is about the file, not about the query."""
    recovery = (
        sqlite3.SQLITE_READONLY_ROLLBACK,
        sqlite3.SQLITE_READONLY_RECOVERY,
        sqlite3.SQLITE_READONLY_CANTINIT,
    )
    primary = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)
    return code & 0xFF in primary or code in recovery


def _reason(path: Path, error: BaseException | None) -> str:
    code = getattr(error, "sqlite_errorcode", 0)
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_NOTADB:
        return "this is not a SQLite database, or it is encrypted; name an unencrypted SQLite file"
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "another program holds the database locked; try again when it has finished"
    if primary == sqlite3.SQLITE_CANTOPEN and _has_write_ahead_log(path):
        return (
            "the database is in WAL mode and its folder can't be written, which SQLite needs even to read "
            "it; copy it to a writable folder or switch it off with PRAGMA journal_mode = DELETE"
        )
    if primary == sqlite3.SQLITE_READONLY:
        return "its last writer did not finish; open it once with the sqlite3 shell to recover it"
    if primary == sqlite3.SQLITE_CORRUPT:
        return f"the file is damaged ({error}); restore it from a backup"
    return f"it can't be read: {error}"


def _has_write_ahead_log(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(20)[18:20] == b"\x02\x02"
    except OSError:
        return False
