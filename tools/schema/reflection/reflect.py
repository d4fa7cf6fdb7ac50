"""Reflection of any database that SQLAlchemy supports into a `Schema`."""

import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Inspector, inspect
from sqlalchemy.engine.interfaces import (
    Dialect,
    ReflectedColumn,
    ReflectedForeignKeyConstraint,
    ReflectedPrimaryKeyConstraint,
    ReflectedTableComment,
    TableKey,
)
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import CompileError, SAWarning, SQLAlchemyError
from sqlalchemy.types import NullType, TypeEngine

from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.schema.reflection.named_types import with_named_types
from route_sql.tools.schema.reflection.postgres_catalog import completed
from route_sql.tools.schema.types import without_labels

DIALECTS = {"postgresql": "postgres", "mssql": "tsql", "mariadb": "mysql"}
"""sqlglot's name of a dialect where it differs from SQLAlchemy's."""

_T = TypeVar("_T")
_SHADOWS = "data idx content docsize config segments segdir stat node rowid parent".split()
"""Endings of the shadow tables of SQLite's full-text and R*Tree tables."""

# warnings.catch_warnings changes a global, so two reflections at once could leave the wrong filters.
_WARNINGS = threading.Lock()

_COLLATION = re.compile(r"\s+(COLLATE|CHARACTER SET)\s+\S+", re.IGNORECASE)


def reflect(connection: Connection, namespaces: Sequence[str] = (), *, without: frozenset[str] = frozenset()) -> Schema:
    """Reflect the tables and views of a database, without sample values.

    It blocks: call it in a thread. A table that can't be reflected (a view on a table that is gone, a virtual
    table whose module is not loaded) is left out, and so are the shadow tables of SQLite's virtual
    tables and the tables of PostgreSQL's extensions.

    Args:
        connection: An open connection of any dialect; it is only read from.
        namespaces: The engine's schema names to read; none reads the default one. Tables outside the default
            namespace have theirs in their key.
        without: Views that the engine is never asked about.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database's catalog can't be read.
    """
    with _quiet():
        reflection = _Reflection(connection, without)
        tables = reflection.completed(
            [table for namespace in namespaces or (None,) for table in reflection.tables(namespace)], namespaces
        )
    return Schema(DIALECTS.get(connection.dialect.name, connection.dialect.name), tuple(tables))


@dataclass(frozen=True, slots=True)
class _Facts:
    columns: Mapping[TableKey, list[ReflectedColumn]]
    primary_keys: Mapping[TableKey, ReflectedPrimaryKeyConstraint]
    foreign_keys: Mapping[TableKey, list[ReflectedForeignKeyConstraint]]
    comments: Mapping[TableKey, ReflectedTableComment]


