"""LangSmith traces without rows: the inputs and outputs that LangGraph's nodes record."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.callbacks.base import BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.base import BaseTracer
from langgraph.config import get_config
from langgraph.types import TracePolicy
from langsmith.run_helpers import tracing_context
from langsmith.utils import tracing_is_enabled

HIDDEN = ("rows", "exchanges")
"""Keys of the state and of outcomes whose values are left out."""
_SCALARS = (str, int, float, type(None))


def without_rows(value: Any) -> Any:
    """A value in which rows of results and kept prompts are replaced by their number.

    Also for LangSmith's own client, which records the whole run: `Client(hide_inputs=without_rows,
    hide_outputs=without_rows)`.
    """
    if isinstance(value, _SCALARS):  # most of a state; LangGraph calls this at every node, traced or not
        return value
    if isinstance(value, dict):  # before the abstract class, whose check is slow
        return _without_rows_in(value)
    if isinstance(value, list | tuple):
        kept = [without_rows(each) for each in value]
        return kept if any(new is not old for new, old in zip(kept, value, strict=True)) else value
    if isinstance(value, Mapping):
        return _without_rows_in(value)
    return without_rows(artifact) if isinstance(artifact := getattr(value, "artifact", None), Mapping) else value


def _without_rows_in(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The mapping itself if nothing in it is left out; LangGraph then does not record it a second time."""
    changed = {}
    for key, each in value.items():
        if isinstance(each, _SCALARS) and key not in HIDDEN:
            continue
        shown = _left_out(key, each) if key in HIDDEN else without_rows(each)
        if shown is not each:
            changed[key] = shown
    return {**value, **changed} if changed else value


def trace_policy(*, has_content: bool) -> TracePolicy | None:
    """The policy of the nodes; None, which records everything, if content is chosen."""
    return None if has_content else TracePolicy(process_inputs=without_rows, process_outputs=without_rows)


@asynccontextmanager
async def untraced(*, has_content: bool) -> AsyncIterator[RunnableConfig | None]:
    """A config for the call of a tool whose result holds rows: LangSmith does not see it, other callbacks do."""
    manager = get_config().get("callbacks")
    handlers = manager.handlers if isinstance(manager, BaseCallbackManager) else []
    if has_content or not (tracing_is_enabled() or any(isinstance(each, BaseTracer) for each in handlers)):
        yield None
        return
    with tracing_context(enabled=False):
        yield {"callbacks": _without_tracers(manager)} if isinstance(manager, BaseCallbackManager) else None


def _without_tracers(manager: BaseCallbackManager) -> BaseCallbackManager:
    kept = manager.copy()
    for handler in manager.handlers:
        if isinstance(handler, BaseTracer):
            kept.remove_handler(handler)
    return kept


def _left_out(key: str, value: Any) -> Any:
    return f"{len(value)} {key} left out" if isinstance(value, list) and value else value
