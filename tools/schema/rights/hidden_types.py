"""Types that show or name something hidden.

To PostgreSQL each table is a type: a column may hold rows of a hidden one, and its type is then called like that. A
domain or an enum may be called like a hidden column.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from route_sql.tools.schema.records import Column, Schema, Table

OWN = "USER-DEFINED"
PLAIN_TYPES = frozenset({"sqlite", "mysql", "duckdb"})
"""Dialects whose columns show no type by a name that a user gave it."""
_Shown = Mapping[str, tuple[Column, ...]]


def without_hidden_rows(schema: Schema, shown: _Shown) -> _Shown:
    """The visible columns of each table without those that hold rows of a table which is not wholly visible.

    Whoever sees such a row sees the hidden columns in it: `to_json(old_row)`.

    Args:
        schema: The whole schema.
        shown: The columns of each table that may be seen, by key.
    """
    while True:
        whole = {table.key for table in schema if shown[table.key] == table.columns}
        fewer = {key: tuple(c for c in columns if whole.issuperset(c.rows_of)) for key, columns in shown.items()}
        if fewer == shown:
            return shown
        shown = fewer  # a table that lost a column is a type with a hidden field itself


def with_plain_types(table: Table, tells: Callable[[str], bool]) -> Table:
    """A table whose types name nothing hidden.

    Args:
        table: A table with the columns that may be seen.
        tells: Whether a text has a hidden name.
    """
    return replace(table, columns=tuple(_plain(column, tells) for column in table.columns))


def _plain(column: Column, tells: Callable[[str], bool]) -> Column:
    kind, fields = column.type, tuple(_plain(part, tells) for part in column.fields)
    if _is_own(kind) and tells(kind):
        kind, fields = OWN + kind[len(kind.rstrip("[]")) :], ()
    return replace(column, type=kind, fields=fields)


def _is_own(kind: str) -> bool:
    """Whether a type is one of the user's own: those of the engine are written in capital letters."""
    name = kind.partition("(")[0]
    return '"' in name or name != name.upper()
