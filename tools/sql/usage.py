"""Tables and columns that a query uses, and its unknown names."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

from rapidfuzz import fuzz, process, utils

from route_sql.tools.schema.records import Link, Schema, Table
from route_sql.tools.sql.parsing import parses, shared_tree
from route_sql.tools.sql.scopes import Name, Resolver

__all__ = ["UnknownName", "misplaced_columns", "parses", "tables_and_columns", "unknown_names"]

MOST_UNKNOWN = 20
CLOSEST = 3
MOST_OWNERS = 3
SIMILARITY = 60.0
"""Out of 100; below it a suggestion misleads more than it helps."""


@dataclass(frozen=True)
class UnknownName:
    """A name in a query that no table or column of the database has.

    `name` is as the query writes it, with its qualifier. `closest` are real tables, or real columns of the tables
    that the query selects from, the most similar first. `owners` are the tables that have a column of that name.
    `start` and `end` (exclusive) are its place in the text.
    """

    name: str
    kind: Literal["table", "column"]
    closest: tuple[str, ...]
    owners: tuple[str, ...]
    start: int
    end: int

    def complaint(self) -> str:
        """Error of a query that was not run because of the name."""
        return f"unknown {self.kind} {self.name}. {self.hint()}"

    def hint(self) -> str:
        """Sentence with the tables that have the name, or with the names most similar to it."""
        if self.owners:
            return f"{self.name} is a column of {', '.join(self.owners)}."
        if self.closest:
            return f"There is no {self.kind} {self.name}; close to it: {', '.join(self.closest)}."
        return f"There is no {self.kind} {self.name}."


def names_in(sql: str, schema: Schema) -> tuple[Name, ...]:
    """Table and column names of a query, in the order of the text; empty if the text is not exactly one query."""
    return _names_in(sql, _Same(schema))


def tables_and_columns(sql: str, schema: Schema) -> Link:
    """Tables and columns that a query uses, in the spelling and order of the schema.

    Columns that joins compare count too. `SELECT *` and `t.*` use every column of their tables; `COUNT(*)` uses
    none. A table without a used column has an empty list. Text that is not exactly one query uses nothing.
    """
    names = names_in(sql, schema)
    used: dict[str, set[str]] = {}
    for name in names:
        if name.table is not None:
            used.setdefault(name.table.key, set()).update({name.column.name} if name.column else ())
    return {t.key: [c.name for c in t.columns if c.name in used[t.key]] for t in schema if t.key in used}


def unknown_names(sql: str, schema: Schema) -> list[UnknownName]:
    """Unknown names of a query, in the order of the text, 20 at most; none if the text is not exactly one query.

    A hint, not a verdict: only the engine knows. Columns of an unknown table are unknown only if no table has such a
    column.
    """
    names = names_in(sql, schema)
    unknown = dict.fromkeys(name for name in names if not name.found)
    return [unknown_name(name, schema) for name in islice(unknown, MOST_UNKNOWN)]


def misplaced_columns(sql: str, schema: Schema) -> Link:
    """Real tables of the columns that a query takes from tables without them, in the spelling of the schema.

    `SELECT title FROM loan` gives `{"book": ["title"]}`. A name that more than three tables have is left out.
    """
    owners: Link = {}
    for unknown in unknown_names(sql, schema):
        if len(unknown.owners) <= MOST_OWNERS:
            for key in unknown.owners:
                table = schema.table(key)
                column = table.column(_bare(unknown.name)) if table else None
                owners.setdefault(key, []).extend([column.name] if column else [])
    return owners


def unknown_name(name: Name, schema: Schema) -> UnknownName:
    """An unknown name, with the names that were perhaps meant."""
    bare = _bare(name.text)
    if name.is_table:
        closest, owners = _closest(bare, [table.key for table in schema]), ()
        return UnknownName(name.text, "table", closest, owners, name.start, name.end + 1)
    tables: tuple[Table, ...] = name.sources or schema.tables
    real = dict.fromkeys(column.name for table in tables for column in table.columns)
    holders = tuple(table.key for table in schema if table.column(bare))
    return UnknownName(name.text, "column", _closest(bare, list(real)), holders, name.start, name.end + 1)


def _bare(text: str) -> str:
    """Last part of a dotted name, without quotes."""
    return text.rpartition(".")[2].strip(' "`[]')


def _closest(name: str, real: list[str]) -> tuple[str, ...]:
    found = process.extract(
        name,
        real,
        scorer=fuzz.WRatio,
        processor=utils.default_process,
        limit=CLOSEST,
        score_cutoff=SIMILARITY,
    )
    return tuple(choice for choice, _, _ in found)


@dataclass(frozen=True, eq=False)
class _Same:
    """A schema that equals only itself, since comparing all columns costs more than reading a query again."""

    schema: Schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.schema is self.schema


@lru_cache(maxsize=64)
def _names_in(sql: str, same: _Same) -> tuple[Name, ...]:
    """The nodes of a run ask for the names of a query several times."""
    tree = shared_tree(sql, same.schema.dialect)
    return tuple(Resolver(tree, sql, same.schema).names()) if tree is not None else ()
