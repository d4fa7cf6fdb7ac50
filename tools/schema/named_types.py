"""The engine's own names of types that SQLAlchemy does not know, where its catalog has the standard's form."""

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
    """Tables whose columns without a type have the one that the catalog tells, if it does.

    Args:
        connection: Asks the database, and only where a column has no type; it is only read from.
        tables: As SQLAlchemy reflects them.
        default: The namespace whose tables carry none in their key.
    """
    dialect = connection.dialect.name
    if dialect in _WITHOUT_CATALOG or all(column.type for table in tables for column in table.columns):
        return list(tables)
    try:
        rows = connection.exec_driver_sql(_TYPES.format(column=_COLUMN.get(dialect, "data_type"))).all()
    except SQLAlchemyError:
        return list(tables)  # an engine without the standard's catalog: the columns stay without a type
    known = {(row[0], row[1], row[2]): str(row[3] or "") for row in rows}
    return [_named(table, table.namespace or default, known) for table in tables]


def _named(table: Table, namespace: str, known: dict[tuple[str, str, str], str]) -> Table:
    columns = []
    for column in table.columns:
        name, labels = without_labels(known.get((namespace, table.name, column.name), ""))
        columns.append(column if column.type else replace(column, type=name, labels=labels))
    return replace(table, columns=tuple(columns))
