"""A person's answer as the input of a run that waits; one that does not fit leaves the run waiting."""

from typing import Any

from langgraph.types import Command

from route_sql.api.errors import ApiError
from route_sql.api.forms.answers import PersonQuestion
from route_sql.api.forms.bodies import (
    RESUME_FORMS,
    ApproveBody,
    ChoiceBody,
    ContinueBody,
    EditBody,
    EvidenceBody,
    RejectBody,
    ResumeBody,
)
from route_sql.api.service import Service
from route_sql.api.threads.outcomes import checkpoint_of, last_state, open_question
from route_sql.api.threads.thread_store import TurnRow

NOTHING_WAITS = "Nothing waits in this thread; ask with POST /v1/ask."


async def resuming_step(service: Service, thread: str, body: ResumeBody) -> tuple[TurnRow, Command[Any] | None]:
    """The thread's last turn, and the input that resumes it.

    Raises:
        ApiError: nothing waits, or the answer does not fit what waits.
    """
    turns = (await service.store.turns([thread]))[thread]
    snapshot = await last_state(service.graph, thread)
    if not turns or not snapshot.next or checkpoint_of(snapshot) == turns[-1].began_after:
        raise ApiError(409, NOTHING_WAITS)
    asked = open_question(snapshot, turns[-1])
    if isinstance(body, ContinueBody):
        if asked is not None:
            raise ApiError(400, f"The run waits for a person: {RESUME_FORMS}.")
        return turns[-1], None
    if asked is None:
        raise ApiError(409, 'The run does not wait for a person; send {"type": "continue"} to continue it.')
    return turns[-1], Command(resume=_given(body, asked))


def _given(body: ResumeBody, asked: PersonQuestion) -> dict[str, Any]:
    """The value that the graph's interrupt takes."""
    is_decision = isinstance(body, ApproveBody | EditBody | RejectBody)
    if is_decision != (asked["kind"] == "approve"):
        wanted = "approve, edit or reject the query" if asked["kind"] == "approve" else "say what is meant"
        raise ApiError(400, f"The run waits for a person to {wanted}: {RESUME_FORMS}.")
    if isinstance(body, ChoiceBody):
        if asked["kind"] == "clarify" and body.choice not in asked["choices"]:
            raise ApiError(400, "choice must be one of the interrupt's choices, as it is written, or send evidence.")
        return {"reading": body.choice}
    return body.model_dump(exclude_none=True) if is_decision or isinstance(body, EvidenceBody) else {}
