"""The run's choices in the state: a resumed run keeps its rights and its approval, whatever context it comes with."""

from typing import Any

from route_sql.graph.context import Context
from route_sql.graph.state import Choices, State
from route_sql.tools.errors import InvalidInput
from route_sql.tools.schema.visibility import Visibility

APPROVE = {"type": "approve"}


def choices_of(context: Context) -> Choices:
    """The choices of a run that begins, as the state keeps them."""
    return Choices(approve=context.approve, rights=context.rights.as_json())


def rights_in(state: State, context: Context) -> Visibility:
    """Rights of the run: the bounds that it began with, and those of the context it is resumed with.

    Raises:
        InvalidInput: the state does not hold the bounds that the run began with.
    """
    return Visibility.from_json(_kept(state)["rights"]).narrowed(context.rights)


def needs_approval(state: State, context: Context) -> bool:
    """Whether a person is asked before each query: said when the run began, or by the context it is resumed with.

    Raises:
        InvalidInput: the state does not hold what the run began with.
    """
    return _kept(state)["approve"] is not False or context.approve


def is_approved(answer: object) -> bool:
    """Whether the value that a run is resumed with approves the query; anything not listed here does not.

    `True`, `{"type": "approve"}`, or LangChain's `{"decisions": [{"type": "approve"}]}` with that one decision.
    """
    if isinstance(answer, dict) and answer.keys() == {"decisions"}:
        decisions = answer["decisions"]
        return isinstance(decisions, list) and decisions == [APPROVE]
    return answer is True or (isinstance(answer, dict) and answer == APPROVE)


def _kept(state: State) -> dict[str, Any]:
    kept: object = state.get("choices")
    if not isinstance(kept, dict) or kept.keys() != {"approve", "rights"}:
        raise InvalidInput("the state holds no choices of its run, so its rights are unknown; ask the question again")
    return kept
