"""Quoting of names and values in SQL."""

import re
from functools import cache

from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.sql.compiler import IdentifierPreparer
from sqlglot import exp

from route_sql.tools.schema.records import Table

# SQLAlchemy dialects whose reserved words and case rules apply, where it has another name for a dialect or none.
_RULES_OF = {"postgres": "postgresql", "redshift": "postgresql", "duckdb": "postgresql", "tsql": "mssql"}

# Engines that ignore the case of names, so that mixed case alone needs no quotes.
_CASE_BLIND = frozenset({"sqlite", "mysql", "duckdb", "tsql", "bigquery", "spark", "databricks"})

# SQLite rejects the first two unquoted, sqlglot the others; SQLAlchemy's list has none of them.
_RESERVED_TOO = {"sqlite": frozenset({"nothing", "returning", "regexp", "with"})}

_NUMERIC_TYPE = re.compile(r"INT|REAL|FLOA|DOUB|NUM|DEC|MONEY|SERIAL|BOOL|BIT", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", re.ASCII)


def quote_name(name: str, dialect: str) -> str:
    """Quote an identifier if the dialect or one of its parsers needs that.

    Args:
        name: One name, not a dotted path.
        dialect: sqlglot's name of the dialect; the reserved words of the SQL standard apply if SQLAlchemy lacks it.

    Raises:
        ValueError: the name needs quotes and sqlglot does not know the dialect.
    """
    plain = name.lower() if dialect in _CASE_BLIND else name
    bare = plain not in _RESERVED_TOO.get(dialect, ()) and _preparer(dialect).quote(plain) == plain
    return name if bare and name.isascii() else exp.to_identifier(name, quoted=True).sql(dialect=dialect)


def quote_table(table: Table, dialect: str) -> str:
    """Quote the name of a table where needed, with its namespace if it has one."""
    parts = (table.namespace, table.name) if table.namespace else (table.name,)
    return ".".join(quote_name(part, dialect) for part in parts)


def table_expression(table: Table) -> exp.Table:
    """Table for a query built with sqlglot, with every name quoted."""
    namespace = exp.to_identifier(table.namespace, quoted=True) if table.namespace else None
    return exp.table_(exp.to_identifier(table.name, quoted=True), db=namespace)


def is_numeric_type(sql_type: str) -> bool:
    """Whether a column type holds numbers, judged by its name; flags count as numbers."""
    return bool(_NUMERIC_TYPE.search(sql_type))


def is_number(value: str) -> bool:
    """Whether a value's text is a plain decimal number."""
    return bool(_NUMBER.fullmatch(value))


def literal(value: str, dialect: str, sql_type: str = "") -> str:
    """SQL literal of a value: bare if type and value are numeric, else in single quotes."""
    if is_numeric_type(sql_type) and is_number(value):
        return value
    if dialect == "mysql":  # it reads a backslash as the beginning of an escape
        value = value.replace("\\", "\\\\")
    return "'" + value.replace("'", "''") + "'"


@cache
def _preparer(dialect: str) -> IdentifierPreparer:
    loaded: type[Dialect] = DefaultDialect
    try:
        loaded = registry.load(_RULES_OF.get(dialect, dialect))
    except NoSuchModuleError:
        pass  # the reserved words of the SQL standard apply
    return loaded().identifier_preparer
