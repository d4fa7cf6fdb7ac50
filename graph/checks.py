"""Reasons to doubt a candidate: the error of the database, the keys of the schema, and the caller's own checks."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence

from route_sql.agents.noise_corrector import FINDING_CHARS
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.execute_sql import render_outcome
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.joins.double_counting import double_counting
from route_sql.tools.sql.joins.repair import JoinRepair, repair_joins
from route_sql.tools.sql.usage import UnknownName, unknown_names

Check = Callable[[str, str, Outcome], str | None | Awaitable[str | None]]
"""(question, sql, outcome) to a complaint in one sentence, or None. It may be async."""

EMPTY = "The query runs but returns no row."
NAMES = 3


def own_complaint(sql: str, outcome: Outcome, schema: Schema) -> str | None:
    """The complaint of the executor or the schema about a candidate; None if there is none."""
    return _own_doubt(sql, outcome, schema).complaint


async def doubt(question: str, sql: str, outcome: Outcome, schema: Schema, checks: Sequence[Check]) -> JoinRepair:
    """The first reason to doubt a candidate, with its SQL on other joins if the joins are the reason.

    The caller's checks see only candidates that ran.
    """
    own = await asyncio.to_thread(_own_doubt, sql, outcome, schema)
    if own.complaint is not None:
        return own
    for check in checks:
        result = check(question, sql, outcome)
        found = await result if inspect.isawaitable(result) else result
        if found:
            return JoinRepair(found, None)
    return own


def finding(complaint: str | None, outcome: Outcome) -> str:
    """The text that the noise corrector reads about a candidate: the complaint, or else the result of the query."""
    return complaint or render_outcome(outcome, FINDING_CHARS)


def _own_doubt(sql: str, outcome: Outcome, schema: Schema) -> JoinRepair:
    if outcome["status"] == "ok":
        repair = repair_joins(sql, schema, "ok")
        return repair if repair.complaint is not None else JoinRepair(double_counting(sql, schema), None)
    if outcome["status"] == "empty":
        return JoinRepair(EMPTY, None)
    unknown = unknown_names(sql, schema)[:NAMES]
    error = _sentence(_error(outcome, unknown))
    return JoinRepair(" ".join([error, *(hint for name in unknown if (hint := name.hint()) not in error)]), None)


def _error(outcome: Outcome, unknown: Sequence[UnknownName]) -> str:
    """The error of a query; for an unknown name, in the words that the corrector was tuned on."""
    error = outcome["error"] or outcome["status"]
    name = next((name for name in unknown if error == name.complaint()), None)
    return f"no such {name.kind}: {name.name}" if name else error


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
