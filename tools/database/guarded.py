"""What the static guard says of a text, as the outcome of its query."""

from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.guard.check import check_sql
from route_sql.tools.guard.refusal import Code, Refusal
from route_sql.tools.schema.records import Schema

_UNREAD: frozenset[Code] = frozenset({"unparsable", "too_large"})


def refused(refusal: Refusal) -> Outcome:
    """The outcome of a query that the guard lets not run; text that it can't read is a mistake, not an attempt."""
    return failed("error" if refusal.code in _UNREAD else "refused", refusal.message)


def refused_text(sql: str, schema: Schema | None, dialect: str) -> Outcome | None:
    """The outcome of a text that may not run; None if it may.

    Args:
        sql: The text, from a model or anybody.
        schema: The database's tables, if they are known.
        dialect: As for `check_sql`.

    Raises:
        UnknownDialect: the guard has no lists for the dialect.
    """
    refusal = check_sql(sql, schema, dialect)
    return refused(refusal) if refusal else None
