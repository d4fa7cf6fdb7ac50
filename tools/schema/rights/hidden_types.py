"""Types whose names show something hidden.

To PostgreSQL each table is a type: a column may hold rows of a hidden one, and its type is then called like that. A
domain or an enum may be called like a hidden column.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from route_sql.tools.schema.records import Column, Table

ROW = "record"
OWN = "USER-DEFINED"
PLAIN_TYPES = frozenset({"sqlite", "mysql", "duckdb"})
"""Dialects whose columns show no type by a name that a user gave it."""


def with_plain_types(table: Table, tells: Callable[[str], bool], rows_of: frozenset[str]) -> Table:
    """A table whose types name nothing hidden, nor a row that is not wholly visible.

    A query that may name the type of such a row learns the names of its hidden fields: `to_json(NULL::customer)`.

    Args:
        table: A table with the columns that may be seen.
        tells: Whether a text has a hidden name.
        rows_of: From `row_types`, for the tables that are not wholly visible.
    """
    return replace(table, columns=tuple(_plain(column, tells, rows_of) for column in table.columns))


def row_types(tables: Iterable[Table]) -> frozenset[str]:
    """Names of the row types of tables, case-folded, with their schemas and without."""
    return frozenset(text.casefold() for table in tables for text in (table.name, table.key))


def _plain(column: Column, tells: Callable[[str], bool], rows_of: frozenset[str]) -> Column:
    kind, fields = column.type, tuple(_plain(part, tells, rows_of) for part in column.fields)
    name = kind.rstrip("[]")
    is_told = name.replace('"', "").casefold() in rows_of or (_is_own(kind) and tells(kind))
    if is_told:
        fields = ()
        kind = (ROW if column.fields else OWN) + kind[len(name) :]
    return replace(column, type=kind, fields=fields)


def _is_own(kind: str) -> bool:
    """Whether a type is one of the user's own: those of the engine are written in capital letters."""
    name = kind.partition("(")[0]
    return '"' in name or name != name.upper()
