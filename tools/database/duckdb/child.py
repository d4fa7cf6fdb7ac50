"""The process in which DuckDB runs: `python -m route_sql.tools.database.duckdb.child`, started by `DuckDBSession`.

DuckDB's own memory limit does not count the strings and lists that functions build, and nothing stops a function while
it works on one batch of rows. A process can be bounded in both: the operating system limits its memory, and it can be
ended in time.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import Any

import duckdb

from route_sql.tools.database.duckdb.cells import casting
from route_sql.tools.database.duckdb.schema import reflect_duckdb
from route_sql.tools.database.running.child_loop import ChildMessage, ParentPipe, hold_memory, serve_requests
from route_sql.tools.database.running.rows import fetch
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.reflection.samples import with_samples
from route_sql.tools.sql.parsing import tokens

THREADS = 2
SPILLED = 8
"""Bytes that may be spilled to disk, in multiples of the memory."""
BATCH = 64
ERROR_CHARS = 500
_MEMORY = (duckdb.OutOfMemoryException, MemoryError)
_SELECT, _MULTI, _CREATE = duckdb.StatementType.SELECT, duckdb.StatementType.MULTI, duckdb.StatementType.CREATE
_ONE_STATEMENT: tuple[list[duckdb.StatementType], ...] = ([], [_SELECT])
_RUINED = (duckdb.FatalException, duckdb.InternalException)


def _open(settings: ChildMessage, _: ParentPipe) -> "_DuckDBEngine | ChildMessage":
    try:
        return _DuckDBEngine(settings)
    except duckdb.Error as error:
        return _fault("unavailable", error)


class _DuckDBEngine:
    """The open database."""

    def __init__(self, settings: ChildMessage) -> None:
        self._is_protected: bool = settings["protected"]
        self._unsampled = 0  # tables whose samples were not read in time
        memory: int = settings["memory_bytes"]
        path: str = settings["path"]
        config: dict[str, str | bool | int | float | list[str]] = {
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "lock_configuration": "true",
            "memory_limit": f"{memory * 3 // 4}B",
            "threads": str(THREADS),
            "temp_directory": settings["spill"],
            "max_temp_directory_size": f"{SPILLED * memory}B",
        }
        if not self._is_protected:
            self._root = self.connection = duckdb.connect(path)
            return
        self._root = self.connection = duckdb.connect(path, read_only=True, config=config)
        tokens("SELECT 1", "duckdb")  # loads the dialect while there is memory for it
        hold_memory(memory)

    def interrupt(self) -> None:
        """Stop the query."""
        self.connection.interrupt()

    def answer(self, request: ChildMessage) -> ChildMessage:
        # A session of its own: seeds, variables and temporary tables end with it. The last one is not closed, as the
        # other thread may be about to interrupt it.
        self.connection = self._root.cursor()
        try:
            if request["do"] == "reflect":
                schema = self._reflected(request["namespaces"], views=request["views"])
                return {"schema": asdict(schema), "sampled": self._unsampled == 0}
            return self._run(request["sql"], Limits(**request["limits"]))
        except _MEMORY:
            # DuckDB gives back little of the memory that queries took: the next one needs a process of its own.
            return {"fault": "memory", "ruined": True}
        except duckdb.InterruptException:
            return {"fault": "timeout"}
        except duckdb.PermissionException as error:
            return _fault("refused", error)
        except (duckdb.Error, ValueError) as error:  # ValueError: text that the driver can't be given
            kind = "refused" if "read-only mode" in str(error) else "error"
            return {**_fault(kind, error), "ruined": isinstance(error, _RUINED)}

    def _reflected(self, namespaces: list[str], *, views: bool) -> Schema:
        """The schema, with samples of the tables, and of the views if they are wanted."""
        schema = reflect_duckdb(self.connection, namespaces)
        wanted = tuple(table for table in schema if views or not table.is_view)
        self._unsampled = sum(1 for table in wanted if table.columns)
        sampled = with_samples(replace(schema, tables=wanted), self._sample)
        return replace(schema, tables=tuple(sampled.table(table.key) or table for table in schema))

    def _run(self, sql: str, limits: Limits) -> ChildMessage:
        sql.encode()  # half a surrogate pair can't be given to DuckDB
        timer = self._timer(limits.seconds)
        try:
            if self._is_protected and not self._is_one_select(sql):
                return {"fault": "refused", "message": "only one SELECT statement may run"}
            with self._nothing_kept(sql):
                text, names = casting(self.connection, sql) if self._is_protected else (sql, None)
                self.connection.execute(text)
                description = self.connection.description
                if not description:
                    return {"fault": "error", "message": "the text holds no statement"}
                fetched = fetch(self._rows(), limits)
        finally:
            timer.cancel()
        columns = names or [str(column[0]) for column in description]
        return {"columns": columns, **asdict(fetched)}

    def _timer(self, seconds: float) -> threading.Timer:
        """A timer that stops the query at its deadline.

        Raises:
            MemoryError: there is no memory left for its stack.
        """
        timer = threading.Timer(seconds, self.connection.interrupt)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:
            raise MemoryError from None
        return timer

    @contextmanager
    def _nothing_kept(self, sql: str) -> Iterator[None]:
        """Roll back the temporary type that a PIVOT makes from the values it finds."""
        if not self._is_protected or self._kinds(sql) in _ONE_STATEMENT:
            yield
            return
        self.connection.execute("BEGIN TRANSACTION")
        try:
            yield
        finally:
            with suppress(duckdb.Error):  # an error that ruins the database has ended the transaction
                self.connection.execute("ROLLBACK")

    def _is_one_select(self, sql: str) -> bool:
        """Whether DuckDB's own parser calls a text one SELECT: a second layer below the guard."""
        kinds = self._kinds(sql)
        return kinds in _ONE_STATEMENT or (_is_lookup(kinds) and self._bracketed_kinds(sql) == kinds)

    def _bracketed_kinds(self, sql: str) -> list[duckdb.StatementType]:
        """The kinds of a text in brackets, where only a query is allowed; none if it can't be put there."""
        with suppress(duckdb.ParserException):
            return self._kinds(f"SELECT * FROM (\n{sql}\n)")
        return []

    def _kinds(self, sql: str) -> list[duckdb.StatementType]:
        return [statement.type for statement in self.connection.extract_statements(sql)]

    def _rows(self) -> Any:
        while batch := self.connection.fetchmany(BATCH):
            yield from batch

    def _sample(self, sql: str, limits: Limits) -> list[tuple[Any, ...]]:
        timer = self._timer(limits.seconds)
        try:
            rows = self.connection.execute(sql).fetchmany(limits.rows)
        except duckdb.InterruptException:
            return []  # the deadline: samples are not worth more time
        except duckdb.Error:
            rows = []  # a view on a table that is gone: more time would not help
        finally:
            timer.cancel()
        self._unsampled -= 1
        return rows


def _is_lookup(kinds: list[duckdb.StatementType]) -> bool:
    """Whether these may be the parts of a PIVOT that looks its columns up: DuckDB 2 calls them MULTI, 1 lists them."""
    return kinds == [_MULTI] or (kinds[-1:] == [_SELECT] and set(kinds[:-1]) == {_CREATE})


def _fault(kind: str, error: Exception) -> ChildMessage:
    """An error in one line, without DuckDB's drawing of the query."""
    said = str(error)
    if "'pytz' failed to import" in said:
        said = "times with a zone need the package pytz: pip install 'route-sql[duckdb]'; or cast them to VARCHAR"
    for drawing in ("\n\nLINE ", "Candidate functions:", "Traceback"):
        said = said.partition(drawing)[0]
    return {"fault": kind, "message": " ".join(said.split())[:ERROR_CHARS]}


if __name__ == "__main__":
    serve_requests(_open)
