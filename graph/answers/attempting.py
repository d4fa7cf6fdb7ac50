"""One executed candidate as the state keeps it: the reason to doubt it, and how sure it is."""

import asyncio
from collections.abc import Sequence
from typing import Any

from route_sql.graph.answers.results import is_all_zero, leading_rows, with_few_rows
from route_sql.graph.checks import complaint_with_repair, first_complaint
from route_sql.graph.confidence import Calibration, assess
from route_sql.graph.executing import Run
from route_sql.graph.extensions.extension import Extension
from route_sql.graph.schemas import is_small
from route_sql.graph.selection import attempts
from route_sql.graph.state import Assessment, Attempt, State
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.hardness import table_count
from route_sql.tools.sql.joins.repair import repair_joins

SHORT_SQL = 500
"""Characters of a query that is parsed on the event loop: under load, a thread would cost more."""


async def attempted(
    state: State,
    run: Run,
    schema: Schema,
    checks: Sequence[Extension],
    calibration: Calibration | None,
) -> dict[str, Any]:
    """The update for a candidate that ran: the attempt, its assessment, its rows, and a note for each failed check."""
    attempt, failures = await tried(state, run, schema, checks)
    now = with_attempts(state, [attempt])
    rows = leading_rows(now, run.outcome["rows"][: state["choices"]["row_limit"]])
    notes = {"notes": failures} if failures else {}
    return {"attempts": [attempt], "assessment": await assessed(now, schema, calibration), **rows, **notes}


async def tried(state: State, run: Run, schema: Schema, checks: Sequence[Extension]) -> tuple[Attempt, list[str]]:
    """The attempt of a candidate that ran, and a note for each check of the caller's that failed."""
    sql, outcome = run.proposal["sql"], run.outcome
    given = run, schema, state["choices"]["row_limit"], len(state.get("ledger", []))
    attempt = _attempt(*given) if _is_short(sql, schema) else await asyncio.to_thread(_attempt, *given)
    if attempt["complaint"] is not None or not checks:
        return attempt, []
    found, failures = await first_complaint(state["question"], sql, outcome, checks, state.get("notes", []))
    return {**attempt, "complaint": found} if found else attempt, failures


async def assessed(now: State, schema: Schema, calibration: Calibration | None) -> Assessment | None:
    """Confidence of the leading candidate."""
    is_short = _is_short(attempts(now)[-1]["sql"], schema) if attempts(now) else True
    given = now, schema, calibration
    return assess(*given) if is_short else await asyncio.to_thread(assess, *given)


async def repaired(attempt: Attempt, schema: Schema) -> str | None:
    """The SQL with repaired joins: kept with an attempt whose joins are doubted, else computed here."""
    if "repaired" in attempt:
        return attempt["repaired"]
    repair = await asyncio.to_thread(repair_joins, attempt["sql"], schema, attempt["outcome"]["status"])
    return repair.sql


def with_attempts(state: State, new: Sequence[Attempt]) -> State:
    """The state with further attempts."""
    return {**state, "attempts": [*attempts(state), *new]}


def _is_short(sql: str, schema: Schema) -> bool:
    return len(sql) <= SHORT_SQL and is_small(schema)


def _attempt(run: Run, schema: Schema, row_limit: int | None, calls: int) -> Attempt:
    proposal, outcome = run.proposal, run.outcome
    found = complaint_with_repair(proposal["sql"], outcome, schema)
    attempt = Attempt(
        agent=proposal["agent"],
        sql=proposal["sql"],
        outcome=with_few_rows({**outcome, "rows": outcome["rows"][:row_limit]}),
        complaint=found.complaint,
        tables=table_count(proposal["sql"], schema),
        scores=proposal.get("scores"),
        calls=calls,
    )
    if outcome["status"] == "ok":
        attempt["repaired"] = found.sql
    if is_all_zero(outcome["rows"]):
        attempt["all_zero"] = True
    if run.decision:
        attempt["decision"] = run.decision
    if run.decided_by:
        attempt["decided_by"] = run.decided_by
    return attempt
