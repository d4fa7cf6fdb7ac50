"""Engine names of types that SQLAlchemy does not know, read from the standard `information_schema`."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from route_sql.tools.schema.records import Table
from route_sql.tools.schema.types import without_labels

_TYPES = "SELECT table_schema, table_name, column_name, {column} FROM information_schema.columns"
_COLUMN = {"mysql": "column_type", "mariadb": "column_type"}
_WITHOUT_CATALOG = frozenset({"sqlite", "oracle"})


def with_named_types(connection: Connection, tables: Sequence[Table], default: str) -> list[Table]:
    """Add types from the engine's catalog to columns without one, where the catalog has them.

    Args:
        connection: Connection to the database; used only if a column has no type, and only to read.
        tables: Tables as SQLAlchemy reflects them.
        default: Namespace whose tables have none in their key.
    """
    dialect = connection.dialect.name
    if dialect in _WITHOUT_CATALOG or all(column.type for table in tables for column in table.columns):
        return list(tables)
    try:
        rows = connection.exec_driver_sql(_TYPES.format(column=_COLUMN.get(dialect, "data_type"))).all()
    except SQLAlchemyError:
        return list(tables)  # an engine without information_schema: the columns stay without a type
    known = {(row[0], row[1], row[2]): str(row[3] or "") for row in rows}
    return [_named(table, table.namespace or default, known) for table in tables]


def _named(table: Table, namespace: str, known: dict[tuple[str, str, str], str]) -> Table:
    columns = []
    for column in table.columns:
        name, labels = without_labels(known.get((namespace, table.name, column.name), ""))
        columns.append(column if column.type else replace(column, type=name, labels=labels))
    return replace(table, columns=tuple(columns))
