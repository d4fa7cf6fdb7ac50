"""What a caller may see of a database: names by pattern, and the part of a schema that they leave."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache

from route_sql.tools.schema.heirs import Heirs
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table

DEFAULT_NAMES = ("main", "public", "dbo")
"""What engines call the namespace whose tables carry none."""
_WILD = re.compile(r"[*?\[]")
_WORD = re.compile(r"\w+")
_PART = re.compile(r"""(?:^|\.)("(?:[^"]|"")*"(?=\.|$)|`(?:[^`]|``)*`(?=\.|$)|[^.]*)""")


@dataclass(frozen=True, slots=True)
class Visibility:
    """Which tables and columns a caller may see.

    A pattern is `table`, `table.column`, `schema.table` or `schema.table.column`; `*` and `?` stand for any letters
    within a name. Case and the quotes of SQL, " and `, do not matter; a dot within quotes belongs to the name. What
    could be read in two ways counts in both.

    Args:
        allow: What may be seen; empty for everything. A table that is allowed is allowed with all its columns.
        hide: What may not, whatever `allow` says.
        within: A wider visibility whose bounds hold too.
    """

    allow: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    within: "Visibility | None" = None

    def __bool__(self) -> bool:
        """Whether anything can be hidden at all."""
        return bool(self.allow or self.hide or self.within)

    def narrowed(self, other: "Visibility") -> "Visibility":
        """What both show: a caller may narrow what it was given, never widen it."""
        if not other:
            return self
        if not self:
            return other
        return replace(other, within=self.narrowed(other.within) if other.within else self)

    def shows(self, table: Table, column: Column) -> bool:
        """Whether the caller may see a column of a table."""
        if self.within is not None and not self.within.shows(table, column):
            return False
        whole, part = _table_names(table), _column_names(table, column)
        if _any_matches(self.hide, whole) or _any_matches(self.hide, part):
            return False
        return not self.allow or _any_matches(self.allow, whole) or _any_matches(self.allow, part)

    def hides(self, table: Table, column: Column) -> bool:
        """Whether a pattern hides a column, whatever is allowed."""
        names = [*_table_names(table), *_column_names(table, column)]
        return _any_matches(self.hide, names) or bool(self.within and self.within.hides(table, column))

    def unmatched(self, schema: Schema) -> list[str]:
        """The patterns without a wildcard that stand for nothing in a schema: most likely slips of the pen."""
        names = [parts for table in schema for parts in _all_names(table)]
        plain = (pattern for pattern in (*self.allow, *self.hide) if not _WILD.search(pattern))
        return [pattern for pattern in plain if not _any_matches((pattern,), names)]


EVERYTHING = Visibility()


@dataclass(frozen=True)
class VisibleSchema:
    """The part of a schema that a caller may see.

    `partial` are the keys of its tables that have further columns or rows. `hidden` are the case-folded names that
    stand for nothing visible. `rows` has the tables of which heirs are hidden, with those whose rows they show.
    """

    schema: Schema
    partial: frozenset[str]
    hidden: frozenset[str]
    rows: Mapping[str, tuple[Table, ...]] = field(default_factory=dict)

    def betrayed_by(self, text: str, besides: str = "") -> bool:
        """Whether a text has a hidden name that the text `besides` does not have."""
        return any(name not in besides.casefold() for name in _mentions(text, self.hidden))


def visible_schema(schema: Schema, visibility: Visibility) -> VisibleSchema:
    """The tables and columns that are visible, with the keys, samples and comments that name nothing hidden.

    A table of which no column is visible is not there, nor is a primary or foreign key one of whose columns is not.
    """
    heirs = Heirs(schema, visibility.hides)
    shown = {
        table.key: tuple(c for c in table.columns if visibility.shows(table, c) and not heirs.hides(table, c))
        for table in schema
    }
    kept = [replace(table, columns=shown[table.key]) for table in schema if shown[table.key]]
    hidden = _names_of(schema) - _names_of(kept)
    rows = {table.key: rows for table in kept if (rows := heirs.rows(table))}
    partial = {table.key for table in schema if 0 < len(shown[table.key]) < len(table.columns)} | rows.keys()
    by_key = {table.key.casefold(): table for table in kept}
    tables = tuple(_without(table, by_key, hidden) for table in kept)
    return VisibleSchema(replace(schema, tables=tables), frozenset(partial), hidden, rows)


