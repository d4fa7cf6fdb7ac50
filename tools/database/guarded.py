"""The static guard's refusal of a text, as the outcome of its query."""

import re
from collections.abc import Callable, Sequence

from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.guard.check import check_sql
from route_sql.tools.guard.refusal import DEFAULT_POLICY, Code, Policy, Refusal
from route_sql.tools.schema.records import Schema

_MISTAKES: frozenset[Code] = frozenset({"unparsable", "too_large", "unknown_name", "table"})
OF_THE_SCHEMA: frozenset[Code] = frozenset({"unknown_name", "type", "table", "column", "function", "file"})
"""Refusals that another schema may lift."""
_FUNCTIONS = re.compile(r"(?=.*[^\W_])([\w$*]+\.)?(?=[^.]*[^\W_])[\w$*]+")
"""A function's name or a pattern of names, of which one character at least is given."""
_ReadSchema = Callable[[], Schema]


def refused(refusal: Refusal) -> Outcome:
    """The outcome of a query that the guard refuses.

    Text that it can't read and names without a meaning are mistakes, not attacks.
    """
    return failed("error" if refusal.code in _MISTAKES else "refused", refusal.message)


def policy_of(database: str, functions: Sequence[str]) -> Policy:
    """The guard's policy in a database: functions that are allowed beyond the lists.

    Args:
        database: Its name, for the message.
        functions: Functions that may be called, such as `st_area`, `st_*` or `gis.st_*`.

    Raises:
        DatabaseUnavailable: one of them is not a function's name.
    """
    listed = [functions] if isinstance(functions, str) else functions
    wrong = [name for name in listed if not (isinstance(name, str) and _FUNCTIONS.fullmatch(name))]
    if wrong or isinstance(functions, str):
        raise DatabaseUnavailable(
            f"functions of the database {database}: {(wrong or listed)[0]!r} is not a list of functions' names; write "
            'such as ["st_area", "st_*", "gis.st_*"]'
        )
    return Policy(functions=frozenset(name.casefold() for name in functions))


def refused_query(
    sql: str, dialect: str, known: _ReadSchema, fresh: _ReadSchema, policy: Policy = DEFAULT_POLICY
) -> Outcome | None:
    """The outcome of a text that may not run; None if it may.

    Args:
        sql: The text, from a model or anybody.
        dialect: As for `check_sql`.
        known: Gives the schema as it was last read.
        fresh: Reads the schema again if it has changed. Refusals that it could lift are checked again.
        policy: The functions that are allowed beyond the lists.

    Raises:
        UnknownDialect: the guard has no lists for the dialect.
    """
    schema = known()
    refusal = check_sql(sql, schema, dialect, policy)
    if refusal is not None and refusal.code in OF_THE_SCHEMA:
        current = fresh()
        if current is not schema:
            refusal = check_sql(sql, current, dialect, policy)
    return refused(refusal) if refusal else None
