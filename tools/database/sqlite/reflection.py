"""Reflecting a SQLite file, step by step, so that the process may end in any step and the next knows what to skip.

A view may hang in its compilation (28 views, each of which joins the one before it with itself) or in one step of a
query (a function that works on a long text). So views are tried one by one before SQLAlchemy asks for all of them, and
the parent is informed of each next step. A step that is stopped, or at which the process ended, costs that view or its
samples.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time, thread_time
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from route_sql.tools.database.sqlite.connection import read_rows, unavailable
from route_sql.tools.database.sqlite.skipping import EVERY_SAMPLE, EVERY_VIEW
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits
from route_sql.tools.schema.plain import plain
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.reflection.reflect import reflect
from route_sql.tools.schema.reflection.samples import with_samples
from route_sql.tools.sql.generated_columns import with_expressions
from route_sql.tools.sql.view_sources import LONGEST_DEFINITION, with_sources

VIEW_SECONDS = 0.05
VIEWS_SECONDS = 0.5
"""Seconds of processor time, so that no view is lost on a busy machine."""
STEP_SECONDS = 1.0
VIEW_SAMPLES_SECONDS = 2.0
"""Seconds that the samples of all views may take, of processor time too."""
TABLES_SECONDS = 15.0
LONGEST_VALUE = 16_000_000
LONGEST_SCHEMA = 32_000_000
_VIEWS = "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY rowid"
_DEFINITIONS = "SELECT name, substr(sql, 1, 20001) FROM sqlite_master WHERE type = 'view'"
_STATEMENT = "SELECT substr(sql, 1, 20001) FROM sqlite_master WHERE type = 'table' AND name = ?"


def read_schema(
    connection: sqlite3.Connection,
    path: Path,
    skipped: frozenset[str],
    at: Callable[[str], None],
    end_in: Callable[[float], None],
) -> dict[str, Any]:
    """The schema with samples, and the places that were skipped or cost too much.

    Args:
        connection: The file, opened for this alone.
        path: The file, for messages.
        skipped: Places at which a process ended.
        at: Called with each place before it is tried.
        end_in: Ends the process after a number of seconds of processor time.

    Raises:
        DatabaseUnavailable: the file can't be read, or its schema is too large.
    """
    work = _Work(connection, skipped, at, end_in)
    views = work.views()
    left_out = work.costly(views)
    try:
        schema = work.reflected(left_out)
    except DBAPIError as error:
        cause = error.orig if isinstance(error.orig, sqlite3.Error) else sqlite3.DatabaseError(str(error.orig))
        raise unavailable(path, cause) from error
    sampled = work.sampled(schema)
    missing = len(set(views) - {table.name for table in schema})
    counts = {"left_out": missing - len(work.broken), "broken": len(work.broken), "unsampled": work.unsampled}
    answer = {"schema": plain(sampled), **counts}
    if len(json.dumps(answer)) > LONGEST_SCHEMA:
        raise DatabaseUnavailable(f"{path}: its schema takes more than {LONGEST_SCHEMA // 1_000_000} MB; split it")
    return answer


class _Work:
    def __init__(
        self,
        connection: sqlite3.Connection,
        skipped: frozenset[str],
        at: Callable[[str], None],
        end_in: Callable[[float], None],
    ) -> None:
        self._connection = connection
        self._skipped = skipped
        self._at = at
        self._end_in = end_in
        self.unsampled = 0
        self._asked = 0
        self.broken: set[str] = set()
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)

    def views(self) -> list[str]:
        """The names of all views."""
        self._step("tables", TABLES_SECONDS)
        return [str(row[0]) for row in self._connection.execute(_VIEWS)]

    def costly(self, names: list[str]) -> frozenset[str]:
        """The views that can't be compiled in a twentieth of a second, or not in the memory there is."""
        deadline = thread_time() + VIEWS_SECONDS
        return frozenset(name for name in names if thread_time() > deadline or self._is_costly(name))

    def reflected(self, left_out: frozenset[str]) -> Schema:
        """The schema without these views and without samples."""
        self._step("tables", TABLES_SECONDS)
        engine = create_engine("sqlite://", creator=lambda: self._connection, poolclass=StaticPool)
        with engine.connect() as connection:
            found = reflect(connection, without=left_out)
        definitions = {str(row[0]): row[1] for row in self._connection.execute(_DEFINITIONS)}
        return with_sources(with_expressions(found, self._statement), definitions, lambda source: source[1])

    def _statement(self, table: str) -> str:
        """The CREATE statement of a table, if it is not too long."""
        row = self._connection.execute(_STATEMENT, (table,)).fetchone()
        return str(row[0]) if row and len(str(row[0])) <= LONGEST_DEFINITION else ""

    def sampled(self, schema: Schema) -> Schema:
        """The schema with samples; views come last and have little time, since one may stand for endless work."""
        tables = replace(schema, tables=tuple(table for table in schema if not table.is_view))
        views = replace(schema, tables=tuple(table for table in schema if table.is_view))
        found = [
            *with_samples(tables, self.rows, clock=process_time),
            *with_samples(views, self.rows, seconds=VIEW_SAMPLES_SECONDS, clock=process_time),
        ]
        self.unsampled += sum(bool(table.columns) for table in schema) - self._asked
        return replace(schema, tables=tuple(found))

    def rows(self, sql: str, limits: Limits) -> list[tuple[object, ...]]:
        """The rows of one of our own queries; none if it costs too much."""
        self._asked += 1
        place = f"{EVERY_SAMPLE} {sql}"
        if place in self._skipped or EVERY_SAMPLE in self._skipped:
            self.unsampled += 1
            return []
        self._step(place, limits.seconds + STEP_SECONDS)
        return read_rows(self._connection, sql, limits, self._count)

    def _count(self) -> None:
        self.unsampled += 1

    def _is_costly(self, name: str) -> bool:
        place = f"{EVERY_VIEW} {name}"
        if place in self._skipped or EVERY_VIEW in self._skipped:
            return True
        self._step(place, STEP_SECONDS)
        started = thread_time()
        try:
            quoted = name.replace('"', '""')
            self._connection.execute(f'PRAGMA table_xinfo("{quoted}")').fetchall()
        except MemoryError:
            return True
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOMEM:
                return True
            self.broken.add(name)  # a view on a table that is gone; reflection leaves it out by itself
            return False
        except UnicodeError:  # SQLite's message quotes bytes that are not text
            self.broken.add(name)
            return True
        return thread_time() - started > VIEW_SECONDS

    def _step(self, place: str, seconds: float) -> None:
        self._at(place)
        self._end_in(seconds)
