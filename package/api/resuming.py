"""A person's answer as the input of a run that waits; one that does not fit leaves the run waiting."""

import json
from typing import Any

from langgraph.types import Command

from route_sql.access.callers import Caller
from route_sql.access.rights import context_of_caller
from route_sql.api.errors import ApiError
from route_sql.api.forms.answers import PersonQuestion
from route_sql.api.forms.bodies import (
    RESUME_FORMS,
    ApproveBody,
    AskOptions,
    ChoiceBody,
    ContinueBody,
    DecisionBody,
    EditBody,
    RejectBody,
    ResumeBody,
)
from route_sql.api.forms.choices import context_for
from route_sql.api.running import RunInput
from route_sql.api.service import Service
from route_sql.api.threads.outcomes import checkpoint_of, has_choices, last_state, open_question
from route_sql.api.threads.thread_store import TurnRow
from route_sql.graph.context import Context

NOTHING_WAITS = "Nothing waits in this thread; ask with POST /v1/ask."
ANOTHER_WAITS = "Another question came in between, so nothing was decided; load the thread again to see what waits."
NOT_KEPT = "The question was stopped before it began, and its options are not known; ask it again with POST /v1/ask."


async def resuming_step(
    service: Service, caller: Caller, thread: str, body: ResumeBody
) -> tuple[TurnRow, RunInput, Context]:
    """The thread's last turn, and the input and the context that resume it.

    Raises:
        ApiError: nothing waits, or the answer does not fit what waits.
    """
    turns = (await service.store.turns([thread]))[thread]
    snapshot = await last_state(service.graph, thread)
    turn = turns[-1] if turns else None
    if turn is not None and isinstance(body, ContinueBody) and body.turn not in (None, turn.number):
        raise ApiError(409, ANOTHER_WAITS)
    if turn is not None and isinstance(body, ContinueBody) and not has_choices(snapshot, turn):
        return turn, *await _begun_again(service, caller, turn)
    if turn is None or not snapshot.next or checkpoint_of(snapshot) == turn.began_after:
        raise ApiError(409, NOTHING_WAITS)
    # The run keeps its choices, and the narrower rights apply.
    return turn, _step(body, open_question(snapshot, turn)), context_of_caller(caller, service.context)


async def _begun_again(service: Service, caller: Caller, turn: TurnRow) -> tuple[RunInput, Context]:
    """The input of a run that was stopped before its state held its choices, and the context that it was asked with."""
    if turn.state != "stopped":
        raise ApiError(409, NOTHING_WAITS)
    kept = await service.store.asked(turn)
    if kept is None:
        raise ApiError(409, NOT_KEPT)
    asked = json.loads(kept)
    return asked["input"], context_for(caller, AskOptions.model_validate(asked["options"]), service.context)


def _step(body: ResumeBody, asked: PersonQuestion | None) -> Command[Any] | None:
    if isinstance(body, ContinueBody):
        if asked is not None:
            raise ApiError(400, f"The run waits for a person: {RESUME_FORMS}.")
        return None
    if asked is None:
        raise ApiError(409, 'The run does not wait for a person; send {"type": "continue"} to continue it.')
    if body.interrupt not in (None, asked["id"]):
        raise ApiError(409, ANOTHER_WAITS)
    return Command(resume=_given(body, asked))


def _given(body: DecisionBody, asked: PersonQuestion) -> dict[str, Any]:
    """The value that the graph's interrupt takes."""
    is_decision = isinstance(body, ApproveBody | EditBody | RejectBody)
    if is_decision != (asked["kind"] == "approve"):
        wanted = "approve, edit or reject the query" if asked["kind"] == "approve" else "say what is meant"
        raise ApiError(400, f"The run waits for a person to {wanted}: {RESUME_FORMS}.")
    if isinstance(body, ChoiceBody):
        if asked["kind"] == "clarify" and body.choice not in asked["choices"]:
            raise ApiError(400, "choice must be one of the interrupt's choices, as it is written, or send evidence.")
        return {"reading": body.choice}
    return body.model_dump(exclude={"interrupt"}, exclude_none=True)
