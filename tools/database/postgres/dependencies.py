"""Dependencies between tables: those that a view reads, and those whose rows a column holds."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from route_sql.tools.schema.records import Column, Schema, Table

_SHOWN = "n.nspname = ANY ({names}) AND {kinds}"
READS = f"""
    SELECT DISTINCT nullif(n.nspname, pg_catalog.current_schema())::text, c.relname::text,
           nullif(m.nspname, pg_catalog.current_schema())::text, t.relname::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
    LEFT JOIN pg_catalog.pg_depend d ON d.objid = r.oid AND d.classid = CAST('pg_catalog.pg_rewrite' AS regclass)
         AND d.refclassid = CAST('pg_catalog.pg_class' AS regclass) AND d.refobjid <> c.oid
    LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
    LEFT JOIN pg_catalog.pg_namespace m ON m.oid = t.relnamespace
    WHERE {_SHOWN} AND c.relkind = 'v'
"""
"""For each view: its namespace (None for the default one) and name, and those of a table that it reads, if any."""
ROWS_OF = f"""
    WITH RECURSIVE shown AS MATERIALIZED (
        SELECT n.nspname, c.relname, a.attname, a.atttypid
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE {_SHOWN}
    ), behind AS (
        SELECT DISTINCT atttypid AS whole, atttypid AS part FROM shown
        UNION
        SELECT b.whole, inner_part.type
        FROM behind b JOIN pg_catalog.pg_type t ON t.oid = b.part CROSS JOIN LATERAL (
            SELECT t.typbasetype UNION ALL SELECT t.typelem
            UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL SELECT g.rngsubtype FROM pg_catalog.pg_range g WHERE t.oid IN (g.rngtypid, g.rngmultitypid)
        ) AS inner_part (type)
        WHERE inner_part.type <> 0
    )
    SELECT nullif(s.nspname, pg_catalog.current_schema())::text, s.relname::text, s.attname::text,
           nullif(m.nspname, pg_catalog.current_schema())::text, r.relname::text
    FROM shown s JOIN behind b ON b.whole = s.atttypid JOIN pg_catalog.pg_type t ON t.oid = b.part
    JOIN pg_catalog.pg_class r ON r.oid = t.typrelid AND r.relkind <> 'c'
    JOIN pg_catalog.pg_namespace m ON m.oid = r.relnamespace
"""
"""For each column that holds rows of a table, inside any other types: its namespace, table and name, and the
namespace and name of that table."""

_TableName = tuple[str | None, str]
_DependencyRow = Sequence[object]


def with_dependencies(schema: Schema, reads: Sequence[_DependencyRow], rows_of: Sequence[_DependencyRow]) -> Schema:
    """The schema with the tables that each view reads, and the tables whose rows each column holds.

    Args:
        schema: The schema.
        reads: The rows of `READS`.
        rows_of: The rows of `ROWS_OF`.
    """
    read: defaultdict[_TableName, list[str]] = defaultdict(list)
    for *place, above, name in reads:
        read[_place(*place)] += [_key(above, name)] if name is not None else []
    held: defaultdict[_TableName, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for *place, column, above, name in rows_of:
        held[_place(*place)][str(column)].append(_key(above, name))
    tables = (_filled(table, read.get(at), held[at].get) for table in schema for at in [(table.namespace, table.name)])
    return replace(schema, tables=tuple(tables))


def _filled(table: Table, read: list[str] | None, held: Callable[[str], list[str] | None]) -> Table:
    columns = tuple(_holding(column, held(column.name)) for column in table.columns)
    # The rows of a materialized view are its own.
    stored = () if table.is_view else None
    return replace(table, columns=columns, reads=stored if read is None else tuple(read))


def _holding(column: Column, held: list[str] | None) -> Column:
    return replace(column, rows_of=tuple(held)) if held else column


def _place(namespace: object, name: object) -> _TableName:
    return None if namespace is None else str(namespace), str(name)


def _key(namespace: object, name: object) -> str:
    return Table(str(name), (), None if namespace is None else str(namespace)).key
