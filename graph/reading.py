"""Reading the state in nodes and routers: in the present version, with choices that the context can only narrow."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.runtime import Runtime

from route_sql.graph.budget import Agent, Update, within_budget
from route_sql.graph.choices import kept_choices, narrowed
from route_sql.graph.context import Context, context_of
from route_sql.graph.state import Begin, State
from route_sql.graph.state_versions import StoredState, upgrade, without_old_keys


class Node(Protocol):
    """A function that LangGraph runs as a node."""

    def __call__(self, state: StoredState, *, runtime: Runtime[Context]) -> Awaitable[Update]:
        """Run the node."""


def _no_update(state: State) -> Update:
    return {}


def node(agent: Agent) -> Node:
    """A node of the graph: the agent reads a state whose choices the run's context has narrowed.

    It runs no longer than the question's time budget lasts.

    Raises (when run):
        InvalidInput: the state does not hold the choices of its run.
    """

    async def run(state: StoredState, *, runtime: Runtime[Context]) -> Update:
        context = context_of(runtime)
        read = _read(state, upgrade(state, context))
        now: State = {**read, "choices": narrowed(read["choices"], context)}
        return await within_budget(agent, now, _no_update)

    return run


def answering_node(agent: Agent) -> Node:
    """The same for the last node, which answers whatever is left of the budget."""

    async def run(state: StoredState, *, runtime: Runtime[Context]) -> Update:
        context = context_of(runtime)
        read = _read(state, upgrade(state, context))
        return await agent({**read, "choices": narrowed(read["choices"], context)})

    return run


def recording_node(agent: Agent, late: Callable[[State], Update] = _no_update) -> Node:
    """The same, but the changes made by reading are written too; for the one node that never runs next to another.

    The router after it then reads a state of the present version, and knows whether a person approves each query.
    """

    async def run(state: StoredState, *, runtime: Runtime[Context]) -> Update:
        context = context_of(runtime)
        upgraded = upgrade(state, context)
        read = _read(state, upgraded)
        choices = narrowed(read["choices"], context)
        update = await within_budget(agent, {**read, "choices": choices}, late)
        if "attempts" in upgraded:
            update["attempts"] = Begin(begin=[*upgraded["attempts"], *update.get("attempts", [])])
        if choices["approve"] is not read["choices"]["approve"]:
            update["choices"] = {**read["choices"], "approve": choices["approve"]}
        return {**without_old_keys(state), **upgraded, **update}

    return run


class Router(Runnable[StoredState, Any]):
    """A router of the graph. It takes no runtime: LangGraph has none when a state is edited.

    A plain function would be run in a thread, which costs more than the choice.
    """

    def __init__(self, choose: Callable[[State], Any]) -> None:
        """Route by a function of the state."""
        self.name = choose.__name__
        self._choose = choose

    def invoke(self, input: StoredState, config: RunnableConfig | None = None, **given: Any) -> Any:
        """The next node or nodes."""
        return self._choose(_read(input, upgrade(input, Context())))

    async def ainvoke(self, input: StoredState, config: RunnableConfig | None = None, **given: Any) -> Any:
        """The same."""
        return self.invoke(input)


def _read(stored: StoredState, upgraded: Update) -> State:
    """The state in the present version, with choices that were checked."""
    state = cast(State, {**stored, **upgraded})
    return {**state, "choices": kept_choices(state)}
