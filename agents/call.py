"""Asking a chat model, and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage


@dataclass(frozen=True)
class Reply:
    """The text of a model's reply and the server's count of tokens (0 where the server does not count)."""

    text: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    seconds: float


async def ask(model: BaseChatModel, messages: Sequence[BaseMessage]) -> Reply:
    """Ask once. What the model or its server raises goes up: a reply that can't be had is not the model's fault."""
    started = perf_counter()
    message = await model.ainvoke(list(messages))
    usage = message.usage_metadata
    return Reply(
        text=str(message.text),
        prompt_tokens=usage["input_tokens"] if usage else 0,
        cached_tokens=(usage.get("input_token_details") or {}).get("cache_read", 0) if usage else 0,
        completion_tokens=usage["output_tokens"] if usage else 0,
        seconds=perf_counter() - started,
    )
