"""What the static guard says of a text, as the outcome of its query."""

from collections.abc import Callable

from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.guard.check import check_sql
from route_sql.tools.guard.refusal import Code, Refusal
from route_sql.tools.schema.records import Schema

_MISTAKES: frozenset[Code] = frozenset({"unparsable", "too_large", "unknown_name", "table"})
OF_THE_SCHEMA: frozenset[Code] = frozenset({"unknown_name", "type", "table", "column", "function", "file"})
"""Refusals that another schema may lift."""
_Schema = Callable[[], Schema]


def refused(refusal: Refusal) -> Outcome:
    """The outcome of a query that the guard lets not run.

    Text that it can't read and names that stand for nothing are mistakes, not attempts.
    """
    return failed("error" if refusal.code in _MISTAKES else "refused", refusal.message)


def refused_query(sql: str, dialect: str, known: _Schema, fresh: _Schema) -> Outcome | None:
    """The outcome of a text that may not run; None if it may.

    Args:
        sql: The text, from a model or anybody.
        dialect: As for `check_sql`.
        known: Gives the schema as it was last read.
        fresh: Reads the schema again if it has changed. What it could lift is held against it once more.

    Raises:
        UnknownDialect: the guard has no lists for the dialect.
    """
    schema = known()
    refusal = check_sql(sql, schema, dialect)
    if refusal is not None and refusal.code in OF_THE_SCHEMA:
        current = fresh()
        if current is not schema:
            refusal = check_sql(sql, current, dialect)
    return refused(refusal) if refusal else None
