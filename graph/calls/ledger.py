"""The ledger: one entry for each model call, with its cost."""

from collections.abc import Sequence

from route_sql.agents.call import CUT, Reply
from route_sql.graph.fields.proposals import TokenScores
from route_sql.graph.state import LedgerEntry, State


def entry(node: str, reply: Reply) -> LedgerEntry:
    """The ledger's entry for a reply."""
    made = LedgerEntry(
        node=node,
        prompt_tokens=reply.prompt_tokens,
        cached_tokens=reply.cached_tokens,
        completion_tokens=reply.completion_tokens,
        seconds=round(reply.seconds, 3),
        finish_reason=reply.finish_reason,
    )
    if reply.server is not None:
        made["server"] = reply.server
    return made


def entry_of_samples(node: str, replies: Sequence[Reply]) -> LedgerEntry:
    """The ledger's entry for one call that gave several replies: one prompt, and all tokens that were written."""
    cached = [reply.cached_tokens for reply in replies if reply.cached_tokens is not None]
    is_cut = any(reply.finish_reason == CUT for reply in replies)
    together = LedgerEntry(
        node=node,
        prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        cached_tokens=sum(cached) if cached else None,
        completion_tokens=sum(reply.completion_tokens for reply in replies),
        seconds=round(max(reply.seconds for reply in replies), 3),
        finish_reason=CUT if is_cut else replies[0].finish_reason,
    )
    if replies[0].server is not None:
        together["server"] = replies[0].server
    return together if len(replies) == 1 else {**together, "completions": len(replies)}


def scores_of(reply: Reply) -> TokenScores | None:
    """The scores of a reply's tokens; None if the server gave no log-probabilities."""
    if not reply.logprobs:
        return None
    return TokenScores(total=round(sum(reply.logprobs), 4), lowest=round(min(reply.logprobs), 4))


def calls_of(node: str, state: State) -> int:
    """Number of a node's calls of the model since the agents started, or started again."""
    calls = state.get("ledger", [])[state.get("earlier_calls", 0) :]
    return sum(call["node"] == node for call in calls)


def cut_replies(ledger: Sequence[LedgerEntry]) -> list[str]:
    """A note if replies ended at their limit of tokens: a model that is cut while it thinks writes no SQL."""
    cut = [call for call in ledger if call.get("finish_reason") == CUT]
    if not cut:
        return []
    longest = max(call["completion_tokens"] for call in cut)
    limit = f" ({longest} tokens)" if longest else ""
    count = f"{len(cut)} of {len(ledger)} replies" if len(ledger) > 1 else "The reply"
    was = "was" if len(cut) == 1 else "were"
    return [
        f"{count} {was} cut at the limit of tokens{limit}. "
        "If the model thinks before it answers, raise the limit: --max-tokens, or max_tokens of the model or context."
    ]
