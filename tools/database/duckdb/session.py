"""The parent's side of the process in which DuckDB runs; see `child`."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.database.running.child import Child
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.running.rows import Fetched
from route_sql.tools.database.sqlite.connection import check_file, file_state
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.schema.plain import from_plain
from route_sql.tools.schema.records import Schema

OWN_SECONDS = 60.0
SAMPLE_SECONDS = 10.0
"""Seconds to read the schema with samples of views."""
_CHILD = "route_sql.tools.database.duckdb.child"
_TIMEOUT = "the query took longer than {seconds:g} s and was stopped"
_STOPPED = "the query was cancelled"
_MEMORY = "the query needs more than {megabytes} MB of memory"


class DuckDBSession:
    """One process with the file open. It serves one query at a time."""

    def __init__(self, path: Path, memory_bytes: int, *, is_protected: bool = True) -> None:
        """Start the process and open the file.

        Raises:
            DatabaseUnavailable: there is no such file, or it is not a DuckDB database, or another program writes to it.
        """
        check_file(path, "DuckDB")
        self._path = path
        self.file = file_state(path)
        self._settings = {"path": str(path.absolute()), "memory_bytes": memory_bytes, "protected": is_protected}
        self._is_new = True
        self._start()

    @property
    def is_usable(self) -> bool:
        """Whether it can run another query: it is alive, and the file is as it was opened."""
        return self._child.is_alive and file_state(self._path) == self.file

    def run(self, query: Query) -> Outcome:
        """Run a query in this thread.

        Raises:
            DatabaseUnavailable: the process had to be replaced and the file can't be opened any more.
        """
        if query.must_stop:
            return _failed({"fault": "timeout"}, query)
        answer = self._run(query)
        return _failed(answer, query) if "columns" not in answer else _ran(answer, query)

    def _run(self, query: Query) -> dict[str, Any]:
        """The answer; once more, from a new process, if memory ran out in one that may hold some of earlier queries."""
        is_new = self._is_new
        self._is_new = False
        answer = self._child.ask(query, _request(query, query.limits.seconds))
        if is_new or query.must_stop or not _is_short_of_memory(answer):
            return answer
        self._restart()
        self._is_new = False
        left = query.limits.seconds - query.seconds
        return self._child.ask(query, _request(query, left), seconds=left) if left > 0 else {"fault": "timeout"}

    def _restart(self) -> None:
        """Replace the process.

        Raises:
            DatabaseUnavailable: the file can't be opened any more, or is another one now.
        """
        self.close()
        self._start()
        if file_state(self._path) != self.file:
            raise DatabaseUnavailable(f"{self._path}: the file was replaced while a query ran; ask again")

    def _start(self) -> None:
        self._spill = tempfile.TemporaryDirectory(prefix="route-sql-", ignore_cleanup_errors=True)
        self._child = Child(_CHILD, {**self._settings, "spill": self._spill.name})
        self._is_new = True
        if "opened" not in self._child.opened:
            self.close()
            reason = self._child.opened.get("message", "DuckDB did not start; see what it wrote to stderr")
            raise unavailable(self._path, reason)

    def reflect(self, query: Query, namespaces: Sequence[str]) -> tuple[Schema, bool]:
        """The schema with samples, and whether all tables and views have them; `query` is what stops it.

        DuckDB can't be stopped while it resolves a view of views, so a view that costs too much ends the process; the
        next process reads no samples of views.

        Raises:
            DatabaseUnavailable: the catalog can't be read, or the query was stopped.
        """
        answer = self._reflected(query, namespaces, views=True)
        is_whole = "schema" in answer
        if not is_whole and not query.is_stopped and answer.get("fault") in (None, "timeout", "memory"):
            if not self._child.is_alive:
                self._restart()
            answer = self._reflected(query, namespaces, views=False)
        if "schema" not in answer:
            raise unavailable(self._path, f"its catalog can't be read: {answer.get('message', 'DuckDB ended')}")
        return from_plain(answer["schema"]), is_whole and answer["sampled"]

    def _reflected(self, query: Query, namespaces: Sequence[str], *, views: bool) -> dict[str, Any]:
        self._is_new = False
        request = {"do": "reflect", "namespaces": list(namespaces), "views": views}
        return self._child.ask(query, request, seconds=SAMPLE_SECONDS if views else OWN_SECONDS)

    def interrupt(self) -> None:
        """Ask DuckDB to stop, and end its process if it does not stop. Returns at once."""
        self._child.interrupt()

    def close(self) -> None:
        """End the process, and remove what it has spilled."""
        self._child.close()
        self._spill.cleanup()


def unavailable(path: Path, reason: str) -> DatabaseUnavailable:
    """DuckDB's error about a file, as an exception that says what to do."""
    if "not a valid DuckDB database" in reason:
        reason = "this is not a DuckDB database; name a DuckDB file"
    elif "lock on file" in reason:
        reason = "another program has it open for writing; try again when it has closed it"
    elif "newer version" in reason or "older version" in reason:
        reason = f"{reason}; open it with the version of DuckDB that wrote it, or upgrade the package duckdb"
    return DatabaseUnavailable(f"{path}: {reason}")


def stopped(query: Query) -> Outcome:
    """The outcome of a query that its caller stopped or whose deadline has passed."""
    return _failed({"fault": "timeout"}, query)


def _request(query: Query, seconds: float) -> dict[str, Any]:
    return {"do": "run", "sql": query.sql, "limits": asdict(replace(query.limits, seconds=seconds))}


def _is_short_of_memory(answer: dict[str, Any]) -> bool:
    """Whether memory ran out; a process that ended by itself ran out of it in a place where DuckDB can't say so."""
    return not answer or answer.get("fault") == "memory"


def _ran(answer: dict[str, Any], query: Query) -> Outcome:
    fetched = Fetched(answer["rows"], answer["truncated"], answer["digest"])
    return fetched.outcome(answer["columns"], query.seconds)


def _failed(answer: dict[str, Any], query: Query) -> Outcome:
    kind = answer.get("fault")
    if query.must_stop or kind == "timeout":
        is_late = query.seconds >= query.limits.seconds
        return failed("timeout", _TIMEOUT.format(seconds=query.limits.seconds) if is_late else _STOPPED, query.seconds)
    if _is_short_of_memory(answer):
        return failed("error", _MEMORY.format(megabytes=query.limits.memory_bytes // 1_000_000), query.seconds)
    return failed("refused" if kind == "refused" else "error", answer["message"], query.seconds)
