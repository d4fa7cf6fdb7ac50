"""The page of one run: the answer, the path through the graph, each candidate, each call."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, cast

from route_sql.graph.answers.results import rows_at_hand
from route_sql.graph.reading import state_of
from route_sql.graph.selection import attempts
from route_sql.graph.state import Attempt, State
from route_sql.graph.threads.state_versions import StoredState
from route_sql.graph.watching.doubts import AGENTS
from route_sql.pages.engine import render_page
from route_sql.pages.path import outcome_kind, outcome_words, path_picture
from route_sql.pages.sql_changes import changed_pieces
from route_sql.tools.database.outcome import Cell, ran
from route_sql.tools.errors import InvalidInput

MOST_ROWS = 500
"""Rows of a result that a page shows."""
FEW_ROWS = 20
"""Rows that it shows of a candidate that is not the answer."""
KINDS = {"ok": "good", "empty": "warn", "unsure": "warn"}


def run_page(values: Mapping[str, Any]) -> str:
    """A self-contained HTML page of a run, from its state: the end of a stream of `values`, or a thread's values.

    Prompts and replies are on it if the run kept them (`Context.keep_prompts`).

    Raises:
        InvalidInput: the values are not those of a run, or were edited into another form, or Jinja2 is not installed.
    """
    state = _run_of(values)
    status = state.get("status")
    return render_page(
        "run.html",
        version=version("route-sql"),
        made_on=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        question=state["question"],
        evidence=state.get("question_evidence", ""),
        status=status,
        kind=KINDS.get(status or "", "bad"),
        facts=_facts(state),
        sql=state.get("sql"),
        error=state.get("error"),
        columns=state.get("columns") or [],
        rows=(state.get("rows") or [])[:MOST_ROWS],
        count_text=_count_text(state.get("row_count") or 0, len(state.get("rows") or []), MOST_ROWS),
        doubts=state.get("doubts") or [],
        notes=state.get("notes") or [],
        picture=path_picture(state),
        attempts=_attempts(state),
        context_notes=state.get("context_notes") or [],
        linked=[(table, ", ".join(names)) for table, names in (state.get("linked") or {}).items()],
        ledger=state.get("ledger") or [],
        exchanges=state.get("exchanges") or [],
    )


def _run_of(values: Mapping[str, Any]) -> State:
    needed = {"question": str, "database": str, "choices": dict}
    is_run = isinstance(values, Mapping) and all(isinstance(values.get(key), kind) for key, kind in needed.items())
    if not is_run:
        raise InvalidInput(
            "these are not the values of a run: give the last part of graph.astream(..., stream_mode='values') or "
            "(await graph.aget_state(config)).values"
        )
    return state_of(cast(StoredState, values))


def _facts(state: State) -> list[str]:
    """Short facts under the question."""
    calls, kind = state.get("ledger", []), "" if state.get("calibrated") else " (not calibrated)"
    facts = [f"database {state['database']}", f"strategy {state['choices']['strategy']}"]
    if "confidence" in state:
        facts.append(f"confidence {state['confidence']:.2f}{kind}")
    seconds = sum(call["seconds"] for call in calls)
    written = sum(call["completion_tokens"] for call in calls)
    count = f"{len(calls)} call{'' if len(calls) == 1 else 's'} of the model"
    return [*facts, count, f"{written} tokens written", f"{seconds:.1f} s of the model"]


def _attempts(state: State) -> list[dict[str, Any]]:
    """The candidates as the template lists them, each compared with the one before."""
    before: str | None = None
    shown = []
    for attempt in attempts(state):
        shown.append(_attempt(attempt, before, rows_at_hand(attempt, state)))
        before = attempt["sql"]
    return shown


def _attempt(attempt: Attempt, before: str | None, rows: list[list[Cell]]) -> dict[str, Any]:
    outcome = attempt["outcome"]
    return {
        "name": AGENTS.get(attempt["agent"], attempt["agent"]),
        "kind": outcome_kind(attempt),
        "status": outcome["error"] or outcome_words(attempt),
        "seconds": f"{outcome['seconds']:.3f}",
        "pieces": changed_pieces(before, attempt["sql"]),
        "is_compared": before is not None,
        "decision": " by ".join(attempt[key] for key in ("decision", "decided_by") if key in attempt),
        "complaint": attempt["complaint"] if ran(outcome) else None,
        "columns": outcome["columns"],
        "rows": rows[:FEW_ROWS],
        "count_text": _count_text(outcome["row_count"], len(rows), FEW_ROWS),
    }


def _count_text(count: int, kept: int, most: int) -> str:
    text = f"{count} row{'' if count == 1 else 's'}"
    return f"{text}, {min(kept, most)} shown" if min(kept, most) < count else text
