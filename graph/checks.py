"""Reasons to doubt a candidate: the error of the database, the keys of the schema, and the caller's own checks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from route_sql.agents.noise_corrector import FINDING_CHARS
from route_sql.graph.extensions.extension import LATE, Extension, ExtensionFailed, reported
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.execute_sql import render_outcome
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.joins.double_counting import double_counting
from route_sql.tools.sql.joins.repair import JoinRepair, repair_joins
from route_sql.tools.sql.quoted_names import name_read_as_text
from route_sql.tools.sql.text_values import misread_texts
from route_sql.tools.sql.usage import UnknownName, unknown_names
from route_sql.tools.text import clean

Check = Callable[[str, str, Outcome], str | None | Awaitable[str | None]]
"""Takes (question, sql, outcome) of a candidate that ran; gives a complaint in one sentence, or None. May be async."""
QueryCheck = Callable[[str, str, str], str | None | Awaitable[str | None]]
"""Takes (question, sql, database) before a query runs; gives the reason to refuse it, or None. May be async."""

EMPTY = "The query runs but returns no row."
NAMES = 3


def own_complaint(sql: str, outcome: Outcome, schema: Schema) -> str | None:
    """The complaint of the executor or the schema about a candidate; None if there is none."""
    return complaint_with_repair(sql, outcome, schema).complaint


async def first_complaint(
    question: str, sql: str, outcome: Outcome, checks: Sequence[Extension], notes: Sequence[str]
) -> tuple[str | None, list[str]]:
    """The first complaint of the caller's checks, which run side by side, and a sentence for each that failed.

    Args:
        question: The question.
        sql: A candidate that ran, and about which we have no complaint.
        outcome: Its outcome.
        checks: The caller's checks.
        notes: Those so far: a check that was too slow for this question is not called again.
    """
    asked = [check for check in checks if not any(note.startswith(f"{check.title} {LATE}") for note in notes)]
    complaints, failures = await complaints_of(asked, question, sql, outcome)
    return next(iter(complaints), None), [each for each in failures if each not in notes]


async def refusal(checks: Sequence[Extension], question: str, sql: str, database: str) -> str | None:
    """The reason not to run a query; None if every check lets it run.

    A check that fails refuses the query, since only a clearly permitted query runs.
    """
    complaints, failures = await complaints_of(checks, question, sql, database)
    unsure = [f"{_sentence(failure)} So the query was not run." for failure in failures]
    return next(iter([*complaints, *unsure]), None)


async def complaints_of(checks: Sequence[Extension], *given: object) -> tuple[list[str], list[str]]:
    """Complaints of checks that run side by side, in their order, and a sentence for each check that failed."""
    results = await asyncio.gather(*(_complaint(check, given) for check in checks), return_exceptions=True)
    complaints: list[str] = []
    failures: list[str] = []
    for check, result in zip(checks, results, strict=True):
        if isinstance(result, ExtensionFailed):
            failures.append(f"{check.title} {result}")
        elif isinstance(result, BaseException):
            raise result
        elif result:
            complaints.append(result)
    return complaints, failures


def finding(complaint: str | None, outcome: Outcome) -> str:
    """The text that the noise corrector reads about a candidate: the complaint, or else the result of the query."""
    return complaint or render_outcome(outcome, FINDING_CHARS)


async def _complaint(check: Extension, given: Sequence[object]) -> str:
    found = await check.call(*map(_own_copy, given))
    if not isinstance(found, str | None):
        raise ExtensionFailed(f"failed: it must return a text or None, not {type(found).__name__}.")
    with reported():  # a class of the caller may raise here
        text = "" if found is None else str(found)
    cleaned = clean(text, FINDING_CHARS).strip()
    if found is not None and not cleaned:
        raise ExtensionFailed("failed: its text is blank; it must return a reason or None.")
    return cleaned


def _own_copy(given: object) -> object:
    """A copy of a text or an outcome for one check, which may change it."""
    if not isinstance(given, dict):
        return given
    return {**given, "columns": [*given["columns"]], "rows": [[*row] for row in given["rows"]]}


def complaint_with_repair(sql: str, outcome: Outcome, schema: Schema) -> JoinRepair:
    """The complaint of the executor or the schema, with the SQL on other joins if the joins are the reason."""
    if outcome["status"] == "ok":
        repair = repair_joins(sql, schema, "ok")
        misread = double_counting(sql, schema) or name_read_as_text(sql, schema) or misread_texts(sql, schema)
        return repair if repair.complaint is not None else JoinRepair(misread, None)
    if outcome["status"] == "empty":
        return JoinRepair(EMPTY, None)
    unknown = unknown_names(sql, schema)[:NAMES]
    error = _sentence(_error(outcome, unknown))
    return JoinRepair(" ".join([error, *(hint for name in unknown if (hint := name.hint()) not in error)]), None)


def _error(outcome: Outcome, unknown: Sequence[UnknownName]) -> str:
    """The error of a query. An unknown name is reported in the words that the corrector was tuned on."""
    error = outcome["error"] or outcome["status"]
    name = next((name for name in unknown if error == name.complaint()), None)
    return f"no such {name.kind}: {name.name}" if name else error


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
