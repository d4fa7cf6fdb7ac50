"""Prompts and replies of a run, kept in the state by choice: for a report, for a replay, and to be read in Studio."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from langchain_core.messages import BaseMessage

from route_sql.agents.call import Reply
from route_sql.graph.state import Exchange, PromptMessage

REPLY_CHARS = 20_000
"""Characters of a reply that are kept, which are those that are read; a prompt is bounded when it is made."""
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


def keep(messages: Sequence[BaseMessage], reply: Reply, sample: int | None) -> None:
    """Keep one exchange with the model, where exchanges are kept."""
    if (kept := _KEPT.get()) is not None:
        node, exchanges = kept
        exchanges.append(
            Exchange(
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
        )
