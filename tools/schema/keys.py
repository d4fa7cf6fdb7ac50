"""The keys that lead from table to table: those that the schema declares, or else those that names tell."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from route_sql.tools.schema.records import Column, Schema, Table, references

FEW = 4
"""A column that more tables share, and that is the primary key of none, joins nothing in particular."""

_NAMED_AS_KEY = re.compile(r"[^_]_[iI][dD]$|[a-z0-9]I[dD]$")
"""`customer_id` and `customerId`, but not `paid`."""

Pairs = tuple[tuple[str, str], ...]
"""The columns of a key, each of one table with that of the other."""


class Step(NamedTuple):
    """A key to another table; its columns there stand second."""

    end: str
    columns: Pairs


def key_steps(schema: Schema) -> dict[str, list[Step]]:
    """Where the keys lead from each table, by table key, from either side of them.

    Where a schema declares no foreign key at all, as many databases do that were made from files, names must tell: a
    column such as `customer_id` that tables share, or that stands beside a table `customer` with a column `id`.
    """
    declared = [
        (key.source, key.target, tuple(zip(key.source_columns, key.target_columns, strict=True)))
        for key in references(schema)
        if key.source_columns and len(key.source_columns) == len(key.target_columns) and key.source != key.target
    ]
    steps: dict[str, list[Step]] = {}
    for source, target, pairs in declared or [*_shared(schema), *_named_after(schema)]:
        steps.setdefault(source, []).append(Step(target, pairs))
        steps.setdefault(target, []).append(Step(source, tuple((b, a) for a, b in pairs)))
    return steps


def _shared(schema: Schema) -> Iterator[tuple[str, str, Pairs]]:
    """A column of one name in several tables; from others to that of which it is the primary key, if it is of one."""
    holders: dict[str, list[tuple[Table, Column]]] = {}
    for table in schema:
        for column in table.columns:
            if _NAMED_AS_KEY.search(column.name):
                holders.setdefault(column.name.casefold(), []).append((table, column))
    for found in holders.values():
        owners = [each for each in found if each[0].primary_key == (each[1].name,)]
        sources = owners or (found if len(found) <= FEW else [])
        for number, (owner, own) in enumerate(sources):
            others = [each for each in found if each not in sources[: number + 1]]
            yield from ((other.key, owner.key, ((column.name, own.name),)) for other, column in others)


def _named_after(schema: Schema) -> Iterator[tuple[str, str, Pairs]]:
    """`customer_id` and the `id` of the table `customer` or `customers`."""
    tables = {name: table for table in schema for name in (table.name.casefold(), table.name.casefold() + "s")}
    tables |= {table.name.casefold().removesuffix("s"): table for table in schema}
    for table in schema:
        for column in table.columns:
            stem, _, end = column.name.casefold().rpartition("_")
            target = tables.get(stem) if end == "id" else None
            own = target.column("id") if target is not None and target.key != table.key else None
            if target is not None and own is not None:
                yield table.key, target.key, ((column.name, own.name),)