def _without(table: Table, visible: dict[str, Table], hidden: frozenset[str]) -> Table:
    """A table without what names something hidden."""
    names = {column.name for column in table.columns}
    return replace(
        table,
        columns=tuple(_silent(column, hidden) for column in table.columns),
        primary_key=table.primary_key if names.issuperset(table.primary_key) else (),
        foreign_keys=tuple(key for key in table.foreign_keys if _is_visible(key, table, visible)),
        comment=_kept(table.comment, hidden),
    )


def _silent(column: Column, hidden: frozenset[str]) -> Column:
    samples = tuple(sample for sample in column.samples if not any(_mentions(sample, hidden)))
    # A part of the labels would be shown as if it were all of them.
    labels = () if any(any(_mentions(label, hidden)) for label in column.labels) else column.labels
    return replace(column, comment=_kept(column.comment, hidden), samples=samples, labels=labels)


def _kept(comment: str | None, hidden: frozenset[str]) -> str | None:
    return None if comment and any(_mentions(comment, hidden)) else comment


def _is_visible(key: ForeignKey, table: Table, visible: dict[str, Table]) -> bool:
    target = visible.get(key.target_table.casefold())
    if target is None:
        return False
    # A declaration without target columns means the primary key, which is gone if it is not visible.
    targets = key.target_columns or target.primary_key
    return all(map(table.column, key.columns)) and bool(targets) and all(map(target.column, targets))


def _names_of(tables: Iterable[Table]) -> frozenset[str]:
    named = {name for table in tables for name in (table.name, *(column.name for column in table.columns))}
    return frozenset(name.casefold() for name in named)


def _mentions(text: str, names: frozenset[str]) -> Iterator[str]:
    """The names that stand in a text as words of their own; those of several words anywhere in it."""
    if not names:
        return
    folded = text.casefold()
    yield from names.intersection(_WORD.findall(folded))
    yield from (name for name in names if not _WORD.fullmatch(name) and name in folded)


_Parts = tuple[str, ...]


def _table_names(table: Table) -> list[_Parts]:
    name = table.name.casefold()
    namespaces = (table.namespace.casefold(),) if table.namespace else DEFAULT_NAMES
    return [(name,), *((namespace, name) for namespace in namespaces)]


def _column_names(table: Table, column: Column) -> list[_Parts]:
    return [(*parts, column.name.casefold()) for parts in _table_names(table)]


def _all_names(table: Table) -> Iterator[_Parts]:
    yield from _table_names(table)
    for column in table.columns:
        yield from _column_names(table, column)


def _any_matches(patterns: tuple[str, ...], names: list[_Parts]) -> bool:
    return any(_matches(pattern.casefold(), parts) for pattern in patterns for parts in names)


def _matches(pattern: str, parts: _Parts) -> bool:
    if pattern == ".".join(parts):
        return True
    wanted = _parts_of(pattern)
    if len(wanted) == len(parts):
        return wanted == parts or all(map(fnmatchcase, parts, wanted))
    # Without quotes a name that has a dot looks like two.
    return len(wanted) > len(parts) and ".".join(wanted) == ".".join(parts)


@lru_cache(maxsize=1_024)
def _parts_of(pattern: str) -> _Parts:
    return tuple(_unquoted(part) for part in _PART.findall(pattern))


def _unquoted(part: str) -> str:
    quote = part[:1]
    is_quoted = len(part) > 1 and quote in ('"', "`") and part.endswith(quote)
    return part[1:-1].replace(2 * quote, quote) if is_quoted else part
