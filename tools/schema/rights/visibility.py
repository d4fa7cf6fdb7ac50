"""Rights of a caller: patterns of visible and hidden names, and the part of a schema that they show."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from route_sql.tools.errors import InvalidInput
from route_sql.tools.schema.records import DEFAULT_NAMES, Column, ForeignKey, Schema, Table
from route_sql.tools.schema.rights.fenced_views import views_of_the_rest
from route_sql.tools.schema.rights.generated import with_generated, without_generated
from route_sql.tools.schema.rights.heirs import Heirs
from route_sql.tools.schema.rights.hidden_types import PLAIN_TYPES, with_plain_types, without_hidden_rows
from route_sql.tools.schema.rights.mentions import mentions
from route_sql.tools.schema.rights.patterns import (
    NameParts,
    any_matches,
    checked_patterns,
    has_wildcard,
    placed_pattern,
)


@dataclass(frozen=True, slots=True)
class Visibility:
    """Tables and columns that a caller may see.

    A pattern is `table`, `table.column`, `schema.table` or `schema.table.column`; `*` and `?` match any letters
    within a name. Case, blanks around a name and the quotes of SQL, " and `, are ignored; a dot or a colon within
    quotes belongs to the name. An ambiguous pattern counts in both meanings. A pattern such as `shop:customer.email`
    applies to the database `shop` of the catalog only (see `of_database`).

    Args:
        allow: Patterns of visible names; None shows everything, an empty list nothing. An allowed table is allowed
            with all its columns.
        hide: Patterns of hidden names; they win over `allow`.
        within: Wider rights, which apply too.

    Raises:
        InvalidInput: `allow` or `hide` is not a list of names.
    """

    allow: tuple[str, ...] | None = None
    hide: tuple[str, ...] = ()
    within: "Visibility | None" = None

    def __post_init__(self) -> None:
        """Check the patterns: one text in place of a list would be read letter by letter and hide nothing."""
        if self.allow is not None:
            object.__setattr__(self, "allow", checked_patterns("allow", self.allow))
        object.__setattr__(self, "hide", checked_patterns("hide", self.hide))

    @classmethod
    def from_json(cls, given: object) -> "Visibility":
        """Read the rights that `as_json` wrote.

        Raises:
            InvalidInput: `given` has another form. No default replaces it, since that might widen the rights.
        """
        if not isinstance(given, dict) or given.keys() != {"allow", "hide", "within"}:
            raise InvalidInput(f"rights must be an object with allow, hide and within, not {given!r}")
        within = given["within"]
        return cls(given["allow"], given["hide"], None if within is None else cls.from_json(within))

    def as_json(self) -> dict[str, Any]:
        """Write the rights as plain JSON: `allow` (None for everything), `hide` and `within`."""
        return {
            "allow": None if self.allow is None else list(self.allow),
            "hide": list(self.hide),
            "within": None if self.within is None else self.within.as_json(),
        }

    def __bool__(self) -> bool:
        """Whether the rights can hide anything."""
        return bool(self.allow is not None or self.hide or self.within)

    def narrowed(self, other: "Visibility") -> "Visibility":
        """Narrow the rights to names that both show; rights can never be widened."""
        if self._implies(other):
            return self
        if other._implies(self):
            return other
        for one, two in ((self, other), (other, self)):
            if one.allow is None and one.within is None:
                return replace(two, hide=tuple(dict.fromkeys((*self.hide, *other.hide))))
        return replace(other, within=self.narrowed(other.within) if other.within else self)

    def _implies(self, other: "Visibility") -> bool:
        """Whether the patterns of the other rights are among these, so that those show all that these show."""
        levels = [*self._levels()]
        hide = {pattern for level in levels for pattern in level.hide}
        allow = {None, *(level.allow for level in levels)}
        return all(level.allow in allow and hide.issuperset(level.hide) for level in other._levels())

    def _levels(self) -> "Iterator[Visibility]":
        level: Visibility | None = self
        while level is not None:
            yield level
            level = level.within

    def shows(self, table: Table, column: Column, default: Collection[str] = DEFAULT_NAMES) -> bool:
        """Whether the caller may see a column of a table.

        Args:
            table: The table.
            column: Its column.
            default: Names of the namespace of a table that has none in its key.
        """
        if self.within is not None and not self.within.shows(table, column, default):
            return False
        whole, part = _table_names(table, default), _column_names(table, column, default)
        if any_matches(self.hide, whole) or any_matches(self.hide, part):
            return False
        return self.allow is None or any_matches(self.allow, whole) or any_matches(self.allow, part)

    def of_database(self, name: str, names: Collection[str]) -> "Visibility":
        """Keep the patterns that apply to one database of a catalog.

        If all patterns of `allow` are for other databases, nothing of this one is visible.

        Args:
            name: The database.
            names: All databases of the catalog.

        Raises:
            UnknownDatabase: a pattern is for a database that the catalog lacks.
        """

        def own(patterns: tuple[str, ...]) -> tuple[str, ...]:
            placed = [placed_pattern(pattern, names) for pattern in patterns]
            return tuple(pattern for database, pattern in placed if database in (None, name))

        return Visibility(
            None if self.allow is None else own(self.allow),
            own(self.hide),
            self.within and self.within.of_database(name, names),
        )

    def hides(self, table: Table, column: Column, default: Collection[str] = DEFAULT_NAMES) -> bool:
        """Whether a pattern hides a column, even if it is allowed; the arguments are those of `shows`."""
        names = [*_table_names(table, default), *_column_names(table, column, default)]
        return any_matches(self.hide, names) or bool(self.within and self.within.hides(table, column, default))

    def unmatched(self, schema: Schema) -> list[str]:
        """Patterns without `*` and `?` that match nothing in a schema, so that they are probably misspelt."""
        every = (*schema, *schema.relatives)
        names = [parts for table in every for parts in _all_names(table, schema.default_names)]
        plain = (pattern for pattern in (*(self.allow or ()), *self.hide) if not has_wildcard(pattern))
        wrong = [pattern for pattern in plain if not any_matches((pattern,), names)]
        return [*wrong, *(self.within.unmatched(schema) if self.within else ())]


EVERYTHING = Visibility()


def rights_given(
    allow: Sequence[str] | None = None, hide: Sequence[str] | None = None, within: object = None
) -> Visibility:
    """Read a caller's rights from the arguments of a tool.

    Args:
        allow: Patterns of visible names; None shows everything, an empty list nothing.
        hide: Patterns of hidden names; None hides nothing.
        within: Wider rights, which apply too, in the form of `Visibility.as_json`.

    Raises:
        InvalidInput: an argument has another form.
    """
    return Visibility.from_json({"allow": allow, "hide": [] if hide is None else hide, "within": within})


@dataclass(frozen=True)
class VisibleSchema:
    """Visible part of a schema.

    `partial` are the keys of its tables with hidden columns or rows, and of its views that read a table which is not
    wholly visible. `hidden` are the case-folded names that no visible
    table or column has. `rows` has, for each table with hidden heirs, the tables whose rows it shows.
    """

    schema: Schema
    partial: frozenset[str]
    hidden: frozenset[str]
    rows: Mapping[str, tuple[Table, ...]] = field(default_factory=dict)

    def betrayed_by(self, text: str, known: str = "") -> bool:
        """Whether a text has a hidden name that the text `known` does not have."""
        return any(name not in known.casefold() for name in mentions(text, self.hidden))


def visible_schema(schema: Schema, visibility: Visibility) -> VisibleSchema:
    """Reduce a schema to its visible part; keys, samples and comments with hidden names are left out.

    So are tables without a visible column, and primary and foreign keys with a hidden column.
    """
    default = schema.default_names

    def hides(table: Table, column: Column) -> bool:
        return visibility.hides(table, column, default)

    heirs = Heirs(schema, with_generated(hides))
    shown = without_hidden_rows(
        schema,
        {
            table.key: tuple(
                c for c in table.columns if visibility.shows(table, c, default) and not heirs.hides(table, c)
            )
            for table in schema
        },
    )
    shown = without_generated(schema, shown, lambda table, column: hides(table, column) or heirs.hides(table, column))
    kept = [replace(table, columns=shown[table.key]) for table in schema if shown[table.key]]
    find = _finder(table.key for table in (*schema, *schema.relatives))
    hidden = _names_of((*schema, *schema.relatives)) - _names_of(kept)
    rows = {table.key: rows for table in kept if (rows := heirs.rows(table))}
    partial = {table.key for table in schema if 0 < len(shown[table.key]) < len(table.columns)} | rows.keys()
    whole = {table.key for table in schema if shown[table.key] == table.columns} - partial
    partial |= views_of_the_rest(kept, whole, find) if len(whole) < len(schema.tables) else set()
    # samples were read with the rows of hidden heirs
    kept = [_without_samples(table) if table.key in rows else table for table in kept]
    visible = {table.key: table for table in kept}
    tables = tuple(_cleaned_table(table, lambda name: visible.get(find(name) or ""), hidden) for table in kept)
    if schema.dialect not in PLAIN_TYPES:
        tables = tuple(with_plain_types(table, lambda text: any(mentions(text, hidden))) for table in tables)
    return VisibleSchema(replace(schema, tables=tables, relatives=()), frozenset(partial), hidden, rows)


def _finder(keys: Iterable[str]) -> Callable[[str], str | None]:
    """Find the key that a name means: the same one, or else the only one that differs in case."""
    exact = {*keys}

    def find(name: str) -> str | None:
        near = [name] if name in exact else [key for key in exact if key.casefold() == name.casefold()]
        return near[0] if len(near) == 1 else None

    return find


def _cleaned_table(table: Table, find: Callable[[str], Table | None], hidden: frozenset[str]) -> Table:
    """Leave out the keys, samples and comments of a table that have hidden names."""
    names = {column.name for column in table.columns}
    return replace(
        table,
        columns=tuple(_cleaned_column(column, hidden) for column in table.columns),
        primary_key=table.primary_key if names.issuperset(table.primary_key) else (),
        foreign_keys=tuple(key for key in table.foreign_keys if _is_visible(key, table, find)),
        comment=_cleaned_comment(table.comment, hidden),
    )


def _without_samples(table: Table) -> Table:
    return replace(table, columns=tuple(replace(column, samples=()) for column in table.columns))


def _cleaned_column(column: Column, hidden: frozenset[str]) -> Column:
    samples = tuple(sample for sample in column.samples if not any(mentions(sample, hidden)))
    # A part of the labels would look like all of them.
    labels = () if any(any(mentions(label, hidden)) for label in column.labels) else column.labels
    return replace(column, comment=_cleaned_comment(column.comment, hidden), samples=samples, labels=labels)


def _cleaned_comment(comment: str | None, hidden: frozenset[str]) -> str | None:
    return None if comment and any(mentions(comment, hidden)) else comment


def _is_visible(key: ForeignKey, table: Table, find: Callable[[str], Table | None]) -> bool:
    target = find(key.target_table)
    if target is None:
        return False
    # Without target columns a key refers to the primary key, which is empty if it is hidden.
    targets = key.target_columns or target.primary_key
    return all(map(table.column, key.columns)) and bool(targets) and all(map(target.column, targets))


def _names_of(tables: Iterable[Table]) -> frozenset[str]:
    named = {name for table in tables for name in (table.name, *(column.name for column in table.columns))}
    return frozenset(name.casefold() for name in named)


def _table_names(table: Table, default: Collection[str]) -> list[NameParts]:
    name = table.name.casefold()
    namespaces = (table.namespace.casefold(),) if table.namespace else default
    return [(name,), *((namespace, name) for namespace in namespaces)]


def _column_names(table: Table, column: Column, default: Collection[str]) -> list[NameParts]:
    return [(*parts, column.name.casefold()) for parts in _table_names(table, default)]


def _all_names(table: Table, default: Collection[str]) -> Iterator[NameParts]:
    yield from _table_names(table, default)
    for column in table.columns:
        yield from _column_names(table, column, default)
