"""Reads the state for nodes and routers, in this version's form and with choices that the context can only narrow."""

from collections.abc import Awaitable, Callable, Sequence
from time import time
from typing import Any, Protocol, cast

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph._internal._runnable import RunnableCallable
from langgraph.runtime import Runtime

from route_sql.graph.calls.budget import Agent, Update, within_budget
from route_sql.graph.calls.exchanges import kept_exchanges
from route_sql.graph.context import Context, context_of
from route_sql.graph.events import story
from route_sql.graph.fields.channels import BEGIN, Begin
from route_sql.graph.state import VERSION, State
from route_sql.graph.threads.checked_state import checked_state
from route_sql.graph.threads.choices import kept_choices
from route_sql.graph.threads.narrowing import narrowed_state, with_narrowed
from route_sql.graph.threads.state_versions import StoredState, upgrade, without_old_keys
from route_sql.graph.watching.sentences import beginning, tell_ending
from route_sql.graph.watching.spans import begin_workflow, node_span
from route_sql.tools.errors import InvalidInput
from route_sql.tools.loop_thread import QUESTIONS

NO_CHOICES = Context()
"""The context of a router, which has none."""


class Node(Protocol):
    """A function that LangGraph runs as a node."""

    def __call__(self, state: StoredState, *, runtime: Runtime[Context]) -> Awaitable[Update]:
        """Run the node."""


def _no_update(state: State) -> Update:
    return {}


def in_both_ways(run: Node, name: str) -> RunnableCallable:
    """A node for `ainvoke` and for `invoke`, which runs it in a thread with an event loop.

    So `invoke` works in a script, in a notebook, where a loop runs already, and in the
    threads of a web server. All calls share one loop, since connections to databases belong to one loop.
    """

    def run_in_thread(state: StoredState, *, runtime: Runtime[Context]) -> Update:
        return QUESTIONS.run(_begun(run, state, runtime))

    return RunnableCallable(run_in_thread, run, name=name, trace=False)


def node(
    agent: Agent,
    late: Callable[[State], Update] | None = _no_update,
    *,
    needs: str | None = None,
    trace_content: bool = False,
) -> RunnableCallable:
    """A node of the graph: the agent reads a state whose choices the run's context has narrowed.

    Args:
        agent: The agent.
        late: Makes the update when the question's time budget ends before the agent; None lets it run on.
        needs: What the node needs of the earlier nodes; it can't be resumed with narrower rights than they had.
        trace_content: Whether its span has the texts of errors.

    Raises (when run):
        InvalidInput: the state does not hold the choices of its run, or holds what the node needs with wider rights.
    """

    async def run(state: StoredState, *, runtime: Runtime[Context]) -> Update:
        context = context_of(runtime)
        now, narrowing = await narrowed_state(_read(state, context)[0], context, needs)
        return with_narrowed(await _run(agent, now, runtime, late, trace_content=trace_content), narrowing)

    return in_both_ways(run, _name_of(agent))


def first_node(ground: Node, *, trace_content: bool = False) -> RunnableCallable:
    """The node that a run begins with; it reads the state as it comes."""

    async def run(state: StoredState, *, runtime: Runtime[Context]) -> Update:
        began, place = time(), begin_workflow()
        text, _ = beginning("ground", state)
        async with story(runtime.stream_writer, "ground", text, began=began) as node_story:
            with node_span("ground", place, has_content=trace_content):
                update = await ground(state, runtime=runtime)
            tell_ending(node_story, "ground", state, update)
        return {**update, "began": began, **({} if place is None else {"traceparent": place})}

    return in_both_ways(run, "ground")


