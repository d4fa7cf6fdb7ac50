"""The collaboration strategies as lists of turns: an agent, the reason to ask it, and how often at most.

The next turn is the first whose agent is switched on, whose bound is not reached and whose reason holds; if there
is none, the run answers. Reasons and routers read the state alone, so that a thread can be edited and run again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from route_sql.graph.answerable import is_withheld
from route_sql.graph.calls.budget import is_out_of_time
from route_sql.graph.calls.ledger import calls_of
from route_sql.graph.selection import (
    agreed,
    attempts,
    has_rows,
    is_a_persons,
    is_repaired,
    is_sampled,
    leading,
    newest_rejected,
    settled_by_person,
    voted_for,
)
from route_sql.graph.state import Attempt, State
from route_sql.tools.database.outcome import ran
from route_sql.tools.sql.hardness import HARD

First = Literal["link_schema", "draft", "generate"]
AfterGround = Literal["link_schema", "draft", "generate", "clarify", "execute"]
AfterClarify = Literal["link_schema", "draft", "generate", "clarify", "answer"]
Next = Literal[
    "link_schema", "generate", "complete_joins", "correct_noise", "continue_writing", "sample", "clarify", "answer"
]
Choice = Literal["max_corrections", "max_continuations", "max_samples"]
REPAIRABLE = ("ok", "empty", "error")
"""Statuses of a candidate whose joins can be repaired."""
Reason = Callable[[State], bool]
"""Whether an agent should be asked. Its docstring is the sentence that the documentation prints."""


@dataclass(frozen=True)
class Turn:
    """One line of a strategy.

    Args:
        agent: The node that acts.
        when: The reason.
        at_most: How often this turn is taken: a number, or the name of a choice; None where the reason is the bound.
    """

    agent: Next
    when: Reason
    at_most: int | Choice | None = None


def always(state: State) -> bool:
    """Always."""
    return True


def two_agree(state: State) -> bool:
    """Two candidates that differ in wording or agent return the same rows, and neither is doubted."""
    return agreed(attempts(state))


def sure_enough(state: State) -> bool:
    """The leading candidate runs, is not doubted, and its calibrated confidence is high enough."""
    first, assessment = leading(state), state.get("assessment")
    if first is None or assessment is None or first["complaint"] is not None or not ran(first["outcome"]):
        return False
    enough = state["choices"]["enough"]
    return assessment["calibrated"] and enough < 1.0 and assessment["confidence"] >= enough


def cannot_be_answered(state: State) -> bool:
    """The database most likely can't answer the question."""
    return is_withheld(state)


def newest_is_doubted(state: State) -> bool:
    """The newest candidate is doubted, and its joins have not been checked."""
    newest = next(reversed(attempts(state)), None)
    if newest is None or newest["complaint"] is None or newest.get("joins_checked") or is_repaired(newest):
        return False
    if is_sampled(newest):  # its joins were repaired when it ran
        return False
    return newest["outcome"]["status"] in REPAIRABLE


def leading_is_doubted(state: State) -> bool:
    """There is no candidate, or the leading one is doubted or has repaired joins."""
    first = leading(state)
    return first is None or first["complaint"] is not None or is_repaired(first)


def a_verdict_may_help(state: State) -> bool:
    """There is a candidate and no verdict yet, or the leading candidate is a correction that is doubted."""
    first = leading(state)
    if first is None or not calls_of("correct_noise", state):
        return first is not None
    return first["agent"] == "correct_noise" and first["complaint"] is not None


def a_correction_may_help(state: State) -> bool:
    """A verdict may help as in `paper`; once a query of the model has rows, its calibration must allow the call."""
    is_worth_it = state["choices"].get("correct_rows", True) or not any(map(has_rows, attempts(state)))
    return is_worth_it and a_verdict_may_help(state)


def none_runs(state: State) -> bool:
    """No candidate runs."""
    first = leading(state)
    return first is None or not ran(first["outcome"])


def none_runs_and_samples_may_help(state: State) -> bool:
    """No candidate runs, the model has a temperature, and queries need no approval."""
    choices = state["choices"]
    return none_runs(state) and choices["can_sample"] and not choices["approve"]


def samples_may_help(state: State) -> bool:
    """Samples are chosen and none drawn yet, the model has a temperature, and queries need no approval."""
    choices = state["choices"]
    is_able = choices["can_sample"] and not choices["approve"]
    return choices["samples"] > 0 and state.get("samples") is None and is_able


def samples_have_voted(state: State) -> bool:
    """Samples have voted for the leading candidate."""
    return bool(voted_for(state))


def none_runs_or_newest_is_hard(state: State) -> bool:
    """No candidate runs, or the newest reads three tables or more."""
    return none_runs(state) or attempts(state)[-1]["tables"] >= HARD


SINGLE: tuple[Turn, ...] = ()

PAPER = (
    Turn("generate", when=always, at_most=1),
    Turn("correct_noise", when=a_verdict_may_help, at_most=1),
    Turn("continue_writing", when=none_runs_or_newest_is_hard, at_most="max_continuations"),
)
"""The published order (ROUTE, section 3.3)."""

