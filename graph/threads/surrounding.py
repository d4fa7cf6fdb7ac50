"""The context of the graph around ours, for a call in one of its nodes that names a thread of its own.

LangGraph gives a graph that is called in a node the context of the graph around it, but not if the call names a thread:
`graph.ainvoke(question, {"configurable": {"thread_id": "1"}})`. Its rights and its approval would be lost. A chain of
the caller's that names the thread loses them before our graph is called: there the caller must give the context.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from typing import Any

from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import get_runtime
from langgraph.types import Command

from route_sql.graph.context import Context, context_of, read_context
from route_sql.tools.errors import InvalidInput

_KEPT: ContextVar[Any] = ContextVar("kept", default=None)
"""LangGraph's runtime of the graph around a tool of ours."""


@contextmanager
def surrounding_kept() -> Iterator[None]:
    """Keep the context around this block for our graphs in it; a thread that LangChain's config names would drop it."""
    token = _KEPT.set(_runtime())
    try:
        yield
    finally:
        _KEPT.reset(token)


class SurroundingContext(Context):
    """A context that was not given to our graph but taken from the graph around it."""


class NoContext(Context):
    """The context of a run that is resumed without one. LangGraph marks such a run only after its first step."""


class InnerGraph(CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled graph that takes the context around it, whatever thread a call of the graph itself names."""

    def stream(self, *given: Any, context: Any = None, **named: Any) -> Any:
        """Stream as LangGraph does; `invoke` and `batch` use this too."""
        return super().stream(*given, context=self._context_of_call(context, _input(given, named)), **named)

    def astream(self, *given: Any, context: Any = None, **named: Any) -> Any:
        """Stream as LangGraph does; `ainvoke`, `abatch` and events use this too."""
        return super().astream(*given, context=self._context_of_call(context, _input(given, named)), **named)

    def _context_of_call(self, given: Any, asked: Any) -> Any:
        """The context of a call of this graph.

        Raises:
            InvalidInput: it lets a person be asked, and this graph keeps no run until the answer comes.
        """
        is_resumed = asked is None or isinstance(asked, Command)
        # LangGraph's server gives an empty context where its client has given none
        chosen = _chosen(None if is_resumed and given == {} else given)
        if chosen is None and is_resumed:
            return NoContext()
        if self.checkpointer is False and isinstance(chosen, Context) and (chosen.approve or chosen.clarify):
            raise InvalidInput(
                "approve and clarify need a checkpointer, and this graph was compiled with checkpointer=False: leave "
                "it out, so that the graph uses the checkpointer of the graph around it"
            )
        return chosen


def as_inner(compiled: CompiledStateGraph[Any, Any, Any, Any]) -> Any:
    """The compiled graph as an `InnerGraph`, since LangGraph's `compile` makes no other class."""
    compiled.__class__ = InnerGraph
    return compiled


def _input(given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The input of a call."""
    return given[0] if given else named.get("input")


def _chosen(given: Any) -> Any:
    """The context of a call: the given one, or the one around it. LangGraph's error for a mapping would be a TypeError.

    Raises:
        InvalidInput: a mapping has other fields than a context.
    """
    if given is None:
        return _around()
    return read_context(given) if isinstance(given, Mapping) else given


def _around() -> Context | None:
    """The context around this call; None if there is no graph around it, or if that has none.

    Raises:
        InvalidInput: it is of another kind, and holds none of ours.
    """
    runtime = _runtime()
    if runtime is None or isinstance(runtime.context, NoContext):
        return None
    return _marked(context_of(runtime))


def _marked(context: Context) -> SurroundingContext:
    return SurroundingContext(**{each.name: getattr(context, each.name) for each in fields(Context)})


def _runtime() -> Any:
    """The runtime around this call that has a context; None if there is none."""
    try:
        runtime: Any = get_runtime()
    except (KeyError, RuntimeError):  # no graph around this call, or the config of the call hides it
        return _KEPT.get()
    return _KEPT.get() if getattr(runtime, "context", None) is None else runtime
