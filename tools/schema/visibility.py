"""What a caller may see of a database: names by pattern, and the part of a schema that they leave."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from route_sql.tools.errors import InvalidInput
from route_sql.tools.schema.heirs import Heirs
from route_sql.tools.schema.patterns import NameParts, any_matches, checked_patterns, has_wildcard, placed_pattern
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table

DEFAULT_NAMES = ("main", "public", "dbo")
"""What engines call the namespace whose tables carry none."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Visibility:
    """Which tables and columns a caller may see.

    A pattern is `table`, `table.column`, `schema.table` or `schema.table.column`; `*` and `?` stand for any letters
    within a name. Case, blanks around a name and the quotes of SQL, " and `, do not matter; a dot or a colon within
    quotes belongs to the name. What could be read in two ways counts in both. A database of the catalog and a colon
    before a pattern, as in `shop:customer.email`, say that it is for that database alone (see `of_database`).

    Args:
        allow: What may be seen; None for everything, an empty list for nothing. A table that is allowed is allowed
            with all its columns.
        hide: What may not, whatever `allow` says.
        within: A wider visibility whose bounds hold too.

    Raises:
        InvalidInput: `allow` or `hide` is no list of names.
    """

    allow: tuple[str, ...] | None = None
    hide: tuple[str, ...] = ()
    within: "Visibility | None" = None

    def __post_init__(self) -> None:
        """Strip the patterns. One name in place of a list would, letter by letter, hide nothing."""
        if self.allow is not None:
            object.__setattr__(self, "allow", checked_patterns("allow", self.allow))
        object.__setattr__(self, "hide", checked_patterns("hide", self.hide))

    @classmethod
    def from_json(cls, given: object) -> "Visibility":
        """The visibility that `as_json` wrote.

        Raises:
            InvalidInput: it is of another form. Nothing is assumed in its place, since that might widen the bounds.
        """
        if not isinstance(given, dict) or given.keys() != {"allow", "hide", "within"}:
            raise InvalidInput(f"rights must be an object with allow, hide and within, not {given!r}")
        within = given["within"]
        return cls(given["allow"], given["hide"], None if within is None else cls.from_json(within))

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON: `allow` (None for everything), `hide` and `within`."""
        return {
            "allow": None if self.allow is None else list(self.allow),
            "hide": list(self.hide),
            "within": self.within and self.within.as_json(),
        }

    def __bool__(self) -> bool:
        """Whether anything can be hidden at all."""
        return bool(self.allow is not None or self.hide or self.within)

    def narrowed(self, other: "Visibility") -> "Visibility":
        """What both show: a caller may narrow what it was given, never widen it."""
        if not other or other == self:
            return self
        if not self:
            return other
        for one, two in ((self, other), (other, self)):
            if one.allow is None and one.within is None:
                return replace(two, hide=tuple(dict.fromkeys((*self.hide, *other.hide))))
        return replace(other, within=self.narrowed(other.within) if other.within else self)

    def shows(self, table: Table, column: Column) -> bool:
        """Whether the caller may see a column of a table."""
        if self.within is not None and not self.within.shows(table, column):
            return False
        whole, part = _table_names(table), _column_names(table, column)
        if any_matches(self.hide, whole) or any_matches(self.hide, part):
            return False
        return self.allow is None or any_matches(self.allow, whole) or any_matches(self.allow, part)

    def of_database(self, name: str, names: Collection[str]) -> "Visibility":
        """The bounds for one database of a catalog: patterns for another one don't apply.

        An `allow` whose patterns are all for other databases allows nothing of this one.

        Args:
            name: The database.
            names: All databases of the catalog.

        Raises:
            UnknownDatabase: a pattern is for a database that is not in the catalog.
        """

        def own(patterns: tuple[str, ...]) -> tuple[str, ...]:
            placed = [placed_pattern(pattern, names) for pattern in patterns]
            return tuple(pattern for database, pattern in placed if database in (None, name))

        return Visibility(
            None if self.allow is None else own(self.allow),
            own(self.hide),
            self.within and self.within.of_database(name, names),
        )

    def hides(self, table: Table, column: Column) -> bool:
        """Whether a pattern hides a column, whatever is allowed."""
        names = [*_table_names(table), *_column_names(table, column)]
        return any_matches(self.hide, names) or bool(self.within and self.within.hides(table, column))

    def unmatched(self, schema: Schema) -> list[str]:
        """The patterns without `*` and `?` that match nothing in a schema: most likely misspelt."""
        names = [parts for table in schema for parts in _all_names(table)]
        plain = (pattern for pattern in (*(self.allow or ()), *self.hide) if not has_wildcard(pattern))
        wrong = [pattern for pattern in plain if not any_matches((pattern,), names)]
        return [*wrong, *(self.within.unmatched(schema) if self.within else ())]


EVERYTHING = Visibility()


def rights_given(
    allow: Sequence[str] | None = None, hide: Sequence[str] | None = None, within: object = None
) -> Visibility:
    """A caller's rights out of the arguments of a tool.

    Args:
        allow: What may be seen; None for everything, an empty list for nothing.
        hide: What may not; None for nothing hidden.
        within: Wider rights whose bounds hold too, as `Visibility.as_json` writes them.

    Raises:
        InvalidInput: one of them has another form.
    """
    return Visibility.from_json({"allow": allow, "hide": [] if hide is None else hide, "within": within})


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


def _table_names(table: Table) -> list[NameParts]:
    name = table.name.casefold()
    namespaces = (table.namespace.casefold(),) if table.namespace else DEFAULT_NAMES
    return [(name,), *((namespace, name) for namespace in namespaces)]


def _column_names(table: Table, column: Column) -> list[NameParts]:
    return [(*parts, column.name.casefold()) for parts in _table_names(table)]


def _all_names(table: Table) -> Iterator[NameParts]:
    yield from _table_names(table)
    for column in table.columns:
        yield from _column_names(table, column)
