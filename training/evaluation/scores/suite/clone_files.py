"""Perturbed clones of a SQLite file: read its tables, write the clones, keep them in a folder."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from filelock import FileLock

from route_sql.tools.files import write_whole, written_whole
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.scores.suite.clone_rows import (
    RowReference,
    TableRow,
    TableRows,
    close,
    comparable_key,
    perturb,
    recipe,
)

CLONES = 20
CLONE_ROWS = 2000
"""Rows of a table in a clone at most; of a larger one, the clones have a sample."""

_VERSION = 1
"""Version of the recipes: clones of another version are other clones."""
_SETTINGS = "suite.json"
_PRAGMAS = ("foreign_keys = OFF", "ignore_check_constraints = ON", "journal_mode = OFF", "synchronous = OFF")
_UNWRITABLE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)
"""SQLite's codes for a clone that can't be written, such as on a full disk."""


class NoClones(EvaluationError):
    """A database of which no clones can be made."""


def make_clones(
    folder: Path, name: str, source: Path, *, seed: int = 0, count: int = CLONES, rows: int = CLONE_ROWS
) -> list[Path]:
    """Make the clones of a database that are not in the folder yet; the same seed makes the same clones.

    A call that is stopped leaves only whole files, and the next call makes the others.

    Args:
        folder: The folder of the suite; the clones are in a folder of the database's name.
        name: The database's name.
        source: Its SQLite file, which is only read.
        seed: The seed of the perturbations.
        count: How many clones there are.
        rows: The most rows of a table in a clone.

    Returns:
        The files of the clones; none of a database without rows, which would be equal to it and so prove nothing.

    Raises:
        NoClones: the file can't be read, or can't be cloned, as one with a virtual table.
        EvaluationError: the folder has clones of another file or seed, or the clones can't be written.
    """
    home = folder / name
    files = [home / f"{number:02}.sqlite" for number in range(count)]
    with _faults(source, home):
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / ".lock"):
            _check_settings(home, source, {"version": _VERSION, "seed": seed, "clones": count, "rows": rows})
            if not _has_rows(source):
                return []
            if missing := [number for number in range(count) if not files[number].is_file()]:
                _write_clones(files, missing, name, source, seed, rows)
    return files


def read_tables(connection: sqlite3.Connection, rows: int, random: Random) -> list[TableRows]:
    """The tables of a database, a sample of those with more than `rows` rows, with the rows that a sample refers to."""
    tables = [_table(connection, name) for name in _table_names(connection)]
    filled: list[TableRows] = []
    for table in _children_first(tables):
        wanted = {
            key: {comparable_key(row, reference.columns) for row in other.rows}
            for other in filled
            for reference in other.references
            if reference.target == table.name.casefold()
            for key in [reference.target_columns]
        }
        filled.append(_filled(connection, table, wanted, rows, random))
    place = {table.name: position for position, table in enumerate(tables)}
    filled.sort(key=lambda table: place[table.name])
    return close(filled, filled)


def _has_rows(source: Path) -> bool:
    with closing(_opened(source)) as connection:
        first_rows = (f"SELECT 1 FROM {_quoted(name)} LIMIT 1" for name in _table_names(connection))
        return any(connection.execute(query).fetchone() for query in first_rows)


def _write_clones(files: Sequence[Path], missing: Sequence[int], name: str, source: Path, seed: int, rows: int) -> None:
    with closing(_opened(source)) as connection:
        connection.execute("BEGIN")
        tables = read_tables(connection, rows, Random(f"{seed} {name}"))
        statements = _statements(connection)
    for number in missing:
        clone = perturb(tables, recipe(number), Random(f"{seed} {name} {number}"))
        _write_clone(files[number], statements, clone)


def _write_clone(file: Path, statements: Sequence[tuple[str, str]], tables: Sequence[TableRows]) -> None:
    with (
        _writing(file),
        written_whole(file) as draft,
        closing(sqlite3.connect(draft, isolation_level=None)) as connection,
    ):
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        for kind, statement in statements:
            if kind == "table":
                connection.execute(statement)
        for table in tables:
            _insert(connection, table)
        for kind, statement in statements:
            if kind != "table":
                connection.execute(statement)
        connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, table: TableRows) -> None:
    columns = ", ".join(map(_quoted, table.columns))
    values = ", ".join("?" * len(table.columns))
    # A key may find values equal that Python doesn't, such as two spellings of a name: the later row is left out.
    connection.executemany(f"INSERT OR IGNORE INTO {_quoted(table.name)} ({columns}) VALUES ({values})", table.rows)


def _check_settings(home: Path, source: Path, settings: dict[str, Any]) -> None:
    with source.open("rb") as file:
        settings = {**settings, "source": file_digest(file, "sha256").hexdigest()}
    path = home / _SETTINGS
    if not path.exists():
        write_whole(path, json.dumps(settings, indent=1) + "\n")
    elif (found := json.loads(path.read_text(encoding="utf-8"))) != settings:
        changed = [key for key in settings if not isinstance(found, dict) or found.get(key) != settings[key]]
        raise EvaluationError(
            f"{home} has clones that were made with another {', '.join(changed)}; name another folder for the suite"
        )


@contextmanager
def _faults(source: Path, home: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise NoClones(f"no clones of {source} can be made: {error}") from error
    except ValueError as error:
        raise EvaluationError(f"{home / _SETTINGS} is damaged: {error}; name another folder for the suite") from error
    except OSError as error:
        raise EvaluationError(f"the clones of {source} can't be made in {home}: {error}") from error


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        # The lowest byte of an extended code is the plain one. Other errors say that the database can't be cloned.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNWRITABLE:
            raise
        raise EvaluationError(f"the clone {file} can't be written: {error}; the same command resumes") from error


def _opened(source: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=ro", uri=True, isolation_level=None)
    # The executor shows text that is not UTF-8 in the same way.
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _statements(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Statements that make the tables, indexes and views, in their order; triggers would change the rows."""
    found = connection.execute(
        "SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "AND type IN ('table', 'index', 'view') ORDER BY rowid"
    )
    return [(kind, sql) for kind, sql in found]


