"""The process in which SQLite runs: `python -m route_sql.tools.database.sqlite.child`, started by `processes.py`.

It imports little, so that it starts quickly; what reflection needs is imported with the first reflection.
"""

import sqlite3
import threading
from contextlib import closing, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import process_time

from route_sql.tools.database.running.child_loop import (
    ChildMessage,
    ParentPipe,
    end_after_work,
    hold_memory,
    serve_requests,
)
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.sqlite.connection import connect, is_lock, unavailable
from route_sql.tools.database.sqlite.reader import SQLiteReader
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

ROOM = 64_000_000
"""Memory beyond SQLite's heap limit, for the rows on their way; SQLite's own message comes first."""
_STATEMENTS = "SELECT CAST(type || name || coalesce(sql, '') AS BLOB) FROM sqlite_master"
_NO_TEXT = "the file is damaged: names or statements in its schema are not text; restore it from a backup"


class SQLiteEngine:
    """At most one open file."""

    def __init__(self, settings: ChildMessage, line: ParentPipe) -> None:
        """Open nothing yet."""
        self._memory: int = settings["memory_bytes"]
        self._line = line
        self._reader: SQLiteReader | None = None
        self._authorizer = True
        self._lock = threading.Lock()
        self._query: Query | None = None
        self._digested: tuple[object, str] | None = None
        hold_memory(self._memory + ROOM)

    def answer(self, request: ChildMessage) -> ChildMessage:
        """Do what a request says."""
        path = Path(request.get("path", ""))
        try:
            return self._answer(request, path)
        except DatabaseUnavailable as error:
            self._close()
            return _unavailable(error, error.__cause__)
        except sqlite3.Error as error:
            self._close()
            return _unavailable(unavailable(path, error), error)
        except UnicodeError as error:  # SQLite's own words about a damaged schema, which quote it
            self._close()
            return _unavailable(DatabaseUnavailable(f"{path}: {_NO_TEXT}"), error)
        except MemoryError:
            self._close()
            return {"fault": "memory"}

    def interrupt(self) -> None:
        """Stop the query."""
        with self._lock:
            if self._query is not None:
                self._query.stop()

    def _answer(self, request: ChildMessage, path: Path) -> ChildMessage:
        match request["do"]:
            case "run":
                return self._run(request, path)
            case "open":
                return self._open(path, request["authorizer"])
            case "version":
                return {"version": self._version(path, request["locked_seconds"])}
            case "reflect":
                return self._reflect(path, request)
            case _:
                self._close()
                return {}

    def _open(self, path: Path, authorizer: bool) -> ChildMessage:
        self._close()
        self._authorizer = authorizer
        self._reader = SQLiteReader(path, self._memory, authorizer=authorizer)
        return {"opened": True}

    def _run(self, request: ChildMessage, path: Path) -> ChildMessage:
        if self._reader is None or not self._reader.is_current:
            self._open(path, self._authorizer)
        assert self._reader is not None
        query = Query(request["sql"], Limits(**request["limits"]))
        with self._lock:
            self._query = query
        try:
            return {"outcome": self._reader.run(query)}
        finally:
            with self._lock:
                self._query = None

    def _version(self, path: Path, locked_seconds: float) -> str:
        """The version of the schema, and its digest: another database of the same version may be copied over it."""
        with closing(connect(path, locked_seconds)) as connection:
            version = connection.execute("PRAGMA schema_version").fetchone()[0]
            place = path, connection.state, version
            if self._digested is None or self._digested[0] != place:
                self._digested = place, _digest(connection)
            return f"{version} {self._digested[1]}"

    def _reflect(self, path: Path, request: ChildMessage) -> ChildMessage:
        from route_sql.tools.database.sqlite.reflection import read_schema  # SQLAlchemy takes long to import

        hold_memory(self._memory + ROOM)
        with closing(connect(path, request["locked_seconds"])) as connection:
            connection.execute(f"PRAGMA hard_heap_limit = {self._memory}")
            step_end = partial(_end_step, process_time() + request["work_seconds"])
            try:
                answer = read_schema(connection, path, frozenset(request["skipped"]), self._line.at, step_end)
            finally:
                end_after_work(0)
            return {**answer, "stand_ins": connection.stand_ins}

    def _close(self) -> None:
        if self._reader is not None:
            with suppress(sqlite3.Error):
                self._reader.close()
            self._reader = None


def _end_step(latest: float, seconds: float) -> None:
    """End the process after a step's processor time, or at the latest when that of the whole request is over."""
    end_after_work(max(min(seconds, latest - process_time()), 0.01))


def _unavailable(said: DatabaseUnavailable, cause: BaseException | None) -> ChildMessage:
    return {"fault": "unavailable", "message": str(said), "locked": str(cause) if is_lock(cause) else None}


def _digest(connection: sqlite3.Connection) -> str:
    """A digest of the schema's statements; blank if they can't be read, which reading the schema reports."""
    digest = sha256()
    try:
        for (statement,) in connection.execute(_STATEMENTS):
            digest.update(statement)
    except sqlite3.Error as error:
        if is_lock(error):
            raise
        return ""
    return digest.hexdigest()


if __name__ == "__main__":
    serve_requests(SQLiteEngine)
