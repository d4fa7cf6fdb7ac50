"""Keys between tables: those that the schema declares, and those that column names suggest."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from route_sql.tools.schema.records import Column, Schema, Table, references

MAX_STEPS = 3
"""Tables further apart than this many keys count as unrelated."""
MAX_SHARING = 4
"""Largest number of tables whose shared column suggests a key; for a primary key, of tables that have it as theirs."""

_NAMED_AS_KEY = re.compile(r"[^_]_[iI][dD]$|[a-z0-9]I[dD]$")
"""`customer_id` and `customerId`, but not `paid`."""

ColumnPairs = tuple[tuple[str, str], ...]
"""Columns of a key, each with the column that it equals in the other table."""


class JoinStep(NamedTuple):
    """Key to the table `target`, whose column is the second of each pair."""

    target: str
    columns: ColumnPairs


class JoinPath(NamedTuple):
    """Keys to follow from a table of the query, given by its alias."""

    alias: str
    steps: tuple[JoinStep, ...] = ()


JoinGraph = Mapping[str, Sequence[JoinStep]]
"""Steps from each table, by table key."""
_Key = tuple[str, str, ColumnPairs]
"""Source table, target table, columns."""


def join_graph(schema: Schema) -> dict[str, list[JoinStep]]:
    """Keys from each table, by table key; each key can be followed in both directions.

    Many databases that were made from files declare no foreign key at all. There, column names suggest keys: a column
    such as `customer_id` that tables share, or that refers by its name to a table `customer` with a column `id`. In a
    schema with declared keys, names suggest a key only from a column without a declared one to a primary key.
    """
    declared = [
        (key.source, key.target, tuple(zip(key.source_columns, key.target_columns, strict=True)))
        for key in references(schema)
        if key.source_columns and len(key.source_columns) == len(key.target_columns)
    ]
    suggested = [*_shared_columns(schema), *_columns_named_after_tables(schema)]
    if declared:
        suggested = _undeclared(suggested, declared, schema)
    graph: dict[str, list[JoinStep]] = {}
    for source, target, pairs in [*declared, *suggested]:
        graph.setdefault(source, []).append(JoinStep(target, pairs))
        graph.setdefault(target, []).append(JoinStep(source, tuple((b, a) for a, b in pairs)))
    return graph


def is_named_as_key(column: str) -> bool:
    """Whether a column's name says that it holds a key: `customer_id` and `customerId`, but not `paid`."""
    return _NAMED_AS_KEY.search(column) is not None


def equivalent_keys(graph: JoinGraph, table: str, column: str) -> set[tuple[str, str]]:
    """Columns that hold keys of the same thing as a column, including itself; empty if it is not a key.

    With `sale.seller -> staff.id` and `staff.id -> person.id`, the keys equivalent to `sale.seller` are
    `sale.seller`, `staff.id` and `person.id`.

    Args:
        graph: Keys of the schema.
        table: Table key of the column.
        column: Its case-folded name; the column names of the result are case-folded too.
    """
    found: set[tuple[str, str]] = set()
    ahead = [(table, column)]
    while ahead:
        source, name = ahead.pop()
        linked = [(step.target, b) for step in graph.get(source, ()) for a, b in step.columns if a.casefold() == name]
        ahead += {(target, b.casefold()) for target, b in linked} - found
        found |= {(target, b.casefold()) for target, b in linked}
    return found


def shortest_path(
    graph: JoinGraph,
    starts: Mapping[str, str],
    wanted: Collection[str],
    taken: Collection[str],
    preference: Callable[[JoinPath], float],
) -> JoinPath | None:
    """Shortest path to a wanted table; None if there is none, or if two wanted tables are equally near.

    Among equally short paths to one table, the one with the largest preference counts, and the first among equals.

    Args:
        graph: Keys of the schema.
        starts: Tables to start from, by alias.
        wanted: Table keys to arrive at.
        taken: Table keys that no path may pass through.
        preference: Score of a path.
    """
    paths = [JoinPath(alias) for alias in starts]
    passed = set(taken).difference(wanted)
    for _ in range(MAX_STEPS):
        reached: dict[str, JoinPath] = {}
        for path in [longer for shorter in paths for longer in _extended(shorter, starts[shorter.alias], graph)]:
            target = path.steps[-1].target
            if target not in passed and (target not in reached or preference(path) > preference(reached[target])):
                reached[target] = path
        paths = list(reached.values())
        passed |= reached.keys()
        if arrived := [path for target, path in reached.items() if target in wanted]:
            return arrived[0] if len(arrived) == 1 else None
    return None


