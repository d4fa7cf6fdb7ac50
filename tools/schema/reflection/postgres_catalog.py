"""Parts of a PostgreSQL schema that SQLAlchemy does not reflect, read from the server's catalog.

SQLAlchemy reads the target of a foreign key from a text that the server shortens by its search path, has no name for
types that it does not know, and lists tables that belong to extensions, such as `spatial_ref_sys`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, text

from route_sql.tools.schema.records import Column, ForeignKey, Table

MOST_LABELS = 1_000
"""Labels that are read of one type."""

_SHOWN = "n.nspname::text IN :namespaces AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
_KEYS = f"""
    SELECT n.nspname::text, c.relname::text, k.conname::text,
           ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (number, place)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place),
           m.nspname::text, t.relname::text,
           ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u (number, place)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place)
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class t ON t.oid = k.confrelid JOIN pg_catalog.pg_namespace m ON m.oid = t.relnamespace
    WHERE k.contype = 'f' AND {_SHOWN} AND NOT t.relispartition
    ORDER BY 1, 2, 3
"""
_MEMBERS = f"""
    SELECT n.nspname::text, c.relname::text
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classid = CAST('pg_catalog.pg_class' AS regclass) AND d.deptype = 'e' AND {_SHOWN}
"""
# Arrays and domains are followed to the type of their items, whose labels and names are read.
_TYPES = f"""
    WITH RECURSIVE shown AS MATERIALIZED (
        SELECT n.nspname::text AS namespace, c.relname::text AS name, a.attname::text AS column_name,
               a.attnum, a.atttypid, a.atttypmod
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE {_SHOWN}
    ), behind AS (
        SELECT DISTINCT atttypid AS type, atttypid AS item FROM shown
        UNION
        SELECT b.type, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
        FROM behind b JOIN pg_catalog.pg_type t ON t.oid = b.item
        WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0)
    ), known AS MATERIALIZED (
        SELECT b.type, pg_catalog.bool_or(m.nspname <> 'pg_catalog') AS is_own,
               (pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
                FILTER (WHERE e.oid IS NOT NULL))[1:{MOST_LABELS}] AS labels
        FROM behind b JOIN pg_catalog.pg_type t ON t.oid = b.item
        JOIN pg_catalog.pg_namespace m ON m.oid = t.typnamespace
        LEFT JOIN pg_catalog.pg_enum e ON e.enumtypid = b.item
        GROUP BY b.type
    )
    SELECT s.namespace, s.name, s.column_name, pg_catalog.format_type(s.atttypid, s.atttypmod), k.is_own, k.labels
    FROM shown s JOIN known k ON k.type = s.atttypid
"""
_TableName = tuple[str, str]


def completed(connection: Connection, tables: Sequence[Table], namespaces: Sequence[str], default: str) -> list[Table]:
    """Add foreign keys, types and labels from the catalog, and leave out the tables of extensions.

    Args:
        connection: Connection to the server; it is only read from.
        tables: Tables as SQLAlchemy reflects them.
        namespaces: Their schemas.
        default: Schema whose tables have none in their key.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the catalog can't be read.
    """
    members = {(row[0], row[1]) for row in _asked(connection, _MEMBERS, namespaces)}
    keys: defaultdict[_TableName, list[ForeignKey]] = defaultdict(list)
    for namespace, name, _, columns, *target in _asked(connection, _KEYS, namespaces):
        keys[namespace, name].append(_foreign_key(columns, target, default))
    types: defaultdict[_TableName, dict[str, Sequence[Any]]] = defaultdict(dict)
    for namespace, name, column, *known in _asked(connection, _TYPES, namespaces):
        types[namespace, name][column] = known
    placed = [((table.namespace or default, table.name), table) for table in tables]
    return [_completed(table, keys[at], types[at]) for at, table in placed if at not in members]


def _asked(connection: Connection, query: str, namespaces: Sequence[str]) -> Sequence[Any]:
    statement = text(query).bindparams(bindparam("namespaces", expanding=True))
    return connection.execute(statement, {"namespaces": list(namespaces)}).all()


def _foreign_key(columns: Iterable[str], target: Sequence[Any], default: str) -> ForeignKey:
    namespace, name, targets = target
    return ForeignKey(tuple(columns), name if namespace == default else f"{namespace}.{name}", tuple(targets))


def _completed(table: Table, keys: Sequence[ForeignKey], types: Mapping[str, Sequence[Any]]) -> Table:
    columns = (_typed(column, types[column.name]) if column.name in types else column for column in table.columns)
    return replace(table, columns=tuple(columns), foreign_keys=tuple(keys))


def _typed(column: Column, known: Sequence[Any]) -> Column:
    """Name the type of a column: SQLAlchemy's name of a type that it knows, else the server's name."""
    name, is_own, labels = known
    is_known = column.type and not is_own and "NULL" not in column.type
    return replace(column, type=column.type if is_known else name, labels=tuple(labels or ()))
