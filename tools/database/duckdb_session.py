"""The parent's side of the process in which DuckDB runs; see `duckdb_child`."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from route_sql.tools.database.outcome import Limits, Outcome, failed
from route_sql.tools.database.query import Query
from route_sql.tools.database.rows import Fetched
from route_sql.tools.database.sqlite_file import identity
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table

STOP_SECONDS = 0.5
"""How long DuckDB has to stop a query that it was asked to stop, before its process is ended."""
OWN_SECONDS = 60.0
_CHILD = "route_sql.tools.database.duckdb_child"
_TIMEOUT = "the query took longer than {seconds:g} s and was stopped"
_STOPPED = "the query was cancelled"
_MEMORY = "the query needs more than {megabytes} MB of memory"


class DuckDBSession:
    """One process with the file open. It serves one query at a time."""

    def __init__(self, path: Path, memory_bytes: int, *, is_protected: bool = True) -> None:
        """Start the process and open the file.

        Raises:
            DatabaseUnavailable: there is no such file, or it is no DuckDB database, or another program writes to it.
        """
        _check_file(path)
        self._path = path
        self.file = identity(path)
        self._lock = threading.Lock()
        self._was_stopped = False
        self._free = threading.Event()
        self._spill = tempfile.TemporaryDirectory(prefix="route-sql-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        settings = {
            "path": str(path.absolute()),
            "memory_bytes": memory_bytes,
            "protected": is_protected,
            "spill": self._spill.name,
        }
        opened = self._answer(settings)
        if "opened" not in opened:
            self.close()
            raise unavailable(path, opened.get("message", "DuckDB did not start; see what it wrote to stderr"))

    @property
    def is_usable(self) -> bool:
        """Whether another query may run on it: it is alive, nobody tried to stop it, and the file is still there."""
        return not self._was_stopped and self._process.poll() is None and identity(self._path) == self.file

    def run(self, query: Query) -> Outcome:
        """Run a query in this thread."""
        answer = self._ask(query, {"do": "run", "sql": query.sql, "limits": asdict(query.limits)})
        return _failed(answer, query) if "columns" not in answer else _ran(answer, query)

    def reflect(self, namespaces: Sequence[str]) -> Schema:
        """The schema with samples.

        Raises:
            DatabaseUnavailable: the catalog can't be read.
        """
        answer = self._ask(Query("", Limits(OWN_SECONDS)), {"do": "reflect", "namespaces": list(namespaces)})
        if "schema" not in answer:
            raise unavailable(self._path, f"its catalog can't be read: {answer.get('message', 'DuckDB ended')}")
        return _schema(answer["schema"])

    def interrupt(self) -> None:
        """Ask DuckDB to stop, and end its process if it does not. Returns at once."""
        if self._was_stopped:
            return
        self._was_stopped = True
        threading.Thread(target=self._end_if_busy, name="stop-duckdb", daemon=True).start()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass  # what was not written yet can't be written any more
        self._spill.cleanup()

    def _ask(self, query: Query, request: dict[str, Any]) -> dict[str, Any]:
        if query.must_stop:
            return {"fault": "timeout"}
        self._free.clear()
        query.start(self)
        try:
            return self._answer(request)
        finally:
            query.end()
            self._free.set()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request; empty if the process ended instead."""
        self._send(request)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line.endswith("\n") else {}
        return answer

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            with self._lock:
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()
        except (OSError, ValueError):
            return  # the process has ended, which the answer will tell

    def _end_if_busy(self) -> None:
        self._send({"do": "stop"})
        if not self._free.wait(STOP_SECONDS):
            self._process.kill()


def unavailable(path: Path, reason: str) -> DatabaseUnavailable:
    """DuckDB's word about a file, as an exception that says what to do."""
    if "not a valid DuckDB database" in reason:
        reason = "this is not a DuckDB database; name a DuckDB file"
    elif "lock on file" in reason:
        reason = "another program has it open for writing; try again when it has closed it"
    elif "newer version" in reason or "older version" in reason:
        reason = f"{reason}; open it with the version of DuckDB that wrote it, or upgrade the package duckdb"
    return DatabaseUnavailable(f"{path}: {reason}")


def _check_file(path: Path) -> None:
    try:
        is_file = path.is_file()
        exists = is_file or path.exists()
    except OSError as error:
        raise DatabaseUnavailable(f"{path} can't be looked at: {error.strerror}") from error
    if not exists:
        raise DatabaseUnavailable(f"there is no file {path}; check the path")
    if not is_file:
        raise DatabaseUnavailable(f"{path} is not a regular file; name a DuckDB file")


def _ran(answer: dict[str, Any], query: Query) -> Outcome:
    fetched = Fetched(answer["rows"], answer["truncated"], answer["digest"])
    return fetched.outcome(answer["columns"], query.seconds)


def _failed(answer: dict[str, Any], query: Query) -> Outcome:
    kind = answer.get("fault")
    if query.must_stop or kind == "timeout":
        is_late = query.seconds >= query.limits.seconds
        return failed("timeout", _TIMEOUT.format(seconds=query.limits.seconds) if is_late else _STOPPED, query.seconds)
    if kind is None or kind == "memory":
        # A process that ended by itself ran out of memory in a place where DuckDB can't say so.
        return failed("error", _MEMORY.format(megabytes=query.limits.memory_bytes // 1_000_000), query.seconds)
    return failed("refused" if kind == "refused" else "error", answer["message"], query.seconds)


def _schema(plain: dict[str, Any]) -> Schema:
    return Schema(plain["dialect"], tuple(_table(table) for table in plain["tables"]))


def _table(plain: dict[str, Any]) -> Table:
    return Table(
        name=plain["name"],
        columns=tuple(map(_column, plain["columns"])),
        namespace=plain["namespace"],
        primary_key=tuple(plain["primary_key"]),
        foreign_keys=tuple(map(_foreign_key, plain["foreign_keys"])),
        comment=plain["comment"],
        is_view=plain["is_view"],
    )


def _column(plain: dict[str, Any]) -> Column:
    lists = {name: tuple(plain[name]) for name in ("samples", "labels", "type_names")}
    return Column(**{**plain, **lists, "fields": ()})


def _foreign_key(plain: dict[str, Any]) -> ForeignKey:
    return ForeignKey(tuple(plain["columns"]), plain["target_table"], tuple(plain["target_columns"]))