def _extended(path: JoinPath, start: str, graph: JoinGraph) -> Iterator[JoinPath]:
    """Every path that is one step longer, but never back by the same key: that joins each row with itself."""
    tables = [start, *(step.target for step in path.steps)]
    back = JoinStep(tables[-2], tuple((b, a) for a, b in path.steps[-1].columns)) if path.steps else None
    for step in graph.get(tables[-1], ()):
        if step != back:
            yield JoinPath(path.alias, (*path.steps, step))


def _undeclared(suggested: list[_Key], declared: list[_Key], schema: Schema) -> list[_Key]:
    """Suggested keys to a primary key, from columns that take part in no declared key."""
    known = {(source, a) for source, _, pairs in declared for a, _ in pairs}
    known |= {(target, b) for _, target, pairs in declared for _, b in pairs}
    primary = {table.key: table.primary_key for table in schema}
    directed = [_from_undeclared_side(key, primary, known) for key in suggested]
    return [
        (source, target, pairs)
        for source, target, pairs in directed
        if primary[target] == tuple(b for _, b in pairs) and not any((source, a) in known for a, _ in pairs)
    ]


def _from_undeclared_side(
    key: _Key, primary: Mapping[str, tuple[str, ...]], known: Collection[tuple[str, str]]
) -> _Key:
    """Reverse a suggested key between two primary keys of one name if a declared key uses its source.

    `users.user_id -> profiles.user_id` becomes `profiles.user_id -> users.user_id` where `sale.buyer` refers to
    `users.user_id`.
    """
    source, target, pairs = key
    both = primary[source] == tuple(a for a, _ in pairs) and all(a.casefold() == b.casefold() for a, b in pairs)
    reversed_key = (target, source, tuple((b, a) for a, b in pairs))
    return reversed_key if both and any((source, a) in known for a, _ in pairs) else key


def _shared_columns(schema: Schema) -> Iterator[_Key]:
    """Keys between tables that share a column name; they lead to its owners where it is a primary key."""
    holders: dict[str, list[tuple[Table, Column]]] = {}
    for table in schema:
        for column in table.columns:
            if is_named_as_key(column.name):
                holders.setdefault(column.name.casefold(), []).append((table, column))
    for found in holders.values():
        owners = [each for each in found if each[0].primary_key == (each[1].name,)]
        targets = owners or found
        passed: set[str] = set()
        for owner, own in targets if len(targets) <= MAX_SHARING else ():
            passed.add(owner.key)
            others = [each for each in found if each[0].key not in passed]
            yield from ((other.key, owner.key, ((column.name, own.name),)) for other, column in others)


def _columns_named_after_tables(schema: Schema) -> Iterator[_Key]:
    """Keys from `customer_id` to the `id` of a table `customer` or `customers`, first in the same namespace."""
    # Exact names come last, so that they win over plural and singular forms.
    named = [(name, table) for table in schema for name in _singular_and_plural(table)]
    named += [(table.name.casefold(), table) for table in schema]
    # A table name that several namespaces have is looked up in the column's own namespace only.
    count = Counter(table.name.casefold() for table in schema)
    unique = {name: table for name, table in named if count[table.name.casefold()] == 1}
    in_namespace = {(table.namespace, name): table for name, table in named}
    for table in schema:
        for column in table.columns:
            stem, _, ending = column.name.casefold().rpartition("_")
            target = in_namespace.get((table.namespace, stem), unique.get(stem)) if ending == "id" else None
            own = target.column("id") if target is not None and target.key != table.key else None
            if target is not None and own is not None:
                yield table.key, target.key, ((column.name, own.name),)


def _singular_and_plural(table: Table) -> set[str]:
    """Names that a column may use for a table: `category` and `categories` for `categories`."""
    name = table.name.casefold()
    return {name, name + "s", name.removesuffix("s"), re.sub("ies$", "y", name)}
