"""Hardness of a query, as the collaboration strategy measures it."""

from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.usage import names_in

HARD = 3
"""A query over this many tables is hard (ROUTE, section 3.3)."""


def table_count(sql: str, schema: Schema) -> int:
    """Number of different base tables that a query names, real or not; 0 if the text is not exactly one query."""
    names = names_in(sql, schema)
    return len({name.table.key if name.table else name.text.casefold() for name in names if name.is_table})
