"""The fields of PostgreSQL's composite types, as those of the columns that have them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from route_sql.tools.schema.records import Column, Schema

_Path = tuple[str, ...]
_Found = dict[_Path, dict[str, str]]


def with_fields(schema: Schema, rows: Sequence[tuple[object, ...]]) -> Schema:
    """The schema whose columns of composite types have their fields.

    Args:
        schema: The schema.
        rows: For each such column, and for each field: its namespace (None for the default one), its path from the
            table down, and its type as PostgreSQL writes it.
    """
    below: dict[str | None, _Found] = defaultdict(lambda: defaultdict(dict))
    for namespace, path, kind in rows:
        names = tuple(map(str, path)) if isinstance(path, list) else ()
        below[None if namespace is None else str(namespace)][names[:-1]][names[-1]] = str(kind)
    tables = []
    for table in schema:
        found = below.get(table.namespace, {})
        columns = (_filled(column, (table.name,), found) for column in table.columns)
        tables.append(replace(table, columns=tuple(columns)))
    return replace(schema, tables=tuple(tables))


def _filled(column: Column, above: _Path, found: _Found) -> Column:
    kind = found.get(above, {}).get(column.name)
    if kind is None:
        return column
    return replace(column, type=column.type or kind, fields=_fields((*above, column.name), found))


def _fields(path: _Path, found: _Found) -> tuple[Column, ...]:
    named = found.get(path, {})
    return tuple(Column(name, kind, fields=_fields((*path, name), found)) for name, kind in named.items())
