"""The schema of a PostgreSQL database: what the role may read, with values from the server's statistics."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql as composed
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from route_sql.tools.database.postgres.dependencies import READS, ROWS_OF, with_dependencies
from route_sql.tools.database.postgres.types import with_fields
from route_sql.tools.database.running.server_session import Fault, ServerSession
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.schema.reflection.reflect import reflect
from route_sql.tools.schema.reflection.samples import SAMPLE_CHARS, SAMPLES, readable_samples, with_samples
from route_sql.tools.text import clean, is_clean

LARGE_ROWS = 10_000
"""Tables with more rows are sampled from the server's statistics, where there are any."""
_FEW = 20

_KINDS = "c.relkind IN ('r', 'p', 'v', 'm', 'f')"
# Every change of a table or a column writes a new row in one of the two catalogs, which has another xmin.
_FINGERPRINT = """
    WITH shown AS MATERIALIZED (
        SELECT c.oid, c.xmin::text::int8 AS change
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY ({names}) AND ({kinds} OR c.relkind = 'c')
    )
    SELECT (SELECT count(*) || '.' || sum(pg_catalog.hashint8((oid::int8 << 32) + change)) FROM shown),
           (SELECT count(*) || '.' || sum(pg_catalog.hashint8((a.attrelid::int8 << 32) + a.xmin::text::int8)::int8
                                          * a.attnum)
            FROM pg_catalog.pg_attribute a JOIN shown ON a.attrelid = shown.oid WHERE a.attnum > 0),
           (SELECT count(*) || '.' || sum(pg_catalog.hashtext(d.description) # d.objsubid)
            FROM pg_catalog.pg_description d JOIN shown ON d.objoid = shown.oid),
           (SELECT count(*) || '.' || sum(pg_catalog.hashtext(e.enumlabel) # e.oid::int4) FROM pg_catalog.pg_enum e),
           (SELECT count(*) || '.' || sum(pg_catalog.hashint8((i.inhrelid::int8 << 32) + i.inhparent::int8))
            FROM pg_catalog.pg_inherits i)
"""
_READABLE = """
    SELECT nullif(n.nspname, pg_catalog.current_schema())::text, c.relname::text, c.reltuples::float8,
           pg_catalog.has_table_privilege(c.oid, 'SELECT'),
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                 WHERE NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')
                   AND a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY ({names}) AND {kinds} AND NOT c.relispartition
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
"""
_STATISTICS = """
    SELECT nullif(s.schemaname, pg_catalog.current_schema())::text, s.tablename::text, s.attname::text,
           (coalesce(s.most_common_vals, s.histogram_bounds)::text::text[])[1:{few}]
    FROM pg_catalog.pg_stats s
    WHERE s.schemaname = ANY ({names})
      AND pg_catalog.length(coalesce(s.most_common_vals, s.histogram_bounds)::text) < 100000
"""