class _Reflection:
    def __init__(self, connection: Connection, without: frozenset[str]) -> None:
        self._connection = connection
        self._without = without
        self._dialect: Dialect = connection.dialect
        self._inspector: Inspector = inspect(connection)
        self._default = self._inspector.default_schema_name

    def tables(self, namespace: str | None) -> Iterator[Table]:
        """Tables, then views, of one namespace; None is the default one."""
        namespace = self._shown(namespace)
        hidden = _shadow_tables(self._connection, by_name=bool(self._without))
        for kind in (ObjectKind.TABLE, ObjectKind.ANY_VIEW):
            facts = self._facts(namespace, kind)
            for key in facts.columns:
                if key[1] not in hidden:
                    yield self._table(key, facts, kind)

    def completed(self, tables: list[Table], namespaces: Sequence[str]) -> list[Table]:
        """Add the parts of the tables that SQLAlchemy does not reflect."""
        default = self._default or ""
        if self._dialect.name == "postgresql":
            return completed(self._connection, tables, namespaces or [default], default)
        return with_named_types(self._connection, tables, default)

    def _table(self, at: TableKey, facts: _Facts, kind: ObjectKind) -> Table:
        key, comment = facts.primary_keys.get(at), facts.comments.get(at)
        return Table(
            name=at[1],
            columns=tuple(_column(column, self._dialect) for column in facts.columns[at]),
            namespace=at[0],
            primary_key=tuple(key["constrained_columns"]) if key else (),
            foreign_keys=tuple(map(self._foreign_key, facts.foreign_keys.get(at, ()))),
            comment=(comment["text"] or None) if comment else None,
            is_view=kind is ObjectKind.ANY_VIEW,
        )

    def _facts(self, namespace: str | None, kind: ObjectKind) -> _Facts:
        at, look = self._inspector, self._look
        return _Facts(
            look(at.get_multi_columns, at.get_columns, namespace, kind),
            look(at.get_multi_pk_constraint, at.get_pk_constraint, namespace, kind),
            look(at.get_multi_foreign_keys, at.get_foreign_keys, namespace, kind),
            look(at.get_multi_table_comment, at.get_table_comment, namespace, kind)
            if self._dialect.supports_comments
            else {},
        )

    def _look(
        self,
        every: Callable[..., Mapping[TableKey, _T]],
        one: Callable[..., _T],
        namespace: str | None,
        kind: ObjectKind,
    ) -> Mapping[TableKey, _T]:
        try:
            if self._without and kind is ObjectKind.ANY_VIEW:
                names = self._names(namespace, kind)  # an empty filter would mean every view
                return every(schema=namespace, kind=kind, filter_names=names) if names else {}
            return every(schema=namespace, kind=kind)
        except (SQLAlchemyError, AssertionError) as error:
            # One table that can't be reflected fails them all (SQLite's dialect makes assertions about DDL), so each is
            # reflected on its own. If no table can be read, the cause is the database, and the error is raised.
            found = dict(self._one_by_one(one, namespace, kind))
            if not found and kind is ObjectKind.TABLE:
                raise error
            return found

    def _one_by_one(
        self, one: Callable[..., _T], namespace: str | None, kind: ObjectKind
    ) -> Iterator[tuple[TableKey, _T]]:
        for name in self._names(namespace, kind):
            try:
                yield (namespace, name), one(name, schema=namespace)
            except (SQLAlchemyError, AssertionError):
                continue  # left out, see `reflect`

    def _names(self, namespace: str | None, kind: ObjectKind) -> list[str]:
        is_table = kind is ObjectKind.TABLE
        names = self._inspector.get_table_names if is_table else self._inspector.get_view_names
        return [name for name in names(schema=namespace) if is_table or name not in self._without]

    def _shown(self, namespace: str | None) -> str | None:
        return None if namespace == self._default else namespace

    def _foreign_key(self, key: ReflectedForeignKeyConstraint) -> ForeignKey:
        namespace = self._shown(key["referred_schema"])
        target = f"{namespace}.{key['referred_table']}" if namespace else key["referred_table"]
        return ForeignKey(tuple(key["constrained_columns"]), target, tuple(key["referred_columns"]))


def _column(column: ReflectedColumn, dialect: Dialect) -> Column:
    name, labels = without_labels(_type_name(column["type"], dialect))
    comment = column.get("comment") or None
    return Column(column["name"], name, column["nullable"], comment, labels=labels, computed=_computed(column, dialect))


def _computed(column: ReflectedColumn, dialect: Dialect) -> str | None:
    if (computed := column.get("computed")) is None:
        return None
    # SQLAlchemy cuts SQLite's from the table's DDL by a pattern that may find another column's.
    return "" if dialect.name == "sqlite" else computed["sqltext"]


def _type_name(sql_type: TypeEngine[object], dialect: Dialect) -> str:
    """Name of a type in the dialect; empty for a column that was declared without a type."""
    if isinstance(sql_type, NullType):
        return ""
    try:
        return _COLLATION.sub("", sql_type.compile(dialect))
    except CompileError:
        return type(sql_type).__name__


def _shadow_tables(connection: Connection, *, by_name: bool) -> frozenset[str]:
    """Shadow tables, in which SQLite's virtual tables keep their data (listed by SQLite 3.37 and later).

    Args:
        connection: Connection to any database.
        by_name: Find them by their names; SQLite's own list compiles every view, even one left out for its cost.
    """
    if connection.dialect.name != "sqlite":
        return frozenset()
    if not by_name:
        listed = connection.exec_driver_sql("PRAGMA table_list").all()
        return frozenset(str(row[1]) for row in listed if row[2] == "shadow")
    tables = connection.exec_driver_sql("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'").all()
    names = {str(row[0]) for row in tables}
    virtual = [str(row[0]) for row in tables if not row[1]]
    return frozenset(f"{name}_{ending}" for name in virtual for ending in _SHADOWS if f"{name}_{ending}" in names)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence SQLAlchemy's warnings about types that it does not know; the engine's catalog names them."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield
