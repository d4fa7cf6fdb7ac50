"""Conversion of a schema to plain JSON and back, to send it to another process."""

from dataclasses import asdict
from typing import Any

from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table


def plain(schema: Schema) -> dict[str, Any]:
    """Convert a schema to dictionaries and lists."""
    return asdict(schema)


def from_plain(given: dict[str, Any]) -> Schema:
    """Convert the result of `plain` back to a schema."""
    tables, relatives = (tuple(map(_table, given[part])) for part in ("tables", "relatives"))
    return Schema(given["dialect"], tables, relatives, given["default"])


def _table(given: dict[str, Any]) -> Table:
    return Table(
        name=given["name"],
        columns=tuple(map(_column, given["columns"])),
        namespace=given["namespace"],
        primary_key=tuple(given["primary_key"]),
        foreign_keys=tuple(map(_foreign_key, given["foreign_keys"])),
        comment=given["comment"],
        is_view=given["is_view"],
        inherits=tuple(given["inherits"]),
        reads=None if given["reads"] is None else tuple(given["reads"]),
    )


def _column(given: dict[str, Any]) -> Column:
    fields = tuple(map(_column, given["fields"]))
    lists = {name: tuple(given[name]) for name in ("samples", "labels", "type_names", "rows_of")}
    return Column(**{**given, **lists, "fields": fields})


def _foreign_key(given: dict[str, Any]) -> ForeignKey:
    return ForeignKey(tuple(given["columns"]), given["target_table"], tuple(given["target_columns"]))
