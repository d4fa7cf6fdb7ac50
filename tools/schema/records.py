"""A schema as frozen records, independent of the engine it came from."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

Link = dict[str, list[str]]
"""Schema link (ROUTE, section 3.2): column names by table key, in the spelling of the database."""

DEFAULT_NAMES = frozenset({"main", "public", "dbo"})
"""Engines' names of the default namespace, whose tables have none in their key."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    `samples` are a few distinct values as text, clipped. `labels` are all values of an enumerated type. `fields` are
    those of a PostgreSQL composite type, or of the items of an array of one. `type_names` are the names of the type in
    a query, where `type` is not its name. `rows_of` are the keys of the tables whose rows its values hold: in
    PostgreSQL each table is a type. `computed` is the expression of a generated column, empty if it can't be read, and
    None for any other column.
    """

    name: str
    type: str
    nullable: bool = True
    comment: str | None = None
    samples: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    fields: "tuple[Column, ...]" = ()
    type_names: tuple[str, ...] = ()
    rows_of: tuple[str, ...] = field(default=(), repr=False)
    computed: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A declared reference; `target_columns` is empty where the declaration has none.

    A declaration is only a hint: some data sets declare keys that their rows violate.
    """

    columns: tuple[str, ...]
    target_table: str
    target_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a view. `namespace` is the engine's schema name (`sales` in `sales.orders`), None for the default.

    `inherits` are the keys of the tables that this one inherits from (PostgreSQL's INHERITS): they show its rows too.
    `reads` are the keys of the tables that a view selects from, None if they are not known.
    """

    name: str
    columns: tuple[Column, ...]
    namespace: str | None = None
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str | None = None
    is_view: bool = False
    inherits: tuple[str, ...] = ()
    reads: tuple[str, ...] | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """Name in links and foreign keys: `name`, or `namespace.name` outside the default namespace."""
        return f"{self.namespace}.{self.name}" if self.namespace else self.name

    def column(self, name: str) -> Column | None:
        """Column of that name: exact spelling first, then any case."""
        exact = next((column for column in self.columns if column.name == name), None)
        return exact or next((c for c in self.columns if c.name.casefold() == name.casefold()), None)


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables of one database that a caller may see.

    `relatives` are further tables that these inherit from or that inherit from these. Queries may not name them, but
    tables that may be read can show their rows. `default` is the engine's name of the namespace that keys leave out;
    empty if it is not known.
    """

    dialect: str
    tables: tuple[Table, ...]
    relatives: tuple[Table, ...] = field(default=(), repr=False)
    default: str = field(default="", repr=False)

    @property
    def default_names(self) -> frozenset[str]:
        """The case-folded names that may be written for the namespace that keys leave out.

        In PostgreSQL `public` may be another one: `schemas = ["sales", "public"]` makes `sales` the default.
        """
        own = self.default.casefold()
        if not own or own in DEFAULT_NAMES:
            return DEFAULT_NAMES
        return frozenset({own}) if self.dialect == "postgres" else DEFAULT_NAMES | {own}

    def __iter__(self) -> Iterator[Table]:
        """Iterate over the tables."""
        return iter(self.tables)

    def table(self, key: str) -> Table | None:
        """Table of that key: exact spelling first, then any case."""
        return _by_name({table.key: table for table in self.tables})(key)

    def names(self) -> Link:
        """Link to every column of every table."""
        return {table.key: [column.name for column in table.columns] for table in self.tables}

    def column_count(self) -> int:
        """Number of columns in all tables."""
        return sum(len(table.columns) for table in self.tables)

    def fingerprint(self) -> str:
        """Hash of the schema with its samples and comments."""
        return hashlib.sha256(repr(self).encode("utf-8", "backslashreplace")).hexdigest()[:32]

    def restrict(self, link: Link) -> "Schema":
        """Restrict the schema to the tables and columns of a link, and the key columns that join them.

        A kept table also keeps its primary key and both ends of every foreign key between two kept tables. If two
        kept tables are not joined by foreign keys among the kept ones, but one more table joins them, that table is
        added with its key columns: first a table that refers to both, then a table on the path from one to the other,
        then a table that both refer to. Longer paths are not searched.

        Args:
            link: Columns to keep, by table. A table without columns keeps its keys, or all its columns if it has no
                keys. Unknown names are ignored.
        """
        kept: dict[str, set[str]] = {}
        find = _by_name({table.key: table for table in self.tables})
        for key, names in link.items():
            if (table := find(key)) is not None:
                found = (table.column(name) for name in names)
                kept.setdefault(table.key, set()).update(column.name for column in found if column)
        edges = references(self)
        kept.update({key: set() for key in _bridges(self, set(kept), edges)})
        for edge in edges:
            if edge.source in kept and edge.target in kept:
                kept[edge.source].update(edge.source_columns)
                kept[edge.target].update(edge.target_columns)
        return Schema(self.dialect, tuple(_restricted(t, kept) for t in self.tables if t.key in kept))


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Reference:
    """Foreign key with real names on both sides; no `target_columns` if it has none and its target no primary key."""

    source: str
    source_columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]


