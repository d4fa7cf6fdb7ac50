"""Types that show or name something hidden.

In PostgreSQL each table is a type: a column may hold rows of a hidden table, and its type then has the table's name.
A domain or an enum may have the name of a hidden column.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from route_sql.tools.schema.records import Column, Schema, Table

OWN = "USER-DEFINED"
PLAIN_TYPES = frozenset({"sqlite", "mysql", "duckdb"})
"""Dialects without types that users can name."""
_Shown = Mapping[str, tuple[Column, ...]]


def without_hidden_rows(schema: Schema, shown: _Shown) -> _Shown:
    """The visible columns of each table, without those that hold rows of a partly hidden table.

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
        shown = fewer  # a table that lost a column is itself a type with a hidden field


def with_plain_types(table: Table, tells: Callable[[str], bool]) -> Table:
    """A table whose types name nothing hidden.

    Args:
        table: A table with the columns that may be seen.
        tells: Tells whether a text has a hidden name.
    """
    return replace(table, columns=tuple(_plain(column, tells) for column in table.columns))


def _plain(column: Column, tells: Callable[[str], bool]) -> Column:
    kind, fields = column.type, tuple(_plain(part, tells) for part in column.fields)
    if _is_own(kind) and tells(kind):
        kind, fields = OWN + kind[len(kind.rstrip("[]")) :], ()
    return replace(column, type=kind, fields=fields)


def _is_own(kind: str) -> bool:
    """Whether a user made the type: the engine's types are written in capital letters."""
    name = kind.partition("(")[0]
    return '"' in name or name != name.upper()
