"""A SQLite connection that runs bounded SELECT statements only. It lives in a process of its own.

The static guard has read the text before. After that the connection is read-only three times: by the URI (`mode=ro`),
by an authorizer that allows reading and calling functions and nothing else, and by `query_only`. Work is bounded by the
progress handler (deadline, cancellation), memory by limits on values and by SQLite's heap limit. What these can't stop,
a function that works in one step or the compilation of a statement, ends with the process.

Big sorts spill to temporary files, not to the heap, so honest queries stay far below the heap limit.
"""

import re
import sqlite3
from pathlib import Path

from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.running.rows import fetch
from route_sql.tools.database.sqlite.connection import (
    OPCODES,
    closed_on_failure,
    connect,
    is_file_fault,
    unavailable,
)

BUSY_SECONDS = 5.0
BUSY_PAUSE = 0.02
QUADRATIC = re.compile(r"instr|replace|trim", re.IGNORECASE)
"""Functions whose time grows with the product of two lengths, in one step that can't be interrupted."""
QUADRATIC_LENGTH = 300_000
VALUES_IN_MEMORY = 64
"""Fraction of the memory that a value may take, so that a row of several such values still fits when it is copied."""

_CEILINGS = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
}
_DENIED_FUNCTIONS = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "sqlite_log"}
_VIRTUAL_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage = 0"
_JSON_TABLES = ("json_each", "json_tree")
_HARMLESS_PRAGMAS = {"data_version", "page_size"}
"""Full-text tables ask for these; a statement that begins with PRAGMA is refused before."""
_ACTIONS = {
    getattr(sqlite3, f"SQLITE_{name}"): name.replace("_", " ")
    for name in (
        "INSERT UPDATE DELETE PRAGMA ATTACH DETACH TRANSACTION SAVEPOINT ANALYZE REINDEX ALTER_TABLE "
        "CREATE_TABLE CREATE_INDEX CREATE_VIEW CREATE_TRIGGER CREATE_VTABLE DROP_TABLE "
        "DROP_INDEX DROP_VIEW DROP_TRIGGER DROP_VTABLE"
    ).split()
}
_TIMEOUT = "the query took longer than {seconds:g} s and was stopped"
_LOCKED = "database is locked"
_STOPPED = "the query was cancelled"


