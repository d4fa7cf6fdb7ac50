"""SQLite files: opening one read-only, and explaining why one can't be read."""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import process_time

from route_sql.tools.database.running.query import Query
from route_sql.tools.database.sqlite.collations import add_stand_ins
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits
from route_sql.tools.text import clean

SAID_CHARS = 300
"""Characters of SQLite's words about a file, which quote names in it."""
OPCODES = 2_000
"""Steps of SQLite's virtual machine between two looks at the clock."""

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)

_LOGS = ("-journal", "-wal", "-shm")

FileState = tuple[int, ...]
"""Identity, size and times of a file."""


class FileConnection(sqlite3.Connection):
    """A connection, and what had to be done so that the file can be read."""

    stand_ins: tuple[str, ...] = ()
    """Collations that only the program which wrote the file has."""
    state: FileState | None = None
    """The file's state when it was opened."""
    is_immutable: bool = False
    """Whether the file was opened as immutable, so that SQLite does not look at its log."""

    def is_current(self, path: Path) -> bool:
        """Whether the file is as it was opened.

        SQLite notices what other programs write. It does not notice a copy of another database over the file, and then
        reads the new file by the old schema.
        """
        return self.state == file_state(path) and not (self.is_immutable and _has_changes(path))


def connect(path: Path, locked_seconds: float = 0.0) -> FileConnection:
    """A read-only connection to a file that must exist; no authorizer, so for our own statements only.

    A file in WAL mode in a folder that can't be written is opened as immutable, if its log holds no change. Unknown
    collations have substitutes.

    Args:
        path: The file.
        locked_seconds: How long a statement waits for another program's lock.

    Raises:
        DatabaseUnavailable: there is no such file, or it can't be opened.
    """
    check_file(path, "SQLite")
    _check_logs(path)
    state = file_state(path)
    connection = _opened(path, "mode=ro", locked_seconds)
    if _has_write_ahead_log(path) and not _has_changes(path) and _needs_its_folder(connection):
        connection.close()
        connection = _opened(path, "mode=ro&immutable=1", locked_seconds)
        connection.is_immutable = True
    connection.state = state
    with closed_on_failure(connection):
        connection.stand_ins = add_stand_ins(connection)
    return connection


def _opened(path: Path, options: str, locked_seconds: float) -> FileConnection:
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{options}",
            uri=True,
            timeout=locked_seconds,
            isolation_level=None,
            check_same_thread=False,
            factory=FileConnection,
        )
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    connection.text_factory = _text
    with closed_on_failure(connection):
        connection.execute("PRAGMA query_only = ON")
    return connection


def _needs_its_folder(connection: sqlite3.Connection) -> bool:
    """Whether SQLite can't read a file because it can't make the files of the WAL mode next to it."""
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        return _is_about_folder(getattr(error, "sqlite_errorcode", 0))
    return False


def _is_about_folder(code: int) -> bool:
    return code & 0xFF == sqlite3.SQLITE_CANTOPEN or code == sqlite3.SQLITE_READONLY_DIRECTORY


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _has_changes(path: Path) -> bool:
    """Whether there is a log with changes that are not in the file yet, or one that can't be looked at."""
    try:
        return _log(path).stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError:
        return True


@contextmanager
def closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    """Close a connection that can't be prepared, since a kept error would keep the file open."""
    try:
        yield
    except BaseException:  # Ctrl-C too: nothing else could close this connection
        connection.close()
        raise


def unavailable(path: Path, error: BaseException | None) -> DatabaseUnavailable:
    """SQLite's error about a file, as an exception that says what to do."""
    return DatabaseUnavailable(f"{path}: {_reason(path, error)}")


def is_lock(error: BaseException | None) -> bool:
    """Whether an error says that another program holds the file."""
    code = getattr(error, "sqlite_errorcode", 0) if isinstance(error, sqlite3.Error) else 0
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def identity(path: Path) -> tuple[int, int] | None:
    """Identity of a file, which changes when another file takes its place; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def file_state(path: Path) -> FileState | None:
    """State of a file, which changes with each write to it too; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def read_rows(
    connection: sqlite3.Connection, sql: str, limits: Limits, too_costly: Callable[[], None]
) -> list[tuple[object, ...]]:
    """The rows of one of our own queries as they are, within limits; none if the query fails.

    Args:
        connection: The open file.
        sql: The query.
        limits: Its limits.
        too_costly: Called if the time or the memory did not suffice.
    """
    query = Query(sql, limits, clock=process_time)  # on a busy machine samples must not get lost
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
    except MemoryError:
        too_costly()
        return []
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_TOOBIG:
            return rows  # as if the rows before it had used all bytes
        if code in (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM):
            too_costly()
        return []  # a view on a table that is gone, or the deadline: samples are worth no more
    finally:
        connection.set_progress_handler(None, 0)
    return rows


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def check_file(path: Path, engine: str) -> None:
    """Check a path before it is opened: a pipe would wait for its writer, a device has no end.

    Raises:
        DatabaseUnavailable: there is no such file, or it is something else, or it may not be read.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise DatabaseUnavailable(f"there is no file {path}; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        said = error.strerror if isinstance(error, OSError) else error
        raise DatabaseUnavailable(f"{path} can't be looked at: {said}") from error
    if stat.S_ISDIR(mode):
        raise DatabaseUnavailable(f"{path} is a folder; name the {engine} file in it")
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
        raise DatabaseUnavailable(f"{path} is not a regular file but {kind}; name a {engine} file")
    if not os.access(path, os.R_OK):
        raise DatabaseUnavailable(f"{path} may not be read by this user; change its permissions")


def _check_logs(path: Path) -> None:
    """Check the files that SQLite opens together with this one: a pipe among them would wait for its writer.

    Raises:
        DatabaseUnavailable: one of them is not a file.
    """
    for log in (path.with_name(path.name + ending) for ending in _LOGS):
        with suppress(OSError):  # it is missing, which is usual, or SQLite will report more about it
            if not stat.S_ISREG(log.stat().st_mode):
                raise DatabaseUnavailable(f"{path}: {log.name} next to it is not a regular file; remove it")


def is_file_fault(code: int) -> bool:
    """Whether an error code is about the file, not about the query."""
    recovery = (
        sqlite3.SQLITE_READONLY_ROLLBACK,
        sqlite3.SQLITE_READONLY_RECOVERY,
        sqlite3.SQLITE_READONLY_CANTINIT,
        sqlite3.SQLITE_READONLY_DIRECTORY,
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
    if _is_about_folder(code) and _has_write_ahead_log(path):
        return _reason_of_log(_log(path))
    if primary == sqlite3.SQLITE_READONLY:
        return "its last writer did not finish; open it once with the sqlite3 shell to recover it"
    if primary == sqlite3.SQLITE_CORRUPT:
        return f"the file is damaged ({clean(str(error), SAID_CHARS)}); restore it from a backup"
    return f"it can't be read: {clean(str(error), SAID_CHARS)}"


def _reason_of_log(log: Path) -> str:
    if log.exists() and not os.access(log, os.R_OK):
        return f"its last changes are in {log.name}, which this user may not read; change its permissions"
    return (
        f"its last changes are in {log.name}, which SQLite can't read in a folder that it can't write to; copy the "
        f"file and {log.name} to a folder that can be written, or close it once with a program that may write here"
    )


def _has_write_ahead_log(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(20)[18:20] == b"\x02\x02"
    except OSError:
        return False
