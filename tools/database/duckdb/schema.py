"""The schema of a DuckDB database, from its own catalog functions: its SQLAlchemy dialect can't reflect columns."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.schema.types import without_labels
from route_sql.tools.sql.view_sources import with_sources

_MAIN = "main"
_TABLES = """
SELECT schema_name, table_name, comment, false FROM duckdb_tables() WHERE NOT internal AND NOT temporary
UNION ALL
SELECT schema_name, view_name, comment, true FROM duckdb_views() WHERE NOT internal AND NOT temporary
ORDER BY 4, 1, 2
"""
# DuckDB lists the expression of a generated column as its default, and nowhere whether it is one.
_COLUMNS = """
SELECT c.schema_name, c.table_name, c.column_name, c.data_type, c.is_nullable, c.comment,
       CASE WHEN contains(t.sql, 'GENERATED ALWAYS AS') THEN c.column_default END
FROM duckdb_columns() c LEFT JOIN duckdb_tables() t ON t.table_oid = c.table_oid AND t.database_oid = c.database_oid
WHERE NOT c.internal ORDER BY c.schema_name, c.table_name, c.column_index
"""
_VIEWS = "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal AND NOT temporary"
_ENUMS = """
SELECT type_name, labels FROM duckdb_types() WHERE NOT internal AND logical_type = 'ENUM' AND schema_name = 'main'
"""
_KEYS = """
SELECT schema_name, table_name, constraint_type, constraint_column_names, referenced_table, referenced_column_names
FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') ORDER BY constraint_index
"""
_Key = tuple[str, str]


class _DuckDBConnection(Protocol):
    def execute(self, query: str) -> Any:
        """Run one of our own queries."""


def reflect_duckdb(connection: _DuckDBConnection, namespaces: Sequence[str] = ()) -> Schema:
    """The tables, then the views, without sample values.

    Args:
        connection: An open connection of the `duckdb` package; it is only read from.
        namespaces: The schema names to read; none reads `main`. Tables outside `main` have theirs in their key.

    Raises:
        duckdb.Error: the catalog can't be read.
    """
    wanted = set(namespaces) or {_MAIN}
    enums = _enums(connection)
    columns: dict[_Key, list[Column]] = defaultdict(list)
    for namespace, table, name, kind, nullable, comment, computed in connection.execute(_COLUMNS).fetchall():
        short, labels = without_labels(kind)
        named = tuple(enums.get(kind.rstrip("[]"), ()))
        column = Column(name, short, nullable, comment or None, labels=labels, type_names=named, computed=computed)
        columns[namespace, table].append(column)
    keys: dict[_Key, list[tuple[Any, ...]]] = defaultdict(list)
    for namespace, table, *key in connection.execute(_KEYS).fetchall():
        keys[namespace, table].append(tuple(key))
    found = (tuple(row) for row in connection.execute(_TABLES).fetchall())
    tables = [_table(row, columns, keys) for row in found if row[0] in wanted and columns[row[0], row[1]]]
    views = connection.execute(_VIEWS).fetchall()
    definitions = {_key(namespace, name): text for namespace, name, text in views}
    return with_sources(Schema("duckdb", tuple(tables)), definitions, lambda source: _key(*source))


def _enums(connection: _DuckDBConnection) -> dict[str, list[str]]:
    """The names of enumerated types by their text, since DuckDB gives only the text as a column's type."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, labels in connection.execute(_ENUMS).fetchall():
        quoted = ", ".join("'" + label.replace("'", "''") + "'" for label in labels or ())
        found[f"ENUM({quoted})"].append(name)
    return found


def _table(row: tuple[Any, ...], columns: dict[_Key, list[Column]], keys: dict[_Key, list[tuple[Any, ...]]]) -> Table:
    namespace, name, comment, is_view = row
    own = keys.get((namespace, name), [])
    return Table(
        name=name,
        columns=tuple(columns[namespace, name]),
        namespace=_shown(namespace),
        primary_key=next((tuple(names) for kind, names, *_ in own if kind == "PRIMARY KEY"), ()),
        foreign_keys=tuple(
            # DuckDB refuses keys across schemas, so the target is in the table's schema.
            ForeignKey(tuple(names), f"{namespace}.{target}" if _shown(namespace) else target, tuple(targets))
            for kind, names, target, targets in own
            if kind == "FOREIGN KEY"
        ),
        comment=comment or None,
        is_view=is_view,
    )


def _key(namespace: str, name: str) -> str:
    return f"{namespace}.{name}" if _shown(namespace or _MAIN) else name


def _shown(namespace: str) -> str | None:
    return None if namespace == _MAIN else namespace