def _by_name(named: dict[str, _T]) -> Callable[[str], _T | None]:
    """Look-up by name: exact spelling first, then the first that differs in case only."""
    folded = {name.casefold(): item for name, item in reversed(named.items())}
    return lambda name: named.get(name) or folded.get(name.casefold())


def _real(table: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(column.name for name in names if (column := table.column(name)))


def references(schema: Schema) -> list[Reference]:
    """Declared foreign keys whose target exists; without target columns they refer to its primary key."""
    find = _by_name({table.key: table for table in schema.tables})
    edges = []
    for table in schema.tables:
        for key in table.foreign_keys:
            if (target := find(key.target_table)) is not None:
                columns = key.target_columns or target.primary_key
                edges.append(Reference(table.key, _real(table, key.columns), target.key, _real(target, columns)))
    return edges


def _restricted(table: Table, kept: dict[str, set[str]]) -> Table:
    names = kept[table.key] | set(_real(table, table.primary_key))
    columns = tuple(column for column in table.columns if not names or column.name in names)
    folded = {key.casefold() for key in kept}
    keys = tuple(key for key in table.foreign_keys if key.target_table.casefold() in folded)
    return replace(table, columns=columns, foreign_keys=keys)


def _bridges(schema: Schema, kept: set[str], edges: list[Reference]) -> list[str]:
    """Tables to add between kept tables that no foreign key joins, but one more table does.

    Tables that refer to two unjoined groups come first, then those that refer to one, then those that both refer to.
    """
    refers_to: dict[str, set[str]] = {key: set() for key in schema.names()}
    near: dict[str, set[str]] = {key: set() for key in schema.names()}
    for edge in edges:
        refers_to[edge.source].add(edge.target)
        near[edge.source].add(edge.target)
        near[edge.target].add(edge.source)
    groups = _merged([{key} | (near[key] & kept) for key in near if key in kept])
    added: list[str] = []
    for wanted in (2, 1, 0):
        joined: list[set[str]] = []
        for key in (key for key in near if key not in kept and len(near[key] & kept) > 1):
            touched = [group for group in groups if group & near[key]]
            referred = sum(1 for group in touched if group & refers_to[key])
            if len(touched) >= 2 and min(referred, 2) == wanted:
                added.append(key)
                joined.append(set().union(*touched))
        groups = _merged(groups + joined)
    return added


def _merged(groups: list[set[str]]) -> list[set[str]]:
    """Merge the groups that share a member."""
    merged: list[set[str]] = []
    for group in groups:
        apart = [other for other in merged if not other & group]
        merged = [*apart, group.union(*(other for other in merged if other & group))]
    return merged