ADAPTIVE = (
    Turn("answer", when=cannot_be_answered),
    Turn("answer", when=two_agree),
    Turn("answer", when=samples_have_voted),
    Turn("answer", when=sure_enough),
    Turn("complete_joins", when=newest_is_doubted),
    Turn("link_schema", when=leading_is_doubted, at_most=1),
    Turn("generate", when=always, at_most=1),
    Turn("correct_noise", when=a_correction_may_help, at_most="max_corrections"),
    Turn("continue_writing", when=none_runs, at_most="max_continuations"),
    # Self-consistency by execution: Wang et al. 2023, Li et al. 2022.
    Turn("sample", when=samples_may_help),
    # Execution guides decoding: Wang et al. 2018.
    Turn("generate", when=none_runs_and_samples_may_help, at_most="max_samples"),
)
"""An agent is asked only for a reason, and none once two candidates agree."""

BEGIN: Mapping[str, tuple[First, ...]] = {
    "single": ("generate",),
    "paper": ("link_schema", "draft"),
    "adaptive": ("draft",),
}
"""The agents that a run begins with, side by side."""

TURNS: Mapping[str, Sequence[Turn]] = {"single": SINGLE, "paper": PAPER, "adaptive": ADAPTIVE}


FOLLOWING: Mapping[str, tuple[str, ...]] = {
    "link_schema": ("execute", "generate", "correct_noise", "continue_writing", "answer"),
    "draft": ("execute", "link_schema", "generate", "answer"),
    "generate": ("execute", "generate", "correct_noise", "continue_writing", "sample", "answer"),
    "complete_joins": ("execute", "link_schema", "generate", "correct_noise", "answer"),
    "correct_noise": ("execute", "generate", "correct_noise", "continue_writing", "sample", "answer"),
    "continue_writing": ("execute", "generate", "sample", "answer"),
    "sample": ("execute",),
}
"""Nodes after each agent: `execute`, and turns that often follow if it wrote no SQL; others go through `execute`."""


def after_ground(state: State) -> list[AfterGround]:
    """The nodes after `ground`: a person's own query is run; an open point is asked about; else the first agents."""
    if state.get("proposal"):
        return ["execute"]
    return ["clarify"] if state.get("unclear") else [*first_agents(state)]


def first_agents(state: State) -> list[First]:
    """The agents that a run begins with; the generator if all of them are switched off."""
    choices = state["choices"]
    return [agent for agent in BEGIN[choices["strategy"]] if agent not in choices["without"]] or ["generate"]


def after(agent: str) -> Callable[[State], str]:
    """The router after an agent: to `execute` if it wrote SQL, else to the next turn.

    Two agents that begin side by side both lead to `execute`, since neither knows what the other has written.
    """
    targets = FOLLOWING[agent]

    def route(state: State) -> str:
        first = first_agents(state)
        if state.get("proposal") or (agent in first and len(first) > 1):
            return "execute"
        following = next_agent(state)
        return following if following in targets else "execute"

    return route


def next_agent(state: State) -> Next:
    """The agent of the next turn; `answer` if no turn is left, a person has decided, or the time is over."""
    if is_out_of_time(state) or settled_by_person(state):
        return "answer"
    if state.get("unclear"):
        return "clarify"
    if rejected := newest_rejected(state):
        return "correct_noise" if _may_correct(rejected, state) else "answer"
    turns = TURNS[state["choices"]["strategy"]]
    left = (turn for place, turn in enumerate(turns) if _may_act(turn, turns[:place], state) and turn.when(state))
    agent: Next = next((turn.agent for turn in left), "answer")
    return "clarify" if agent == "answer" and _asks_back(state) else agent


def after_clarify(state: State) -> list[AfterClarify]:
    """The node after a person was asked: the next open point, the agents, or the answer that the person picked.

    Once the time is over, `clarify` asks nobody and leaves its points open.
    """
    if is_out_of_time(state) or settled_by_person(state):
        return ["answer"]
    if state.get("unclear"):
        return ["clarify"]
    return [*first_agents(state)]


def is_unsure(state: State) -> bool:
    """Whether the leading candidate runs, but is less sure than the caller wants."""
    first, assessment = leading(state), state.get("assessment")
    if first is None or not ran(first["outcome"]) or is_a_persons(first):
        return False
    return (assessment["confidence"] if assessment else 0.0) < state["choices"]["min_confidence"]


def _asks_back(state: State) -> bool:
    return state["choices"]["clarify"] and is_unsure(state) and not state.get("asked_back")


def _may_correct(rejected: Attempt, state: State) -> bool:
    """Whether the noise corrector reads why a person rejected a candidate; it does so once."""
    choices = state["choices"]
    is_chosen = choices["after_rejection"] == "correct_noise" and "correct_noise" not in choices["without"]
    is_left = calls_of("correct_noise", state) < choices["max_corrections"]
    return is_chosen and is_left and not rejected.get("corrected")


def _may_act(turn: Turn, before: Sequence[Turn], state: State) -> bool:
    """Whether a turn's agent is switched on and its bound not reached.

    The calls of an agent count for its first turn until that turn is full, then for its next one.
    """
    if turn.agent in state["choices"]["without"]:
        return False
    if turn.at_most is None:
        return True
    earlier = sum(_bound(other, state) for other in before if other.agent == turn.agent)
    return calls_of(turn.agent, state) - earlier < _bound(turn, state)


def _bound(turn: Turn, state: State) -> int:
    if isinstance(turn.at_most, str):
        return state["choices"][turn.at_most]
    return turn.at_most or 0
