"""Who comes next: pure functions of the state and the context."""

from typing import Literal

from langgraph.runtime import Runtime

from route_sql.graph.choices import needs_approval
from route_sql.graph.context import Context, Strategy, context_of
from route_sql.graph.selection import Attempt, agreed, attempts, best, mended, newest
from route_sql.graph.state import State, calls_of

First = Literal["link_schema", "draft", "generate"]
Next = Literal["link_schema", "generate", "complete_joins", "correct_noise", "continue_writing", "answer"]


def route_after_ground(state: State, runtime: Runtime[Context]) -> list[First]:
    """Where a run begins: `paper` has the linker beside the draft, `adaptive` has the draft alone."""
    context = context_of(runtime)
    wanted: dict[Strategy, list[First]] = {
        "paper": ["link_schema", "draft"],
        "adaptive": ["draft"],
        "single": [],
    }
    return [agent for agent in wanted[context.strategy] if context.uses(agent)] or ["generate"]


def route_after_execute(state: State, runtime: Runtime[Context]) -> Next:
    """The next agent by the run's strategy; `answer` when there is none to ask, or no reason."""
    context = context_of(runtime)
    if context.strategy == "single":
        return "answer"
    wanted = _published(state) if context.strategy == "paper" else _with_reason(state)
    return next((agent for agent in wanted if _may_act(agent, state, context)), _last(state, context))


def _published(state: State) -> list[Next]:
    """Every agent in turn; the continuation writer only for a query that fails or is hard (ROUTE, section 3.3)."""
    last = newest(attempts(state))
    rescue = last is None or last.outcome["digest"] is None or state.get("hard", False)
    return ["generate", "correct_noise", "continue_writing"] if rescue else ["generate", "correct_noise"]


def _with_reason(state: State) -> list[Next]:
    """Whom there is a reason to ask.

    Nobody once two candidates agree. The joins of a candidate that is doubted are looked at first. The linker, if the
    draft is in doubt; then the generator for a second opinion; the noise corrector on a disagreement or a complaint;
    the continuation writer if nothing runs yet.
    """
    tried = attempts(state)
    if agreed(tried):
        return []
    unseen = len(tried) > state.get("joins_seen", 0) and not mended(tried[-1])
    doubted = unseen and tried[-1].complaint is not None and tried[-1].outcome["status"] in ("ok", "empty", "error")
    first: list[Next] = ["complete_joins"] if doubted else []
    return [*first, *_whom_to_ask(tried)]


def _whom_to_ask(tried: list[Attempt]) -> list[Next]:
    leading = best(tried)
    doubted = leading is None or leading.complaint is not None or mended(leading)
    second: list[Next] = ["link_schema", "generate", "correct_noise"] if doubted else ["generate", "correct_noise"]
    return second if leading and leading.outcome["digest"] is not None else [*second, "continue_writing"]


def _may_act(agent: Next, state: State, context: Context) -> bool:
    if agent == "complete_joins":  # no call of the model
        return context.uses(agent)
    bounds = {
        "link_schema": 1,
        "generate": 1,
        "correct_noise": 1 if context.strategy == "paper" else context.max_corrections,
        "continue_writing": context.max_continuations,
    }
    if agent == "answer" or not context.uses(agent):
        return False
    calls = calls_of(agent, state)
    return calls < bounds[agent] and (agent != "correct_noise" or _has_something_new_to_judge(state, calls))


def _last(state: State, context: Context) -> Next:
    """The generator by chance while nothing runs (execution guides decoding: Wang et al. 2018); else the answer."""
    leading = best(attempts(state))
    failed = leading is None or leading.outcome["digest"] is None
    left = calls_of("generate", state) - 1 < context.max_samples and state.get("can_sample", False)
    # Whoever approves each query is not asked about guesses.
    wanted = context.strategy == "adaptive" and context.uses("generate") and not needs_approval(state, context)
    return "generate" if failed and left and wanted else "answer"


def _has_something_new_to_judge(state: State, verdicts: int) -> bool:
    """Whether a verdict may tell something: not twice on the same candidate, nor on a correction that nobody doubts."""
    leading = best(attempts(state))
    if leading is None or not verdicts:
        return leading is not None
    return leading.candidate["agent"] == "correct_noise" and leading.complaint is not None
