"""States of version 1: this version still reads checkpoints with its keys, and warns."""

import warnings
from collections.abc import Mapping
from typing import Any

from route_sql.graph.context import Context
from route_sql.graph.state import VERSION, Attempt, Candidate, State
from route_sql.graph.threads.choices import choices_of
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.errors import InvalidInput
from route_sql.tools.schema.records import Link
from route_sql.tools.sql.hardness import HARD

RENAMED = {
    "hint": "question_evidence",
    "grounding": "context_notes",
    "shown": "shown_schema",
    "link": "linked",
    "draft_link": "drafted",
}
"""Keys of version 1 and the names they have now."""
OLD_STATE = (
    "the state has keys of the last version of route-sql, which the next version will not read: finish the run, or "
    f"write {', '.join(f'{new} for {old}' for old, new in RENAMED.items())}"
)


class StoredState(State, total=False):
    """The state as a checkpoint may hold it: with the keys of version 1, which the next version drops."""

    hint: str | None
    """`question_evidence` of version 1."""
    grounding: list[str] | None
    """`context_notes` of version 1."""
    shown: Link | None
    """`shown_schema` of version 1."""
    link: Link | None
    """`linked` of version 1."""
    draft_link: Link | None
    """`drafted` of version 1."""
    outcomes: list[Outcome] | None
    """The outcome of each candidate, index by index, in version 1."""
    complaints: list[str | None] | None
    """The complaint of each candidate, index by index, in version 1."""
    joins_seen: int | None
    """Number of candidates whose joins were checked, in version 1."""
    hard: bool | None
    """Whether the newest candidate reads three tables or more, in version 1."""
    can_sample: bool | None
    """Whether the model can be asked at a temperature, in version 1."""


OLD_KEYS = (*RENAMED, "outcomes", "complaints", "joins_seen", "hard", "can_sample")


def without_old_keys(stored: StoredState) -> dict[str, Any]:
    """The update that clears the keys of version 1; empty if none has a value."""
    return {key: None for key in OLD_KEYS if stored.get(key) is not None}


def upgrade(stored: StoredState, context: Context) -> dict[str, Any]:
    """The changes that turn a state of version 1 into one of this version; empty for a state of this version.

    Args:
        stored: The state.
        context: The run's context: version 1 stored only approval and rights, and took every other choice from it.

    Raises:
        InvalidInput: another version wrote the state.
    """
    version = stored.get("version", 1 if without_old_keys(stored) else VERSION)
    if type(version) is not int or version not in (1, VERSION):
        raise InvalidInput(
            f"the state is of version {version!r:.100}; this route-sql reads the versions 1 and {VERSION}. Write the "
            "version that the run began with, or ask the question again"
        )
    values: Mapping[str, Any] = stored
    renamed = {new: values[old] for old, new in RENAMED.items() if values.get(old) is not None}
    if version == VERSION and not renamed:
        return {}
    warnings.warn(OLD_STATE, FutureWarning, stacklevel=2)
    return renamed if version == VERSION else {**renamed, **_of_version_1(stored, context)}


def _of_version_1(stored: StoredState, context: Context) -> dict[str, Any]:
    """The values that version 1 kept in another form."""
    kept: object = stored.get("choices")
    chosen = choices_of(context, can_sample=stored.get("can_sample") is True)
    return {
        "version": VERSION,
        "attempts": _attempts(stored),
        "candidates": [],
        "choices": {**chosen, **kept} if isinstance(kept, dict) else kept,
    }


def _attempts(stored: StoredState) -> list[Attempt]:
    """The attempts in version 1's three lists. Only the newest candidate was marked as hard."""
    candidates, outcomes = stored.get("candidates") or [], stored.get("outcomes") or []
    complaints = stored.get("complaints") or []
    if not len(candidates) == len(outcomes) == len(complaints):
        raise InvalidInput("candidates, outcomes and complaints in the state differ in length: ask the question again")
    attempts = [_attempt(*row) for row in zip(candidates, outcomes, complaints, strict=True)]
    checked = stored.get("joins_seen") or 0
    for attempt in attempts[:checked]:
        attempt["joins_checked"] = True
    if attempts and stored.get("hard"):
        attempts[-1]["tables"] = HARD
    return attempts


def _attempt(candidate: Candidate, outcome: Outcome, complaint: str | None) -> Attempt:
    return Attempt(agent=candidate["agent"], sql=candidate["sql"], outcome=outcome, complaint=complaint, tables=1)
