"""Prompts and replies of a run, which the state keeps by choice: for reports, for replays and for Studio."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from langchain_core.messages import BaseMessage

from route_sql.agents.call import Reply
from route_sql.graph.state import Exchange, PromptMessage

REPLY_CHARS = 20_000
"""Characters of a reply that are kept, as many as are read; prompts are bounded already."""
_KEPT: ContextVar[tuple[str, list[Exchange]] | None] = ContextVar("route_sql_exchanges", default=None)


@contextmanager
def kept_exchanges(node: str, *, is_kept: bool) -> Iterator[list[Exchange]]:
    """The exchanges of a node in the block, in order; none where they are not kept."""
    exchanges: list[Exchange] = []
    token = _KEPT.set((node, exchanges) if is_kept else None)
    try:
        yield exchanges
    finally:
        _KEPT.reset(token)


def keep(messages: Sequence[BaseMessage], reply: Reply, sample: int | None, *, drawn_with: int | None = None) -> None:
    """Keep one exchange with the model, where exchanges are kept.

    Args:
        messages: The prompt.
        reply: The reply.
        sample: Number of the sample; None for a call with the model's own settings.
        drawn_with: Number of the first sample of the request, where it drew several.
    """
    if (kept := _KEPT.get()) is None:
        return
    node, exchanges = kept
    exchange = Exchange(
        node=node,
        messages=[PromptMessage(role=each.type, content=str(each.text)) for each in messages],
        reply=reply.text[:REPLY_CHARS],
        sample=sample,
        finish_reason=reply.finish_reason,
        logprobs=list(reply.logprobs),
        prompt_tokens=reply.prompt_tokens,
        cached_tokens=reply.cached_tokens,
        completion_tokens=reply.completion_tokens,
        seconds=round(reply.seconds, 3),
    )
    if drawn_with is not None:
        exchange["drawn_with"] = drawn_with
    exchanges.append(exchange)
