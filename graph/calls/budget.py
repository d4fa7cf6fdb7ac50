"""The time budget of a question: when it ends, the run answers with the best candidate so far."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from route_sql.graph.state import State

Update = dict[str, Any]
"""The changes of the state that a node returns."""
Result = TypeVar("Result")
Agent = Callable[[State], Awaitable[Update]]


def seconds_left(state: State) -> float | None:
    """Seconds that are left of the question's budget; None without one. Waiting for a person does not count."""
    budget = state["choices"]["seconds"]
    return None if budget is None else max(0.0, budget - state.get("spent", 0.0))


def unspent(seconds: float | None, began: float) -> float | None:
    """Seconds of a budget that are left since a time of the clock (`time.monotonic`); None without a budget."""
    return None if seconds is None else max(0.0, seconds - (monotonic() - began))


def is_out_of_time(state: State) -> bool:
    """Whether the question's budget is spent."""
    return seconds_left(state) == 0.0


def out_of_time(state: State) -> str:
    """The sentence for the reader when the budget is spent."""
    return f"The time for the question ({state['choices']['seconds']:g} s) ran out."


async def within_budget(agent: Agent, state: State, late: Callable[[State], Update]) -> Update:
    """Run an agent within the question's budget; its update.

    Args:
        agent: The agent.
        state: The state.
        late: Makes the update if no time is left or the agent was stopped.
    """
    left = seconds_left(state)
    if left is None:
        return await agent(state)
    began = monotonic()
    update = await in_time(partial(agent, state), left) if left else None
    if update is None:
        return {**late(state), "spent": state["choices"]["seconds"]}
    return {**update, "spent": state.get("spent", 0.0) + monotonic() - began}


async def in_time(begin: Callable[[], Awaitable[Result]], seconds: float | None) -> Result | None:
    """The result of the work; None if the time ended first and the work was stopped.

    It takes a function, since Python warns of a coroutine that a run which was stopped never began.
    """
    try:
        async with asyncio.timeout(seconds) as timer:
            return await begin()
    except TimeoutError:
        if not timer.expired():
            raise
    return None
