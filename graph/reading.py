"""Reading the state in nodes and routers: in the present version, with choices that the context can only narrow."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast

from langgraph._internal._runnable import RunnableCallable
from langgraph.runtime import Runtime

from route_sql.graph.channels import Begin
from route_sql.graph.choices import kept_choices, narrowed
from route_sql.graph.context import Context, context_of
from route_sql.graph.state import State
from route_sql.graph.state_versions import StoredState, upgrade, without_old_keys
from route_sql.tools.loop_thread import QUESTIONS

Update = dict[str, Any]
"""The changes of the state that a node returns."""
Agent = Callable[[State], Awaitable[Update]]
Target = TypeVar("Target")


class Node(Protocol):
    """A function that LangGraph runs as a node."""

    def __call__(self, state: StoredState, *, runtime: Runtime[Context]) -> Awaitable[Update]:
        """Run the node."""


def in_both_ways(run: Node, name: str) -> RunnableCallable:
    """A node for `ainvoke` and for `invoke`, which runs it in a thread with an event loop.

    A question that is asked with `invoke` so works in a script, in a notebook, where a loop runs already, and in the
    threads of a web server. All of them share one loop, since connections to databases may not cross loops.
    """

    def run_in_thread(state: StoredState, *, runtime: Runtime[Context]) -> Update:
        return QUESTIONS.run(_run(run, state, runtime))

    return RunnableCallable(run_in_thread, run, name=name, trace=False)


def node(agent: Agent) -> RunnableCallable:
    """A node of the graph: the agent reads a state whose choices the run's context has narrowed.

    Raises (when run):
        InvalidInput: the state does not hold the choices of its run.
    """

    async def run(state: StoredState, *, runtime: Runtime[Context]) -> Update:
        context = context_of(runtime)
        read = _read(state, upgrade(state, context))
        return await agent({**read, "choices": narrowed(read["choices"], context)})

    return in_both_ways(run, _name_of(agent))


def recording_node(agent: Agent) -> RunnableCallable:
    """The same, but the changes made by reading are written too; for the one node that never runs next to another.

    The router after it then reads a state of the present version, and knows whether a person approves each query.
    """

    async def run(state: StoredState, *, runtime: Runtime[Context]) -> Update:
        context = context_of(runtime)
        upgraded = upgrade(state, context)
        read = _read(state, upgraded)
        choices = narrowed(read["choices"], context)
        update = await agent({**read, "choices": choices})
        if "attempts" in upgraded:
            update["attempts"] = Begin(begin=[*upgraded["attempts"], *update.get("attempts", [])])
        if choices["approve"] is not read["choices"]["approve"]:
            update["choices"] = {**read["choices"], "approve": choices["approve"]}
        return {**without_old_keys(state), **upgraded, **update}

    return in_both_ways(run, _name_of(agent))


def router(choose: Callable[[State], Target]) -> Callable[[StoredState], Target]:
    """A router of the graph. It takes no runtime: LangGraph has none when a state is edited."""

    def route(state: StoredState) -> Target:
        return choose(_read(state, upgrade(state, Context())))

    return route


def _name_of(agent: object) -> str:
    return str(getattr(agent, "__name__", type(agent).__name__))


async def _run(run: Node, state: StoredState, runtime: Runtime[Context]) -> Update:
    return await run(state, runtime=runtime)


def _read(stored: StoredState, upgraded: Update) -> State:
    """The state in the present version, with choices that were checked."""
    state = cast(State, {**stored, **upgraded})
    return {**state, "choices": kept_choices(state)}