class SQLiteReader:
    """One connection and its rules. It serves one query at a time."""

    def __init__(self, path: Path, memory_bytes: int, *, authorizer: bool = True) -> None:
        """Open the file; see `SQLiteDatabase` for the authorizer.

        Raises:
            DatabaseUnavailable: there is no such file, it is no SQLite file, or it can't be opened.
        """
        self._path = path
        self._connection = connect(path)
        self._authorizer = self._authorize if authorizer else None
        self._denied: str | None = None
        with closed_on_failure(self._connection):
            self._harden(memory_bytes)
            self._schema_version = self._open_virtual_tables()

    @property
    def is_current(self) -> bool:
        """Whether the file is as it was opened."""
        return self._connection.is_current(self._path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def run(self, query: Query) -> Outcome:
        """Run a query in this thread, waiting for a lock for up to 5 seconds of its time.

        Raises:
            DatabaseUnavailable: the file can't be read.
        """
        self._bound(query)
        query.start(self._connection)
        try:
            outcome = self._patient(query)
            if outcome["status"] == "refused" and self._schema_has_changed():
                outcome = self._patient(query)
            return outcome
        finally:
            query.end()
            self._connection.set_progress_handler(None, 0)

    def _harden(self, memory_bytes: int) -> None:
        for limit, ceiling in _CEILINGS.items():
            self._connection.setlimit(limit, ceiling)
        self._connection.execute("PRAGMA trusted_schema = OFF")
        self._connection.execute("PRAGMA cell_size_check = ON")
        self._connection.execute(f"PRAGMA hard_heap_limit = {memory_bytes}")

    def _bound(self, query: Query) -> None:
        length = query.limits.memory_bytes // VALUES_IN_MEMORY
        if QUADRATIC.search(query.sql):
            length = min(length, QUADRATIC_LENGTH)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, length)
        self._connection.set_progress_handler(lambda: query.must_stop, OPCODES)

    def _schema_has_changed(self) -> bool:
        """Whether virtual tables had to be opened again: SQLite closes them when the schema changes."""
        before, self._schema_version = self._schema_version, self._open_virtual_tables()
        return before != self._schema_version

    def _open_virtual_tables(self) -> int:
        """Open full-text, R*Tree and JSON tables with the authorizer off: opening compiles writes.

        Returns:
            The version of the schema; -1 if it can't be read now; the query will report why.

        Raises:
            DatabaseUnavailable: it is no SQLite file, or damaged. A query without a table would not notice.
        """
        self._connection.set_authorizer(None)
        try:
            names = self._connection.execute(_VIRTUAL_TABLES).fetchall()
            version: int = self._connection.execute("PRAGMA schema_version").fetchone()[0]
            for name in [*(str(row[0]) for row in names), *_JSON_TABLES]:
                self._open_virtual_table(name)
            return version
        except sqlite3.Error as error:
            if is_file_fault(getattr(error, "sqlite_errorcode", 0)):
                raise unavailable(self._path, error) from error
            return -1
        finally:
            self._connection.set_authorizer(self._authorizer)

    def _open_virtual_table(self, name: str) -> None:
        quoted = name.replace('"', '""')
        try:
            self._connection.execute(f'SELECT 1 FROM "{quoted}" LIMIT 0').close()
        except sqlite3.Error:
            pass  # its module is not loaded: a query that names it will say so

    def _patient(self, query: Query) -> Outcome:
        """The outcome of a query that waits for a lock."""
        outcome = self._attempt(query)
        while outcome is None:
            query.pause(BUSY_PAUSE)
            late = query.must_stop
            outcome = failed("error", _LOCKED, query.seconds) if late else self._attempt(query)
        return outcome

    def _attempt(self, query: Query) -> Outcome | None:
        """The outcome; None if another connection holds the file locked and there is time to try again."""
        self._denied = None
        try:
            return self._fetch(query)
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                if not query.must_stop and query.seconds < BUSY_SECONDS:
                    return None
            return self._failed(query, error)
        except sqlite3.Warning as error:  # Python 3.11's way to say that there are two statements
            return failed("refused", f"only one statement may run: {error}", query.seconds)
        except MemoryError:
            limit = query.limits.memory_bytes // 1_000_000
            return failed("error", f"the query needs more than {limit} MB of memory", query.seconds)
        except ValueError as error:  # text that SQLite can't be given or column names that are not UTF-8
            return failed("error", f"the query can't be run: {error}", query.seconds)

    def _fetch(self, query: Query) -> Outcome:
        if query.must_stop:
            return failed("timeout", _STOPPED)
        cursor = self._connection.cursor()
        try:
            cursor.execute(query.sql)
            if cursor.description is None:
                return failed("error", "the text holds no statement", query.seconds)
            fetched = fetch(cursor, query.limits)
            columns = [str(column[0]) for column in cursor.description]
        finally:
            cursor.close()
        return fetched.outcome(columns, query.seconds)

    def _failed(self, query: Query, error: sqlite3.Error) -> Outcome:
        code = getattr(error, "sqlite_errorcode", 0)
        if code == sqlite3.SQLITE_INTERRUPT:
            late = query.seconds > query.limits.seconds
            text = _TIMEOUT.format(seconds=query.limits.seconds) if late else _STOPPED
            return failed("timeout", text, query.seconds)
        if self._denied is not None:
            return failed("refused", self._denied, query.seconds)
        if is_file_fault(code):
            raise unavailable(self._path, error) from error
        if isinstance(error, sqlite3.ProgrammingError) and "one statement" in str(error):
            return failed("refused", "only one statement may run; this text holds several", query.seconds)
        return failed("error", str(error), query.seconds)

    def _authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        """Allow reading tables and calling functions; SQLite asks for each while it compiles a statement."""
        denied = _denial(action, first or "", second or "")
        if denied is None:
            return sqlite3.SQLITE_OK
        self._denied = self._denied or denied
        return sqlite3.SQLITE_DENY


def _denial(action: int, first: str, second: str) -> str | None:
    if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
        return None
    if action == sqlite3.SQLITE_READ and not _is_system_table(first):
        return None
    if action == sqlite3.SQLITE_FUNCTION:
        return f"the function {second} may not be called" if second.lower() in _DENIED_FUNCTIONS else None
    if action == sqlite3.SQLITE_PRAGMA and first.lower() in _HARMLESS_PRAGMAS and not second:
        return None
    if _is_system_table(first):
        return f"it needs {first}, which may not be read; the tables of the schema may"
    return f"only one SELECT statement may run; this one does {_ACTIONS.get(action, 'something else')}"


def _is_system_table(name: str) -> bool:
    """Whether a table is SQLite's own; its statistics are harmless and R*Trees read them."""
    folded = name.lower()
    return (folded.startswith("sqlite_") and not folded.startswith("sqlite_stat")) or folded == "dbstat"