# A column of a composite type, a domain over one or an array of either has fields; those of fields come by recursion.
_FIELDS = """
    WITH RECURSIVE plain AS MATERIALIZED (
        SELECT t.oid, coalesce(nullif(d.typelem, 0), d.oid) AS item
        FROM pg_catalog.pg_type t JOIN pg_catalog.pg_type d ON d.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
    ), composite AS MATERIALIZED (
        SELECT p.oid, i.typrelid FROM plain p JOIN pg_catalog.pg_type i ON i.oid = p.item WHERE i.typtype = 'c'
    ), used AS (
        SELECT ARRAY[n.nspname::text, c.relname::text, a.attname::text] AS path, ARRAY[a.attnum] AS place, a.atttypid,
               a.atttypmod, m.typrelid
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN composite m ON m.oid = a.atttypid
        WHERE n.nspname = ANY ({names}) AND {kinds}
        UNION ALL
        SELECT u.path || a.attname::text, u.place || a.attnum, a.atttypid, a.atttypmod, m.typrelid
        FROM used u JOIN pg_catalog.pg_attribute a ON a.attrelid = u.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN composite m ON m.oid = a.atttypid
        WHERE pg_catalog.cardinality(u.path) < {deepest}
    )
    SELECT nullif(path[1], pg_catalog.current_schema()), path[2:], pg_catalog.format_type(atttypid, atttypmod)
    FROM used ORDER BY path[1:2], place LIMIT {most}
"""
_DEEPEST, _MOST_FIELDS = 10, 20_000
"""Most names of a field's path, and most fields that are read."""
# Partitions inherit too, but only the whole table is shown.
_INHERITS = """
    SELECT nullif(n.nspname, pg_catalog.current_schema())::text, c.relname::text,
           nullif(m.nspname, pg_catalog.current_schema())::text, p.relname::text
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class p ON p.oid = i.inhparent JOIN pg_catalog.pg_namespace m ON m.oid = p.relnamespace
    WHERE NOT c.relispartition AND c.relkind IN ('r', 'f')
"""
# A table shows the rows of its heirs in whatever namespace they are, and needs no right on them.
_RELATIVES = """
    SELECT DISTINCT nullif(n.nspname, pg_catalog.current_schema())::text, c.relname::text,
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class h ON h.oid = i.inhrelid AND NOT h.relispartition AND h.relkind IN ('r', 'f')
    JOIN pg_catalog.pg_class c ON c.oid IN (i.inhrelid, i.inhparent)
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""

_TableName = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class _Rights:
    rows: float
    columns: frozenset[str] | None
    """None stands for all of them."""


def current_fingerprint(session: ServerSession, namespaces: Sequence[str]) -> str:
    """A text that changes when a table, a column, a comment or a right of the namespaces changes."""
    return ":".join(str(cell) for cell in session.ask(_filled(_FINGERPRINT, namespaces))[0])


def readable_schema(
    session: ServerSession, connection: "psycopg.Connection[tuple[object, ...]]", namespaces: Sequence[str]
) -> Schema:
    """The tables and columns that the role may read; of a partitioned table the whole, not the parts.

    Samples of large tables come from the server's statistics, which analyzing a table makes, those of others
    from their first rows.

    Args:
        session: Asks the catalog.
        connection: One of SQLAlchemy's own, which is closed at the end.
        namespaces: The schemas to show; none shows the current one.

    Raises:
        DatabaseUnavailable: the catalog can't be read.
    """
    rights = _rights(session, namespaces)
    try:
        with _reflecting(connection) as reflecting:
            found = reflect(reflecting, namespaces)
    except SQLAlchemyError as error:
        is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
        failure = session.unavailable(Fault("lost")) if is_lost else session.unlisted(type(error).__name__)
    else:
        tables = [_shown(table, rights[_place(table)]) for table in found if _place(table) in rights]
        parents = _parents(session)
        tables = [replace(table, inherits=parents.get(_place(table), ())) for table in tables]
        others = _relatives(session, parents, {_place(table) for table in tables}) if parents else ()
        default = str(session.ask("SELECT pg_catalog.current_schema()")[0][0] or "")
        whole = Schema(found.dialect, tuple(tables), others, default)
        schema = with_fields(whole, session.ask(_filled(_FIELDS, namespaces)))
        behind = (session.ask(_filled(query, namespaces)) for query in (READS, ROWS_OF))
        schema = with_dependencies(schema, *behind)
        return _with_values(session, schema, rights, namespaces)
    raise failure


def _filled(query: str, namespaces: Sequence[str]) -> str:
    names = composed.SQL(", ").join(map(composed.Literal, namespaces)).as_string(None)
    return query.format(
        names=f"ARRAY[{names or 'pg_catalog.current_schema()'}]",
        kinds=_KINDS,
        few=_FEW,
        deepest=_DEEPEST,
        most=_MOST_FIELDS,
    )


def _place(table: Table) -> _TableName:
    return table.namespace, table.name


@contextmanager
def _reflecting(connection: "psycopg.Connection[tuple[object, ...]]") -> Iterator[Connection]:
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    try:
        with engine.connect() as opened:
            yield opened
    finally:
        engine.dispose()
        connection.close()


def _rights(session: ServerSession, namespaces: Sequence[str]) -> dict[_TableName, _Rights]:
    rights: dict[_TableName, _Rights] = {}
    for namespace, name, rows, is_whole, columns in session.ask(_filled(_READABLE, namespaces)):
        listed = columns if isinstance(columns, list) else []
        if is_whole or listed:
            place = None if namespace is None else str(namespace), str(name)
            rights[place] = _Rights(float(str(rows)), None if is_whole else frozenset(map(str, listed)))
    return rights


def _parents(session: ServerSession) -> dict[_TableName, tuple[str, ...]]:
    """The keys of the tables that each table inherits from."""
    parents: dict[_TableName, tuple[str, ...]] = {}
    for namespace, name, above, parent in session.ask(_INHERITS):
        place = None if namespace is None else str(namespace), str(name)
        parents[place] = (*parents.get(place, ()), Table(str(parent), (), None if above is None else str(above)).key)
    return parents


def _relatives(
    session: ServerSession, parents: dict[_TableName, tuple[str, ...]], shown: set[_TableName]
) -> tuple[Table, ...]:
    """Tables of an inheritance that are not among those that may be read."""
    found = []
    for namespace, name, columns in session.ask(_RELATIVES):
        place = None if namespace is None else str(namespace), str(name)
        if place not in shown and isinstance(columns, list):
            listed = tuple(Column(str(column), "") for column in columns)
            found.append(Table(place[1], listed, place[0], inherits=parents.get(place, ())))
    return tuple(found)


def _shown(table: Table, rights: _Rights) -> Table:
    if rights.columns is None:
        return table
    return replace(table, columns=tuple(column for column in table.columns if column.name in rights.columns))


def _with_values(
    session: ServerSession, schema: Schema, rights: dict[_TableName, _Rights], namespaces: Sequence[str]
) -> Schema:
    known = _statistics(session, namespaces)
    tables = [_from_statistics(table, known.get(_place(table), {})) for table in schema]
    is_done = {_place(table) for table in tables if rights[_place(table)].rows > LARGE_ROWS and known[_place(table)]}
    read = with_samples(
        replace(schema, tables=tuple(table for table in tables if _place(table) not in is_done)), session.sample
    )
    by_place = {_place(table): table for table in read}
    return replace(schema, tables=tuple(by_place.get(_place(table), table) for table in tables))


def _statistics(session: ServerSession, namespaces: Sequence[str]) -> dict[_TableName, dict[str, tuple[str, ...]]]:
    """Values by table and column: the most common first, or else some that divide the column evenly."""
    known: dict[_TableName, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for namespace, name, column, values in session.ask(_filled(_STATISTICS, namespaces)):
        place = None if namespace is None else str(namespace), str(name)
        if isinstance(values, list):
            known[place][str(column)] = _few([str(value) for value in values if value is not None])
    return known


def _few(values: list[str]) -> tuple[str, ...]:
    filled = [value for value in values if value.strip()]
    best = sorted(filled, key=lambda value: not is_clean(value, SAMPLE_CHARS))
    return tuple(dict.fromkeys(clean(value, SAMPLE_CHARS) for value in best))[:SAMPLES]


def _from_statistics(table: Table, known: dict[str, tuple[str, ...]]) -> Table:
    columns = (replace(c, samples=readable_samples(c, known.get(c.name, ()), "postgres")) for c in table.columns)
    return replace(table, columns=tuple(columns))