def recording_node(
    agent: Agent, late: Callable[[State], Update] = _no_update, *, trace_content: bool = False
) -> RunnableCallable:
    """The same, but changes made by reading are written too; only for the node that never runs next to another.

    The router after it then reads a state of the present version, and knows whether a person approves each query.
    """

    async def run(state: StoredState, *, runtime: Runtime[Context]) -> Update:
        context = context_of(runtime)
        read, upgraded = _read(state, context)
        now, narrowing = await narrowed_state(read, context)
        update = await _run(agent, now, runtime, late, trace_content=trace_content)
        if "attempts" in upgraded and "attempts" not in narrowing:
            update["attempts"] = Begin(begin=[*upgraded["attempts"], *update.get("attempts", [])])
        return {**without_old_keys(state), **upgraded, **with_narrowed(update, narrowing)}

    return in_both_ways(run, _name_of(agent))


class Router(Runnable[StoredState, Any]):
    """A router of the graph. It needs no thread, and traces don't hold the state that it reads.

    It takes no runtime: LangGraph has none when a state is edited.
    """

    def __init__(self, choose: Callable[[State], str | Sequence[str]], otherwise: str | None = None) -> None:
        """Choose by the state; `otherwise` is for a state that is of another version or can't be read."""
        self.name = str(getattr(choose, "__name__", "route"))
        self._choose, self._otherwise = choose, otherwise

    def invoke(self, input: StoredState, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """The next node, or the next nodes."""
        if self._otherwise is not None and input.get("version") != VERSION:
            return self._otherwise
        # LangGraph adds the node's update to the state: a value that it has removed comes as the mark of the removal.
        stored = cast(StoredState, {name: value for name, value in input.items() if value != BEGIN})
        try:
            return self._chosen(stored)
        except InvalidInput:
            if self._otherwise is None:
                raise
            return self._otherwise

    def _chosen(self, stored: StoredState) -> str | Sequence[str]:
        try:
            return self._choose(_in_this_version(stored, upgrade(stored, NO_CHOICES)))
        except Exception:  # an edited state may lack anything; one that a node has written needs no check
            return self._choose(_read(stored, NO_CHOICES)[0])

    async def ainvoke(self, input: StoredState, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """The same; choosing takes microseconds."""
        return self.invoke(input)


async def _run(
    agent: Agent,
    state: State,
    runtime: Runtime[Context],
    late: Callable[[State], Update] | None = None,
    *,
    trace_content: bool,
) -> Update:
    """Run an agent, within the budget if there is `late`, and tell its story.

    Its update has the SQL that it wrote as `sql` too, for every stream.
    """
    node = str(getattr(agent, "__name__", ""))
    text, sql = beginning(node, state)
    async with story(runtime.stream_writer, node, text, sql=sql, began=state.get("began")) as node_story:
        is_kept = state["choices"]["keep_prompts"]
        spanned = node_span(node, state.get("traceparent"), has_content=trace_content)
        with kept_exchanges(node, is_kept=is_kept) as exchanges, spanned:
            update = await (agent(state) if late is None else within_budget(agent, state, late))
        tell_ending(node_story, node, state, update)
    update = {**update, "exchanges": exchanges} if exchanges else update
    proposal = update.get("proposal")
    return {**update, "sql": proposal["sql"]} if proposal else update


def _name_of(agent: object) -> str:
    return str(getattr(agent, "__name__", type(agent).__name__))


async def _begun(run: Node, state: StoredState, runtime: Runtime[Context]) -> Update:
    return await run(state, runtime=runtime)


def state_of(stored: StoredState) -> State:
    """The state of a run as a thread or a stream gives it, checked and in this version's form.

    Raises:
        InvalidInput: it was edited into another form.
    """
    return _read(stored, NO_CHOICES)[0]


def _read(stored: StoredState, context: Context) -> tuple[State, Update]:
    """The state, checked and in this version's form, and the values that were changed for that."""
    checked = checked_state(stored)
    upgraded = upgrade(checked, context)
    return _in_this_version(checked, upgraded), upgraded


def _in_this_version(stored: StoredState, upgraded: Update) -> State:
    """The state in the present version, with choices that were checked."""
    state = cast(State, {**stored, **upgraded})
    return {**state, "choices": kept_choices(state)}
