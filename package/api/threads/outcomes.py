"""The end of a run, read from its last checkpoint: an answer, or a question to a person."""

from dataclasses import replace
from typing import Any, Literal, cast

from langgraph.types import StateSnapshot

from route_sql.api.forms.answers import AnsweredBody, ApproveQuestion, ClarifyQuestion, PersonQuestion, TurnState
from route_sql.api.threads.thread_store import TurnRow
from route_sql.graph.asking import answer_in
from route_sql.graph.state import Answer, State
from route_sql.graph.wiring import Graph


def person_question(snapshot: StateSnapshot) -> PersonQuestion | None:
    """The question to a person that a run waits for."""
    if not snapshot.interrupts:
        return None
    waiting = snapshot.interrupts[0]
    value = waiting.value
    database = str(value["database"])
    if "approve" in value:
        return ApproveQuestion(id=waiting.id, kind="approve", sql=str(value["approve"]), database=database)
    return ClarifyQuestion(
        id=waiting.id,
        kind="clarify",
        question=str(value["clarify"]),
        choices=list(value["readings"]),
        database=database,
    )


def answer_of(snapshot: StateSnapshot) -> Answer | None:
    """The answer; None if the run has not ended."""
    values = snapshot.values
    is_whole = not snapshot.next and all(key in values for key in Answer.__annotations__)
    return answer_in(cast(State, values)) if is_whole else None


def waiting_state(asked: PersonQuestion) -> Literal["needs_approval", "needs_choice"]:
    """The state of a run that waits for a person."""
    return "needs_approval" if asked["kind"] == "approve" else "needs_choice"


def answered_body(snapshot: StateSnapshot, turn: TurnRow, request_id: str) -> AnsweredBody:
    """The body of a run that has ended or waits for a person."""
    asked = person_question(snapshot)
    return AnsweredBody(
        thread=turn.thread,
        turn=turn.number,
        request_id=request_id,
        state="answered" if asked is None else waiting_state(asked),
        answer=answer_of(snapshot) if asked is None else None,
        interrupt=asked,
    )


def checkpoint_of(snapshot: StateSnapshot) -> str:
    """The id of a state's checkpoint; blank if the thread has none."""
    configurable: Any = (snapshot.config or {}).get("configurable", {})
    return str(configurable.get("checkpoint_id", ""))


async def last_state(graph: Graph, thread: str) -> StateSnapshot:
    """The last state of a thread."""
    return await graph.aget_state({"configurable": {"thread_id": thread}})


def has_choices(snapshot: StateSnapshot, turn: TurnRow) -> bool:
    """Whether the state of a turn's run holds its choices, with which it can be resumed."""
    return checkpoint_of(snapshot) != turn.began_after and "choices" in snapshot.values


def open_question(snapshot: StateSnapshot, turn: TurnRow) -> PersonQuestion | None:
    """The question to a person that is still open; LangGraph shows it until its node has ended."""
    return None if turn.decided == checkpoint_of(snapshot) else person_question(snapshot)


def stopped_turn(turn: TurnRow, snapshot: StateSnapshot) -> TurnRow:
    """A turn whose run was stopped or failed; it may still wait for a person.

    Args:
        turn: The turn.
        snapshot: The thread's last state.
    """
    if (checkpoint := checkpoint_of(snapshot)) == turn.began_after:
        return replace(turn, state="stopped")
    asked = open_question(snapshot, turn)
    return replace(turn, state="stopped" if asked is None else waiting_state(asked), checkpoint=checkpoint)


def ended_turn(turn: TurnRow, snapshot: StateSnapshot, state: TurnState) -> TurnRow:
    """A turn whose run has ended or waits for a person."""
    return replace(turn, state=state, checkpoint=checkpoint_of(snapshot), decided=None)
