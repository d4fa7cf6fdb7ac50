"""Cells of DuckDB: values that Python can't hold exactly are cast to text by DuckDB itself.

Python has no month-long durations, no infinite dates, no years before Christ and no nanoseconds, and writes structures
in its own way. A query with such columns is wrapped in one that casts them.
"""

from typing import Any

import duckdb
from sqlglot import TokenType

from route_sql.tools.sql.parsing import tokens

_AS_VALUES = frozenset(
    "BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT DOUBLE VARCHAR "
    "BLOB JSON".split()
)
"""Types whose Python value is exact; decimals and enums too, whose names have arguments."""
_WITH_ARGUMENTS = ("DECIMAL(", "ENUM(")


def casting(connection: Any, sql: str) -> tuple[str, list[str] | None]:
    """The query with casts around the columns that need one, and the names of its columns; None if no column needs one.

    Raises:
        duckdb.InterruptException: it was stopped.
    """
    try:
        described = connection.execute(f"DESCRIBE\n{sql}").fetchall()
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        return sql, None  # the query itself will report its error
    types = [str(row[1]) for row in described]
    query = _without_end(sql)
    if query is None or all(map(_is_value, types)):
        return sql, None
    columns = ", ".join(_cast(place, name) for place, name in enumerate(types, 1))
    return f"SELECT {columns} FROM (\n{query}\n)", [str(row[0]) for row in described]


def _is_value(name: str) -> bool:
    is_list = name.endswith("]")
    return name in _AS_VALUES or (name.startswith(_WITH_ARGUMENTS) and not is_list) or name == '"NULL"'


def _cast(place: int, name: str) -> str:
    if name == "FLOAT":  # as a double it would show digits that were never stored
        return f"CAST(CAST(#{place} AS VARCHAR) AS DOUBLE)"
    return f"#{place}" if _is_value(name) else f"CAST(#{place} AS VARCHAR)"


def _without_end(sql: str) -> str | None:
    """The text up to its last word, without semicolons and comments after it; None if it can't be split into words."""
    found = [token for token in tokens(sql, "duckdb") or [] if token.token_type != TokenType.SEMICOLON]
    return sql[: found[-1].end + 1] if found else None
