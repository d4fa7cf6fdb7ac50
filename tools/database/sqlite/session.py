"""The parent's side of SQLite: a process for as long as a query runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import cast

from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.database.running.child_loop import ChildMessage
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.sqlite.connection import check_file, identity
from route_sql.tools.database.sqlite.processes import PROCESSES, OpenFile, SQLiteProcess
from route_sql.tools.database.sqlite.skipping import BUSY_FACTOR, ReflectionStopped
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

OPEN_SECONDS = 10.0
"""Seconds that opening a file may take: it can have virtual tables whose opening never ends."""
LOCKED_SECONDS = 5.0
_TIMEOUT = "the query took longer than {seconds:g} s and was stopped"
STOPPED = "the query was cancelled"
_MEMORY = "the query needs more than {megabytes} MB of memory"
_NOT_OPENED = "it can't be opened within {seconds:g} s and {megabytes} MB of memory"
_NO_START = "the process for SQLite did not start with {megabytes} MB of memory; see what it wrote to stderr"


class FileLocked(DatabaseUnavailable):
    """Another program held the file for longer than the wait."""

    def __init__(self, message: str, said: str) -> None:
        """Keep SQLite's own words too, for a query's outcome."""
        super().__init__(message)
        self.said = said


class SQLiteSession:
    """A file and its rules. It holds a process only while it works."""

    def __init__(self, path: Path, memory_bytes: int, *, authorizer: bool = True) -> None:
        """Look at the file; see `SQLiteDatabase` for the authorizer.

        Raises:
            DatabaseUnavailable: there is no such file, or it is something else.
        """
        check_file(path, "SQLite")
        self._path = path
        self._memory = memory_bytes
        self.file = identity(path)
        self._authorizer = authorizer
        self._place: OpenFile = (file_key(path), self.file, authorizer)

    @property
    def is_usable(self) -> bool:
        """Whether another query may run on it: the file is still the one that was opened."""
        return identity(self._path) == self.file

    def close(self) -> None:
        """Do nothing: the process is given back after each query."""

    def run(self, query: Query) -> Outcome:
        """Run a query in a process, waiting for a lock for up to 5 seconds of its time.

        Raises:
            DatabaseUnavailable: the file can't be read.
        """
        with self._open_process(query) as process:
            if process is None:
                return failed("timeout", STOPPED)
            answer = process.ask(query, {"do": "run", "sql": query.sql, "limits": asdict(query.limits), **self._named})
            if "outcome" in answer:
                return cast(Outcome, answer["outcome"])
            self._check(process, answer)
            return _ended(query, answer)

    def version(self, query: Query) -> str:
        """The version of the schema, and a digest of it.

        Raises:
            DatabaseUnavailable: the file can't be read, or the query was stopped.
        """
        with self._process(None) as process:
            request = {"do": "version", "locked_seconds": self._locked_seconds(query), **self._named}
            answer = process.ask(query, request, seconds=OPEN_SECONDS)
            if query.is_stopped:
                raise ReflectionStopped(self._path)
            self._check(process, answer)
            if "version" not in answer:
                raise self._unavailable(_NOT_OPENED)
            version: str = answer["version"]
            return version

    def reflect(self, query: Query, skipped: list[str], at: Callable[[str], None], seconds: float) -> ChildMessage:
        """One try to read the schema; without `schema` in it, the process ended at the last place.

        It may take so many seconds of processor time, and `BUSY_FACTOR` times as many by the clock.

        Raises:
            DatabaseUnavailable: the file can't be read.
        """
        with self._process(None) as process:
            request = {"do": "reflect", "skipped": skipped, "locked_seconds": self._locked_seconds(query)}
            request = {**request, **self._named, "work_seconds": seconds}
            answer = process.ask(query, request, seconds=BUSY_FACTOR * seconds, at=at)
            self._check(process, answer)
            return answer

    def _locked_seconds(self, query: Query) -> float:
        return min(LOCKED_SECONDS, query.limits.seconds)

    @property
    def _named(self) -> ChildMessage:
        return {"path": str(self._path.absolute())}

    @contextmanager
    def _open_process(self, query: Query) -> Iterator[SQLiteProcess | None]:
        """A process with the file open; None if the query was stopped before that."""
        with self._process(self._place) as process:
            if process.place != self._place:
                process.place = None
                request = {"do": "open", "authorizer": self._authorizer, **self._named}
                answer = process.ask(query, request, seconds=OPEN_SECONDS)
                self._check(process, answer)
                if "opened" not in answer and not query.is_stopped:
                    raise self._unavailable(_NOT_OPENED)
                process.place = self._place if "opened" in answer else None
            yield process if process.place is not None else None

    @contextmanager
    def _process(self, place: OpenFile | None) -> Iterator[SQLiteProcess]:
        """A process, given back unless it ended or may still be at work."""
        process = PROCESSES.take(place, self._memory)
        try:
            if not process.opened:
                raise self._unavailable(_NO_START)
            yield process
        except DatabaseUnavailable:  # the process has answered, or it has ended
            _give_back(process)
            raise
        except BaseException:  # Ctrl-C too: nothing else could end this process
            PROCESSES.end_one(process)
            raise
        _give_back(process)

    def _check(self, process: SQLiteProcess, answer: ChildMessage) -> None:
        """Raise the error that the process reports about the file, which it has closed."""
        if answer.get("fault") in ("unavailable", "memory"):
            process.place = None
        if answer.get("locked"):
            raise FileLocked(answer["message"], answer["locked"])
        if answer.get("fault") == "unavailable":
            raise DatabaseUnavailable(answer["message"])

    def _unavailable(self, reason: str) -> DatabaseUnavailable:
        said = reason.format(seconds=OPEN_SECONDS, megabytes=self._memory // 1_000_000)
        return DatabaseUnavailable(f"{self._path}: {said}")


def file_key(path: Path) -> str:
    """The name by which processes know an open file."""
    return str(path.absolute())


def let_go(path: Path) -> None:
    """Close a file in the processes that are idle and have it open."""
    for process in PROCESSES.let_go(file_key(path)):
        process.ask(Query("", Limits()), {"do": "close"}, seconds=OPEN_SECONDS)
        process.place = None
        _give_back(process)


def _give_back(process: SQLiteProcess) -> None:
    if process.opened and process.is_alive:
        PROCESSES.give(process)
    else:
        PROCESSES.end_one(process)


def _ended(query: Query, answer: ChildMessage) -> Outcome:
    """The outcome of a query whose process ended."""
    if query.is_stopped or query.must_stop or answer.get("fault") == "timeout":
        is_late = query.seconds >= query.limits.seconds
        return failed("timeout", _TIMEOUT.format(seconds=query.limits.seconds) if is_late else STOPPED, query.seconds)
    return failed("error", _MEMORY.format(megabytes=query.limits.memory_bytes // 1_000_000), query.seconds)
