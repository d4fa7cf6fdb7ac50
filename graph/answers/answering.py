"""The answer of a run: the candidate that leads in the end, with all of its rows."""

from collections.abc import Awaitable, Callable, Sequence

from route_sql.graph.answerable import is_withheld
from route_sql.graph.answers.attempting import tried
from route_sql.graph.answers.results import kept_rows
from route_sql.graph.calls.budget import Update, is_out_of_time, out_of_time
from route_sql.graph.calls.ledger import cut_replies
from route_sql.graph.executing import Execution, Run, candidate_of
from route_sql.graph.extensions.extension import Extension
from route_sql.graph.fields.channels import Change, Extended
from route_sql.graph.fields.proposals import Proposal
from route_sql.graph.selection import attempts, leading, settled_by_person
from route_sql.graph.state import Attempt, Candidate, State
from route_sql.graph.strategies import is_unsure
from route_sql.graph.threads.memory import older_turns, turn_of
from route_sql.graph.watching.doubts import doubts_of
from route_sql.tools.database.outcome import Outcome, Status, failed, ran
from route_sql.tools.schema.records import Schema

ONE_NULL = "The result is one NULL, so perhaps no row fits the question."
NO_TIME_FOR_ROWS = "Another candidate led in between, and there was no time to read all rows of the answer again."


async def answered(
    state: State, execution: Execution, schema_of: Callable[[], Awaitable[Schema]], checks: Sequence[Extension]
) -> Update:
    """The update of the state with which a run ends.

    Args:
        state: The state.
        execution: Runs the chosen query again where the state does not hold its rows.
        schema_of: Gives the schema, for a query that is run in place of the chosen one.
        checks: The caller's checks, for the same query.
    """
    chosen = None if is_withheld(state) else leading(state)
    late = [out_of_time(state)] if is_out_of_time(state) else []
    cut = cut_replies(state.get("ledger", []))
    if chosen is None:
        return _ended(state, None, _nothing(state, late, cut), [*late, *cut])
    run, remarks = await _whole_run(chosen, state, execution)
    if run.proposal["sql"] == chosen["sql"]:
        changes, failures = _decided(run, chosen, state), list[str]()
    else:
        changes, failures = await _replaced(run, state, await schema_of(), checks)
    notes = [*late, *remarks, *failures, *cut]
    return {**changes, **_ended(_with(changes, state), run.proposal["sql"], run.outcome, notes)}


def _ended(state: State, sql: str | None, outcome: Outcome, notes: list[str]) -> Update:
    """The keys of the answer."""
    result = _result(outcome, state, rows_of="" if NO_TIME_FOR_ROWS in notes else sql or "")
    return {
        "sql": sql,
        **_turn(state, sql, outcome),
        **result,
        **_judged(state, result["status"], outcome),
        **_unless_there(state, notes, [candidate_of(attempt) for attempt in attempts(state)]),
    }


def _unless_there(state: State, notes: list[str], candidates: list[Candidate]) -> Update:
    """The lists of the answer that the state does not hold yet, since a checkpointer stores every write."""
    new: Update = {"notes": notes} if notes else {}
    return new if candidates == state.get("candidates") else {**new, "candidates": candidates}


async def _whole_run(chosen: Attempt, state: State, execution: Execution) -> tuple[Run, list[str]]:
    """The run of a candidate with all of its rows, and a remark if there was no time to read them.

    Where the state does not hold the rows, the query runs again. Then a person may edit or reject it.
    """
    proposal = Proposal(agent=chosen["agent"], sql=chosen["sql"])
    rows = kept_rows(chosen, state)
    if rows is not None:
        return Run(proposal, {**chosen["outcome"], "rows": rows}), []
    if is_out_of_time(state):
        return Run(proposal, chosen["outcome"]), [NO_TIME_FOR_ROWS]
    return await execution.run(proposal), []


def _decided(run: Run, chosen: Attempt, state: State) -> Update:
    """The update for a person's decision about a candidate that was run again; empty without a new one."""
    if run.decision is None or "decision" in chosen:
        return {}
    decided = {"decision": run.decision, **({"decided_by": run.decided_by} if run.decided_by else {})}
    return {"attempts": Change(at=attempts(state).index(chosen), set=decided)}


async def _replaced(run: Run, state: State, schema: Schema, checks: Sequence[Extension]) -> tuple[Update, list[str]]:
    """The update for a query that a person wrote in place of a candidate, and a note for each check that failed."""
    attempt, failures = await tried(state, run, schema, checks)
    # The assessment is that of another query.
    return {"attempts": [attempt], "assessment": None}, failures


def _with(changes: Update, state: State) -> State:
    """The state after the changes."""
    if not changes:
        return state
    changed = Extended("attempts")(attempts(state), changes["attempts"])
    return {**state, "attempts": changed, "assessment": changes.get("assessment", state.get("assessment"))}


def _nothing(state: State, late: list[str], cut: list[str]) -> Outcome:
    """The outcome of a run without SQL."""
    no_sql = "No agent had written SQL." if late else _reason_without_sql(state)
    return failed("timeout" if late else "error", " ".join([*late, no_sql, *cut]))


def _reason_without_sql(state: State) -> str:
    judged = state.get("no_answer")
    if judged is not None and (judged["declined"] or is_withheld(state)):
        return f"The database can't answer this question: {judged['reason']}."
    return "The model wrote no SQL that could be read."


def _judged(state: State, status: Status, outcome: Outcome) -> Update:
    """The answer's confidence and doubts; a result below the caller's least confidence is `unsure`."""
    if is_withheld(state):
        return {"status": "unanswerable", "confidence": 0.0, "calibrated": False, "doubts": []}
    assessment = state.get("assessment")
    confidence = assessment["confidence"] if assessment else 0.0
    if settled_by_person(state):  # a calibration judges SQL of a model, and here a person decided
        confidence, assessment = float(status in ("ok", "empty")), None
    if not ran(outcome):  # the chosen query ran before, and failed when it ran again for its rows
        confidence, assessment = 0.0, None
    return {
        "status": "unsure" if is_unsure(state) and ran(outcome) else status,
        "confidence": confidence,
        "calibrated": assessment is not None and assessment["calibrated"],
        "doubts": [*doubts_of(state), *([ONE_NULL] if _is_one_null(outcome) else [])],
    }


def _is_one_null(outcome: Outcome) -> bool:
    """Whether an aggregate, such as AVG or MAX, had no row to work on."""
    return outcome["row_count"] == 1 and [[*row] for row in outcome["rows"]] == [[None]]


def _turn(state: State, sql: str | None, outcome: Outcome) -> Update:
    """The turn that the thread keeps; an answer that did not run leaves the one before."""
    if sql is None or not ran(outcome):
        return {}
    rights = state["choices"]["rights"]
    last = turn_of(state["question"], state["database"], sql, outcome["columns"], rights)
    return {"last_turn": last, "older_turns": older_turns(state)}


def _result(outcome: Outcome, state: State, rows_of: str) -> Update:
    rows = outcome["rows"][: state["choices"]["row_limit"]]
    result: Update = {
        "status": outcome["status"],
        "columns": outcome["columns"],
        "row_count": outcome["row_count"],
        "truncated": outcome["truncated"] or len(rows) < outcome["row_count"],
        "error": outcome["error"],
    }
    # Rows that the state holds already are not stored again.
    return result if rows == state.get("rows") else {**result, "rows": rows, "rows_of": rows_of}
