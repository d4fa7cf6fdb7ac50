"""A run that is resumed with narrower rights: what it found before under wider ones is not used."""

from typing import Any

from route_sql.graph.context import Context
from route_sql.graph.fields.channels import BEGIN, Begin, Extended
from route_sql.graph.fields.decisions import without_readings
from route_sql.graph.fields.run_choices import Choices
from route_sql.graph.state import State
from route_sql.graph.threads.beginning import OF_ONE_QUESTION
from route_sql.graph.threads.choices import narrowed
from route_sql.graph.threads.stored_narrowing import narrowed_before, store_narrowing
from route_sql.tools.errors import InvalidInput

KEPT = {
    *("began", "traceparent", "choices", "question_evidence", "asked_back", "earlier_calls", "spent"),
    *("proposal", "sql", "ledger"),
}
"""Keys that hold nothing of the database, and the query that waits, which runs with the narrower rights."""
LISTS = ("attempts", "exchanges", "notes")
NARROWER = "The run was resumed with narrower rights, so it did not use what it had found before."
TOO_NARROW = (
    "the run is resumed with narrower rights than those with which it found {}: ask the question again with the "
    "narrower rights, or resume it with the rights that it had"
)


async def narrowed_state(read: State, context: Context, needs: str | None = None) -> tuple[State, dict[str, Any]]:
    """The state with choices that the context has narrowed, and the update that keeps them.

    With narrower rights the state has no notes, queries, results and prompts any more: they may show names and
    values that are hidden now. The update is empty if no choice has changed.

    Args:
        read: The state.
        context: The context of the run, or of its resume.
        needs: What the node needs of the earlier nodes; it can't be resumed with narrower rights than they had.

    Raises:
        InvalidInput: what the node needs was found with wider rights.
    """
    stored = await narrowed_before(read["choices"])
    choices = narrowed(stored, context)
    left, update = _narrowed_to(read, choices)
    if needs is not None:
        _require_as_wide(update, needs)
    if choices != stored:
        await store_narrowing(choices)
    return left, update


def _narrowed_to(read: State, choices: Choices) -> tuple[State, dict[str, Any]]:
    """The state with narrower choices, and the update that keeps them."""
    before = read["choices"]
    if choices == before:
        return read, {}
    changes: dict[str, Any] = _without_found(read) if choices["rights"] != before["rights"] else {}
    left: Any = {**read, **changes, "choices": choices}
    now: Any = {name: value for name, value in left.items() if value != BEGIN}
    return now, {"choices": choices, **changes}


def with_narrowed(update: dict[str, Any], narrowing: dict[str, Any]) -> dict[str, Any]:
    """An agent's update, and the one that keeps the narrower rights."""
    both = {**narrowing, **update}
    for key in LISTS:
        if key in narrowing and key in update:
            both[key] = Begin(begin=Extended(key)([], update[key]))
    if len(narrowing) > 1:
        notes = both.get("notes", [])
        both["notes"] = Begin(begin=[NARROWER, *(notes["begin"] if isinstance(notes, dict) else notes)])
    return both


def _require_as_wide(narrowing: dict[str, Any], what: str) -> None:
    if len(narrowing) > 1:
        raise InvalidInput(TOO_NARROW.format(what))


def _without_found(read: State) -> dict[str, Any]:
    """The update that removes everything that the run has found in the database."""
    found: dict[str, Any] = {name: BEGIN for name in OF_ONE_QUESTION if name not in KEPT and read.get(name)}
    given = read.get("question_evidence", "")
    own = without_readings(given, read.get("notes", []))
    return found if own == given else {**found, "question_evidence": own or BEGIN}
