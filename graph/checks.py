"""Reasons to doubt a candidate: what the database said, what the schema says, and the caller's own checks."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence

from route_sql.agents.noise_corrector import FINDING_CHARS
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.execute_sql import render_outcome
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.joins.repair import repair_joins
from route_sql.tools.sql.usage import UnknownName, unknown_names

Check = Callable[[str, str, Outcome], str | None | Awaitable[str | None]]
"""(question, sql, outcome) to a complaint in one sentence, or None. It may be async."""

EMPTY = "The query runs but returns no row."
NAMES = 3


def own_complaint(sql: str, outcome: Outcome, schema: Schema) -> str | None:
    """What the executor and the schema say against a candidate; None if nothing.

    Of one that returns rows: a join that compares keys of different things, whose numbers are equal by chance.
    """
    if outcome["status"] == "ok":
        return repair_joins(sql, schema, "ok").complaint
    if outcome["status"] == "empty":
        return EMPTY
    unknown = unknown_names(sql, schema)[:NAMES]
    said = _sentence(_said(outcome, unknown))
    return " ".join([said, *(hint for name in unknown if (hint := name.hint()) not in said)])


async def complaint(question: str, sql: str, outcome: Outcome, schema: Schema, checks: Sequence[Check]) -> str | None:
    """The first reason to doubt a candidate. The caller's checks see only candidates that ran."""
    if (own := await asyncio.to_thread(own_complaint, sql, outcome, schema)) is not None:
        return own
    for check in checks:
        said = check(question, sql, outcome)
        found = await said if inspect.isawaitable(said) else said
        if found:
            return found
    return None


def finding(complained: str | None, outcome: Outcome) -> str:
    """What the noise corrector is told of a candidate: the complaint, or else what the query returned."""
    return complained or render_outcome(outcome, FINDING_CHARS)


def _said(outcome: Outcome, unknown: Sequence[UnknownName]) -> str:
    """The error of a query; for a name that stands for nothing in the words with which the corrector was tuned."""
    error = outcome["error"] or outcome["status"]
    name = next((name for name in unknown if error == name.complaint()), None)
    return f"no such {name.kind}: {name.name}" if name else error


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
