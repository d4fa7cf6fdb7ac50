"""Several samples of a reply by one request, for a model whose server gives more than one completion."""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.runnables.config import ensure_config

from route_sql.agents.call import FOR_PEOPLE, Reply, ask_model, drawn, reply_of
from route_sql.tools.shared_prompts import about_database


def completions_at_once(model: BaseChatModel) -> int:
    """Completions that one request may ask for; 1 for a model that does not say that its server gives more.

    It is 1 for a model with bound arguments or with retries too, which hold for calls of one completion.
    """
    return int(getattr(model, "completions_at_once", 1)) if isinstance(model, BaseChatModel) else 1


async def ask_for_samples(
    model: BaseChatModel,
    messages: Sequence[BaseMessage],
    samples: Sequence[int],
    *,
    max_tokens: int | None = None,
    tag: str = FOR_PEOPLE,
    database: str | None = None,
) -> list[Reply]:
    """Draw samples by one request. A server that can't give several completions gives one.

    Args:
        model: The model; it takes `n` if there are several samples.
        messages: The conversation.
        samples: Numbers of the samples, one after the other: the first is the seed of the request.
        max_tokens: As for `ask_model`.
        tag: As for `ask_model`.
        database: As for `ask_model`.

    Returns:
        The replies, at most one for each sample. The prompt's tokens are counted in the first reply alone, so that
        the sum over all replies is the cost of the request.
    """
    if len(samples) == 1:
        return [await ask_model(model, messages, sample=samples[0], max_tokens=max_tokens, tag=tag, database=database)]
    started = perf_counter()
    given = drawn(model, samples[0]) | ({} if max_tokens is None else {"max_tokens": max_tokens})
    config = ensure_config({"tags": [tag]})
    with about_database(database):
        result = await model.agenerate_prompt(
            [ChatPromptValue(messages=list(messages))],
            callbacks=config.get("callbacks"),
            tags=config.get("tags"),
            metadata=config.get("metadata"),
            n=len(samples),
            stream=False,  # a stream would mix the completions
            **given,
        )
    found = [cast(ChatGeneration, each).message for each in result.generations[0][: len(samples)]]
    replies = [reply_of(message, perf_counter() - started) for message in found if isinstance(message, AIMessage)]
    return _with_own_tokens(replies)


def _with_own_tokens(replies: Sequence[Reply]) -> list[Reply]:
    """The replies with the tokens that each has written, where the log-probabilities tell.

    Some servers count those of one completion only. What the server counts beyond the tokens that it names, such as
    ends of texts, stays with the first reply.
    """
    counted = max((reply.completion_tokens for reply in replies), default=0)
    if not all(reply.logprobs for reply in replies):
        return list(replies)
    lengths = [len(reply.logprobs) for reply in replies]
    unnamed = max(0, counted - sum(lengths))
    return [
        replace(reply, completion_tokens=length + (0 if place else unnamed))
        for place, (reply, length) in enumerate(zip(replies, lengths, strict=True))
    ]
