"""Asking a chat model, and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

TEMPERATURE = 0.7
"""Of a sample."""


@dataclass(frozen=True)
class Reply:
    """The text of a model's reply and the server's count of tokens (0 where the server does not count)."""

    text: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    seconds: float


def can_sample(model: BaseChatModel) -> bool:
    """Whether a reply may be drawn by chance: only from a model that has a temperature, since some refuse any."""
    return getattr(model, "temperature", None) is not None


async def ask(model: BaseChatModel, messages: Sequence[BaseMessage], *, sample: int | None = None) -> Reply:
    """Ask once. What the model or its server raises goes up: a reply that can't be had is not the model's fault.

    Args:
        model: The model.
        messages: The conversation.
        sample: The number of a sample, which is drawn at a temperature and, if the model has a seed, is the same each
            time; None asks as the model is set.
    """
    started = perf_counter()
    message = await model.ainvoke(list(messages), **({} if sample is None else _drawn(model, sample)))
    usage = message.usage_metadata
    return Reply(
        text=str(message.text),
        prompt_tokens=usage["input_tokens"] if usage else 0,
        cached_tokens=(usage.get("input_token_details") or {}).get("cache_read", 0) if usage else 0,
        completion_tokens=usage["output_tokens"] if usage else 0,
        seconds=perf_counter() - started,
    )


def _drawn(model: BaseChatModel, sample: int) -> dict[str, Any]:
    seed = {"seed": sample} if hasattr(model, "seed") else {}
    return {"temperature": TEMPERATURE, **seed}