def _table_names(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "ORDER BY rowid"
    ).fetchall()
    if virtual := [name for name, sql in found if sql.lstrip().casefold().startswith("create virtual")]:
        raise sqlite3.NotSupportedError(f"{virtual[0]} is a virtual table")
    return [name for name, _ in found]


def _table(connection: sqlite3.Connection, name: str) -> TableRows:
    described = connection.execute(f"PRAGMA table_xinfo({_quoted(name)})").fetchall()
    stored = [row for row in described if row[6] == 0]  # the others are computed
    place = {row[1].casefold(): number for number, row in enumerate(stored)}
    primary = tuple(place[row[1].casefold()] for row in sorted(stored, key=lambda row: row[5]) if row[5])
    return TableRows(
        name=name,
        columns=tuple(row[1] for row in stored),
        required=frozenset(place[row[1].casefold()] for row in stored if row[3]),
        unique=(*([primary] if primary else []), *_unique(connection, name, place)),
        references=tuple(_references(connection, name, place)),
        rows=(),
        is_whole=True,
    )


def _unique(connection: sqlite3.Connection, name: str, place: dict[str, int]) -> Iterator[tuple[int, ...]]:
    for index in connection.execute(f"PRAGMA index_list({_quoted(name)})").fetchall():
        columns = [row[2] for row in connection.execute(f"PRAGMA index_info({_quoted(index[1])})")]
        is_plain = all(column is not None and column.casefold() in place for column in columns)
        if index[2] and is_plain and not index[4]:
            yield tuple(place[column.casefold()] for column in columns)


def _references(connection: sqlite3.Connection, name: str, place: dict[str, int]) -> Iterator[RowReference]:
    keys: dict[int, list[tuple[str, str, str | None]]] = {}
    for row in connection.execute(f"PRAGMA foreign_key_list({_quoted(name)})"):
        keys.setdefault(row[0], []).append((row[2], row[3], row[4]))
    for parts in keys.values():
        target = parts[0][0]
        described = connection.execute(f"PRAGMA table_xinfo({_quoted(target)})").fetchall()
        there = {row[1].casefold(): number for number, row in enumerate(row for row in described if row[6] == 0)}
        primary = [row[1] for row in sorted(described, key=lambda row: row[5]) if row[5]]
        columns = [(to or (primary[i] if i < len(primary) else "")).casefold() for i, (_, _, to) in enumerate(parts)]
        own = [column.casefold() for _, column, _ in parts]
        # A declaration may name a missing column; nothing can be kept consistent with it.
        if all(column in there for column in columns) and all(column in place for column in own):
            yield RowReference(
                tuple(place[column] for column in own), target.casefold(), tuple(there[column] for column in columns)
            )


def _children_first(tables: Sequence[TableRows]) -> list[TableRows]:
    """The tables, each before those that it refers to where no circle forbids it."""
    by_name = {table.name.casefold(): table for table in tables}
    after: dict[str, TableRows] = {}
    entered: set[str] = set()

    def visit(name: str) -> None:
        if name in entered or name not in by_name:
            return
        entered.add(name)
        for reference in by_name[name].references:
            visit(reference.target)
        after[name] = by_name[name]

    for name in by_name:
        visit(name)
    return list(reversed(after.values()))


def _filled(
    connection: sqlite3.Connection,
    table: TableRows,
    wanted: dict[tuple[int, ...], set[tuple[str, ...] | None]],
    most: int,
    random: Random,
) -> TableRows:
    """The table with its rows, or with those that are wanted and a random sample of the others (algorithm R)."""
    columns = ", ".join(map(_quoted, table.columns))
    first: list[TableRow] = []
    sample: list[TableRow] = []
    others = 0
    for row in connection.execute(f"SELECT {columns} FROM {_quoted(table.name)}"):
        if len(first) < most and any(comparable_key(row, key) in values for key, values in wanted.items()):
            first.append(row)
            continue
        others += 1
        if len(sample) < most:
            sample.append(row)
        elif (place := random.randrange(others)) < most:
            sample[place] = row
    rows = [*first, *sample][:most]
    return replace(table, rows=rows, is_whole=len(first) + others <= most)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
