"""The context of a run's first node.

A graph around ours may be resumed without its context. Then each new question there would have the defaults, which show
everything and ask nobody.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from langgraph._internal._constants import CONFIG_KEY_CHECKPOINTER, CONFIG_KEY_RESUMING, ERROR, INTERRUPT
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_config
from langgraph.runtime import Runtime

from route_sql.graph.context import Context, context_of
from route_sql.graph.threads.surrounding import NoContext
from route_sql.tools.errors import InvalidInput
from route_sql.tools.loop_thread import QUESTIONS

NO_RIGHTS = (
    "the run stopped before its rights were kept: resume it with its context (if it had none, with Context(), or over "
    "HTTP with one field of it, such as the strategy)"
)
LOST = (
    "earlier questions of this thread had the context of the graph around them, and that graph was resumed without it: "
    "resume it with its context (Context() for the defaults)"
)


async def context_of_first(runtime: Runtime[Context]) -> Context:
    """The context of a run's first node, which keeps its rights.

    Raises:
        InvalidInput: as for `context_of`; the run is resumed without a context, before its rights were kept; or the
            graph around it is, and its earlier questions had one.
    """
    configurable = get_config().get("configurable", {})
    is_resumed = isinstance(runtime.context, NoContext)
    if runtime.context is None or is_resumed:
        # LangGraph's mark of a resumed run; a graph around ours may be resumed before ours begins
        is_nested = "|" in str(configurable.get("checkpoint_ns", ""))
        if is_resumed or (not is_nested and configurable.get(CONFIG_KEY_RESUMING)):
            raise InvalidInput(NO_RIGHTS)
        if is_nested and await _is_context_lost(configurable):
            raise InvalidInput(LOST)
    return context_of(runtime)


async def _is_context_lost(configurable: dict[str, Any]) -> bool:
    """Whether the graph around ours was resumed, and an earlier question of its thread had its context."""
    saver, thread = configurable.get(CONFIG_KEY_CHECKPOINTER), {"thread_id": configurable.get("thread_id")}
    if not isinstance(saver, BaseCheckpointSaver):
        return False
    around = _listed(saver, {"configurable": {**thread, "checkpoint_ns": ""}})
    return await _has_stopped(around) and await _had_context(_listed(saver, {"configurable": thread}))


async def _has_stopped(checkpoints: AsyncIterator[Any]) -> bool:
    """Whether the last run of these checkpoints, newest first, has waited for a person or failed."""
    async for each in checkpoints:
        if any(channel in (INTERRUPT, ERROR) for _, channel, _ in each.pending_writes or ()):
            return True
        if each.metadata.get("source") == "input":
            return False
    return False


async def _had_context(checkpoints: AsyncIterator[Any]) -> bool:
    """Whether a question of ours in these checkpoints had the context of the graph around it."""
    async for each in checkpoints:
        choices = each.checkpoint["channel_values"].get("choices")
        if isinstance(choices, dict) and choices.get("surrounded") is True:
            return True
    return False


async def _listed(saver: BaseCheckpointSaver[Any], config: Any) -> AsyncIterator[Any]:
    """A thread's checkpoints. In a call without an event loop the checkpointer may be one that can't be awaited."""
    if QUESTIONS.is_current():
        for each in await asyncio.to_thread(lambda: list(saver.list(config))):
            yield each
    else:
        async for each in saver.alist(config):
            yield each
