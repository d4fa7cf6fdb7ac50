"""One executed candidate as the state keeps it: the reason to doubt it, and how sure it is."""

import asyncio
from collections.abc import Sequence
from typing import Any

from route_sql.graph.answers.results import leading_rows, with_few_rows
from route_sql.graph.checks import doubts, own_doubt
from route_sql.graph.confidence import Calibration, assess
from route_sql.graph.executing import Run
from route_sql.graph.extensions.extension import Extension
from route_sql.graph.schemas import is_small
from route_sql.graph.selection import attempts
from route_sql.graph.state import Assessment, Attempt, State
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.hardness import table_count

SHORT_SQL = 500
"""Characters of a query that is read at once: under load, a trip to a thread would cost more."""


async def attempted(
    state: State,
    run: Run,
    schema: Schema,
    checks: Sequence[Extension],
    calibration: Calibration | None,
) -> dict[str, Any]:
    """The update for a candidate that ran: the attempt, its assessment, its rows, and a note a failed check."""
    proposal, outcome = run.proposal, run.outcome
    given = state, run, schema, calibration
    is_short = len(proposal["sql"]) <= SHORT_SQL and is_small(schema)
    attempt, assessment = _attempt(*given) if is_short else await asyncio.to_thread(_attempt, *given)
    failures: list[str] = []
    if attempt["complaint"] is None and checks:
        said = state.get("notes", [])
        found, failures = await doubts(state["question"], proposal["sql"], outcome, checks, said)
        if found:
            attempt = {**attempt, "complaint": found}
            assessment = await asyncio.to_thread(assess, _with(state, attempt), schema, calibration)
    notes = {"notes": failures} if failures else {}
    rows = leading_rows(_with(state, attempt), outcome["rows"][: state["choices"]["row_limit"]])
    return {"attempts": [attempt], "assessment": assessment, **rows, **notes}


def _attempt(
    state: State, run: Run, schema: Schema, calibration: Calibration | None
) -> tuple[Attempt, Assessment | None]:
    proposal, outcome = run.proposal, run.outcome
    found = own_doubt(proposal["sql"], outcome, schema)
    attempt = Attempt(
        agent=proposal["agent"],
        sql=proposal["sql"],
        outcome=with_few_rows({**outcome, "rows": outcome["rows"][: state["choices"]["row_limit"]]}),
        complaint=found.complaint,
        tables=table_count(proposal["sql"], schema),
        scores=proposal.get("scores"),
        calls=len(state.get("ledger", [])),
    )
    if outcome["status"] == "ok":
        attempt["repaired"] = found.sql
    if run.decision:
        attempt["decision"] = run.decision
    return attempt, assess(_with(state, attempt), schema, calibration)


def _with(state: State, attempt: Attempt) -> State:
    return {**state, "attempts": [*attempts(state), attempt]}
