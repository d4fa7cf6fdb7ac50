"""The keys that lead from table to table: those that the schema declares, and those that names tell."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from route_sql.tools.schema.records import Column, Schema, Table, references

MOST_STEPS = 3
"""Tables further apart than this many keys have nothing to do with each other."""
FEW = 4
"""A column that more tables share, if it is the primary key of none, or of each, joins nothing in particular."""

_NAMED_AS_KEY = re.compile(r"[^_]_[iI][dD]$|[a-z0-9]I[dD]$")
"""`customer_id` and `customerId`, but not `paid`."""

Pairs = tuple[tuple[str, str], ...]
"""The columns of a key, each of one table with that of the other."""


class Step(NamedTuple):
    """A key to another table; its columns there stand second."""

    end: str
    columns: Pairs


class Way(NamedTuple):
    """From a table that is joined, by its alias, along keys to another one."""

    alias: str
    steps: tuple[Step, ...] = ()


_Key = tuple[str, str, Pairs]
"""From a table to another one."""
Steps = Mapping[str, Sequence[Step]]
"""The keys that lead from each table, by its key."""


def key_steps(schema: Schema) -> dict[str, list[Step]]:
    """Where the keys lead from each table, by table key, from either side of them.

    Where a schema declares no foreign key at all, as many databases do that were made from files, names must tell: a
    column such as `customer_id` that tables share, or that stands beside a table `customer` with a column `id`. Where
    it declares some, they tell of a column without a declared key, if it is named as the primary key of a table.
    """
    declared = [
        (key.source, key.target, tuple(zip(key.source_columns, key.target_columns, strict=True)))
        for key in references(schema)
        if key.source_columns and len(key.source_columns) == len(key.target_columns)
    ]
    told = [*_shared(schema), *_named_after(schema)]
    if declared:
        told = _undeclared(told, declared, schema)
    steps: dict[str, list[Step]] = {}
    for source, target, pairs in [*declared, *told]:
        steps.setdefault(source, []).append(Step(target, pairs))
        steps.setdefault(target, []).append(Step(source, tuple((b, a) for a, b in pairs)))
    return steps


def one_thing(steps: Steps, table: str, column: str) -> set[tuple[str, str]]:
    """The columns that hold keys of the same thing as a column, which keys connect, and itself; none if it is no key.

    Args:
        steps: Where keys lead.
        table: The key of the column's table; of the result's pairs it stands first.
        column: Its folded name, as are those of the result.
    """
    found: set[tuple[str, str]] = set()
    ahead = [(table, column)]
    while ahead:
        source, name = ahead.pop()
        linked = [(step.end, b) for step in steps.get(source, ()) for a, b in step.columns if a.casefold() == name]
        ahead += {(end, b.casefold()) for end, b in linked} - found
        found |= {(end, b.casefold()) for end, b in linked}
    return found


def _undeclared(told: list[_Key], declared: list[_Key], schema: Schema) -> list[_Key]:
    """The keys that names tell, to a primary key and from columns that no declared key has on either side."""
    known = {(source, a) for source, _, pairs in declared for a, _ in pairs}
    known |= {(target, b) for _, target, pairs in declared for _, b in pairs}
    own = {table.key: table.primary_key for table in schema}
    shared = [_key_of_both(key, own, known) for key in told]
    return [
        (source, target, pairs)
        for source, target, pairs in shared
        if own[target] == tuple(b for _, b in pairs) and not any((source, a) in known for a, _ in pairs)
    ]


def _key_of_both(key: _Key, own: Mapping[str, tuple[str, ...]], known: Collection[tuple[str, str]]) -> _Key:
    """A key between primary keys of one name, as of `users` and `profiles`, from the one that no declared key has."""
    source, target, pairs = key
    both = own[source] == tuple(a for a, _ in pairs) and all(a.casefold() == b.casefold() for a, b in pairs)
    turned = (target, source, tuple((b, a) for a, b in pairs))
    return turned if both and any((source, a) in known for a, _ in pairs) else key


def shortest_way(
    steps: Steps,
    starts: Mapping[str, str],
    wanted: Collection[str],
    taken: Collection[str],
    preference: Callable[[Way], float],
) -> Way | None:
    """The shortest way to a table that is wanted; None if there is none, or one to another such table is as short.

    Of several ways to one table that are as short, it is the one with the largest preference, the first of equals.

    Args:
        steps: Where keys lead.
        starts: The tables to start from, by alias.
        wanted: The keys of the tables to arrive at.
        taken: The keys of the tables that no way passes.
        preference: How much is to be said for a way.
    """
    ways = [Way(alias) for alias in starts]
    passed = set(taken).difference(wanted)
    for _ in range(MOST_STEPS):
        onward: dict[str, Way] = {}
        for way in [further for shorter in ways for further in _further(shorter, starts[shorter.alias], steps)]:
            end = way.steps[-1].end
            if end not in passed and (end not in onward or preference(way) > preference(onward[end])):
                onward[end] = way
        ways = list(onward.values())
        passed |= onward.keys()
        if arrived := [way for end, way in onward.items() if end in wanted]:
            return arrived[0] if len(arrived) == 1 else None
    return None


def _further(way: Way, start: str, steps: Steps) -> Iterator[Way]:
    """A way and one step more, but not back by the key that led there: that joins each row with itself."""
    tables = [start, *(step.end for step in way.steps)]
    back = Step(tables[-2], tuple((b, a) for a, b in way.steps[-1].columns)) if way.steps else None
    for step in steps.get(tables[-1], ()):
        if step != back:
            yield Way(way.alias, (*way.steps, step))


def _shared(schema: Schema) -> Iterator[_Key]:
    """A column of one name in several tables; from others to those of which it is the primary key, if it is of any."""
    holders: dict[str, list[tuple[Table, Column]]] = {}
    for table in schema:
        for column in table.columns:
            if _NAMED_AS_KEY.search(column.name):
                holders.setdefault(column.name.casefold(), []).append((table, column))
    for found in holders.values():
        owners = [each for each in found if each[0].primary_key == (each[1].name,)]
        sources = owners or found
        passed: set[str] = set()
        for owner, own in sources if len(sources) <= FEW else ():
            passed.add(owner.key)
            others = [each for each in found if each[0].key not in passed]
            yield from ((other.key, owner.key, ((column.name, own.name),)) for other, column in others)


def _named_after(schema: Schema) -> Iterator[_Key]:
    """`customer_id` and the `id` of the table `customer` or `customers`, of the same namespace if there is one."""
    # Last and above all those that are named so exactly.
    named = [(name, table) for table in schema for name in _stems(table)]
    named += [(table.name.casefold(), table) for table in schema]
    # Of tables of one name in several namespaces none is meant from a further one.
    held = Counter(table.name.casefold() for table in schema)
    tables = {name: table for name, table in named if held[table.name.casefold()] == 1}
    beside = {(table.namespace, name): table for name, table in named}
    for table in schema:
        for column in table.columns:
            stem, _, end = column.name.casefold().rpartition("_")
            target = beside.get((table.namespace, stem), tables.get(stem)) if end == "id" else None
            own = target.column("id") if target is not None and target.key != table.key else None
            if target is not None and own is not None:
                yield table.key, target.key, ((column.name, own.name),)


def _stems(table: Table) -> set[str]:
    """What a column that refers to a table may be named after: `category` too, of `categories`."""
    name = table.name.casefold()
    return {name, name + "s", name.removesuffix("s"), re.sub("ies$", "y", name)}
