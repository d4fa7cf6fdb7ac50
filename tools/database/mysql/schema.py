"""The schema of a MySQL or MariaDB database, as its information schema shows it to the user.

SQLAlchemy asks for every table's CREATE statement and reads it, which takes several times as long with 2,000 tables,
needs the right to see definitions of views, and fails on unusual names.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from route_sql.tools.database.running.server_session import ServerSession
from route_sql.tools.schema.quoting import literal
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.schema.reflection.samples import with_samples
from route_sql.tools.schema.types import without_labels
from route_sql.tools.sql.view_sources import with_sources

_FINGERPRINT = """
    SELECT COUNT(*), SUM(CRC32(CONCAT_WS('|', table_schema, table_name, column_name, ordinal_position, column_type,
           is_nullable, column_key, column_comment, privileges, extra, generation_expression)))
    FROM information_schema.columns WHERE table_schema IN ({names})
    UNION ALL
    SELECT COUNT(*), SUM(CRC32(CONCAT_WS('|', table_schema, table_name, table_type, table_comment)))
    FROM information_schema.tables WHERE table_schema IN ({names})
"""
_TABLES = """
    SELECT table_schema, table_name, table_type LIKE '%VIEW', table_comment FROM information_schema.tables
    WHERE table_schema IN ({names}) AND table_type <> 'SEQUENCE' ORDER BY table_schema, table_name
"""
# Without the right to see it, a definition is empty.
_VIEWS = """
    SELECT table_schema, table_name, LEFT(view_definition, 20001) FROM information_schema.views
    WHERE table_schema IN ({names})
"""
# The privileges are those of the user who asks, through roles too.
_COLUMNS = """
    SELECT table_schema, table_name, column_name, column_type, is_nullable = 'YES', column_comment,
           IF(extra REGEXP 'VIRTUAL|STORED|PERSISTENT', COALESCE(generation_expression, ''), NULL)
    FROM information_schema.columns WHERE table_schema IN ({names}) AND FIND_IN_SET('select', privileges)
    ORDER BY table_schema, table_name, ordinal_position
"""
_KEYS = """
    SELECT table_schema, table_name, constraint_name, column_name, referenced_table_schema, referenced_table_name,
           referenced_column_name
    FROM information_schema.key_column_usage
    WHERE table_schema IN ({names}) AND (constraint_name = 'PRIMARY' OR referenced_table_name IS NOT NULL)
    ORDER BY table_schema, table_name, constraint_name, ordinal_position
"""
_WIDTH = re.compile(r"^(TINYINT(?!\(1\))|SMALLINT|MEDIUMINT|INT|BIGINT|YEAR)\(\d+\)")
"""The display width of an integer says nothing about its values, except that `TINYINT(1)` is a flag."""
_VIEW_COMMENT = "VIEW"
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"n": "\n", "r": "\r", "0": "\0"}

_CatalogRow = tuple[object, ...]
_TableName = tuple[str, str]


def current_fingerprint(session: ServerSession, namespaces: Sequence[str]) -> str:
    """A text that changes when a table, a column, a comment or a right of the databases changes."""
    return ":".join(f"{count}.{total}" for count, total in session.ask(_filled(_FINGERPRINT, namespaces)))


def readable_schema(session: ServerSession, namespaces: Sequence[str]) -> Schema:
    """The tables, views and columns that the user may read, with values from the first rows.

    Args:
        session: Asks the server.
        namespaces: The databases to show; none shows the current one.

    Raises:
        DatabaseUnavailable: the server was lost.
    """
    default = session.ask("SELECT DATABASE()")[0][0]

    def shown(namespace: object) -> str | None:
        return None if namespace == default else str(namespace)

    columns = _by_table(session.ask(_filled(_COLUMNS, namespaces)))
    keys = _by_table(session.ask(_filled(_KEYS, namespaces)))
    tables = [
        _table(row, columns[place], keys[place], shown)
        for row in session.ask(_filled(_TABLES, namespaces))
        if (place := (str(row[0]), str(row[1]))) in columns
    ]
    order = {name: number for number, name in enumerate([default, *namespaces])}
    tables.sort(key=lambda table: (order.get(table.namespace or default, 0), table.is_view))
    schema = _with_view_sources(session, Schema("mysql", tuple(tables), default=str(default)), namespaces, shown)
    return with_samples(schema, session.sample)


def _with_view_sources(
    session: ServerSession, schema: Schema, namespaces: Sequence[str], shown: Callable[[object], str | None]
) -> Schema:
    def key_of(namespace: str, name: str) -> str:
        return f"{namespace}.{name}" if namespace and shown(namespace) else name

    views = session.ask(_filled(_VIEWS, namespaces))
    definitions = {key_of(str(namespace), str(name)): text for namespace, name, text in views}
    return with_sources(schema, definitions, lambda source: key_of(*source))


def quoted(name: str) -> str:
    """A name in SQL."""
    return "`" + name.replace("`", "``") + "`"


def _filled(query: str, namespaces: Sequence[str]) -> str:
    return query.format(names=", ".join(literal(namespace, "mysql") for namespace in namespaces) or "DATABASE()")


def _by_table(rows: Sequence[_CatalogRow]) -> defaultdict[_TableName, list[_CatalogRow]]:
    """The rest of each row, by the database and the table with which it begins."""
    found: defaultdict[_TableName, list[_CatalogRow]] = defaultdict(list)
    for namespace, name, *rest in rows:
        found[str(namespace), str(name)].append(tuple(rest))
    return found


def _table(
    row: _CatalogRow, columns: Sequence[_CatalogRow], keys: Sequence[_CatalogRow], shown: Callable[[object], str | None]
) -> Table:
    namespace, name, is_view, comment = row
    return Table(
        name=str(name),
        columns=tuple(_column(column) for column in columns),
        namespace=shown(namespace),
        primary_key=tuple(str(key[1]) for key in keys if key[0] == "PRIMARY"),
        foreign_keys=tuple(_foreign_keys(keys, shown)),
        comment=str(comment) if comment and comment != _VIEW_COMMENT else None,
        is_view=bool(is_view),
    )


def _column(row: _CatalogRow) -> Column:
    name, kind, is_nullable, comment, expression = row
    kind, labels = without_labels(str(kind))
    upper = re.sub(r"^\w+|\bunsigned\b|\bzerofill\b", lambda word: word[0].upper(), kind)
    text = str(comment) if comment else None
    computed = None if expression is None else str(expression)
    labels = tuple(map(_label, labels))
    return Column(str(name), _WIDTH.sub(r"\1", upper), bool(is_nullable), text, labels=labels, computed=computed)


def _label(written: str) -> str:
    """A label without escapes: the server writes control characters and backslashes with a backslash."""
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), written)


def _foreign_keys(keys: Sequence[_CatalogRow], shown: Callable[[object], str | None]) -> list[ForeignKey]:
    by_constraint: defaultdict[object, list[_CatalogRow]] = defaultdict(list)
    for key in keys:
        if key[0] != "PRIMARY":
            by_constraint[key[0]].append(key)
    found = []
    for parts in by_constraint.values():
        _, _, namespace, name, _ = parts[0]
        target = f"{shown(namespace)}.{name}" if shown(namespace) else str(name)
        found.append(ForeignKey(tuple(str(p[1]) for p in parts), target, tuple(str(p[4]) for p in parts)))
    return found
