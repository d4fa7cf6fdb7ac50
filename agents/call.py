"""One call of a chat model, and its cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables.base import RunnableBindingBase

from route_sql.agents.brief import Wording
from route_sql.tools.shared_prompts import about_database
from route_sql.tools.text import encodable

TEMPERATURE = 0.7
"""Temperature when a reply is sampled."""
LEAST_LOGPROB = -100.0
"""Lowest log-probability: some servers write -9999 or minus infinity for a token that is nearly impossible."""
FOR_PEOPLE = "route-sql:text"
"""Tag of a call whose reply is SQL, which people may watch while it is written."""
FOR_PROGRAMS = "route-sql:internal"
"""Tag of a call whose reply is read by a program alone: a schema link, or a verdict."""
CUT = "length"
"""Finish reason of a reply that ended at its limit of tokens."""


@dataclass(frozen=True)
class Reply:
    """The text of a model's reply and the server's count of tokens (0 where the server does not count)."""

    text: str
    prompt_tokens: int
    cached_tokens: int | None
    """None where the server doesn't say."""
    completion_tokens: int
    seconds: float
    finish_reason: str | None = None
    """Reason for the end of the reply, in OpenAI's words: stop, length; None where the server gives none."""
    logprobs: tuple[float, ...] = ()
    """Natural logarithm of the probability of each token, at most 0; empty where the server doesn't give them."""
    server: str | None = None
    """Host and port of the server that replied, where the client has several."""


def settings_of(model: Any) -> Any:
    """The chat model within one with bound arguments, a config or retries: its settings are there."""
    while isinstance(model, RunnableBindingBase):
        model = model.bound
    return model


def can_sample(model: BaseChatModel) -> bool:
    """Whether a reply can be sampled: the model needs a temperature, which some models refuse."""
    return getattr(settings_of(model), "temperature", None) is not None


async def wording_of(model: BaseChatModel) -> Wording:
    """The wording that a model or its server names as its own; `instruct` for any other model."""
    settings = settings_of(model)
    find = getattr(settings, "find_wording", None)
    wording: Wording = await find() if find is not None else getattr(settings, "wording", None) or "instruct"
    return wording


async def ask_model(
    model: BaseChatModel,
    messages: Sequence[BaseMessage],
    *,
    sample: int | None = None,
    max_tokens: int | None = None,
    tag: str = FOR_PEOPLE,
    database: str | None = None,
) -> Reply:
    """Ask once. Errors of the model or its server are raised: a missing reply is not the model's mistake.

    Args:
        model: The model.
        messages: The conversation.
        sample: Number of a sample. It is drawn at a temperature; if the model has a seed, it is the same each time.
            None asks with the model's own settings.
        max_tokens: Tokens of the reply; None leaves the model's own limit.
        tag: Tag of the call in traces and in LangGraph's stream of messages, which can be filtered by it.
        database: The database that the question is about: calls on one database share the beginning of their prompts.
    """
    started = perf_counter()
    given = {} if sample is None else drawn(model, sample)
    given |= {} if max_tokens is None else {"max_tokens": max_tokens}
    with about_database(database):
        message = await model.ainvoke(list(messages), {"tags": [tag]}, **given)
    return reply_of(message, perf_counter() - started)


def reply_of(message: AIMessage, seconds: float) -> Reply:
    """A message of a chat model as a reply that took some seconds."""
    usage = message.usage_metadata
    return Reply(
        text=encodable(str(message.text)),
        prompt_tokens=usage["input_tokens"] if usage else 0,
        cached_tokens=(usage.get("input_token_details") or {}).get("cache_read") if usage else None,
        completion_tokens=usage["output_tokens"] if usage else 0,
        seconds=seconds,
        finish_reason=_finish_reason(message.response_metadata),
        logprobs=_logprobs(message.response_metadata),
        server=_text(message.response_metadata.get("server")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _finish_reason(metadata: dict[str, Any]) -> str | None:
    """The reason in OpenAI's words, whatever the provider calls it."""
    names = ("finish_reason", "stop_reason", "done_reason")
    reason = next((value for name in names if isinstance(value := metadata.get(name), str)), None)
    return CUT if reason is not None and reason.lower() in ("length", "max_tokens") else reason


def _logprobs(metadata: dict[str, Any]) -> tuple[float, ...]:
    """Log-probabilities in OpenAI's form, checked field by field, since a server may send anything there."""
    given = metadata.get("logprobs")
    tokens = given.get("content") if isinstance(given, dict) else None
    values = [token.get("logprob") for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []
    # A bool is an int too, and NaN differs from itself.
    numbers: list[Any] = [value for value in values if type(value) in (int, float) and value == value]
    return tuple(float(min(0, max(LEAST_LOGPROB, number))) for number in numbers)


def drawn(model: BaseChatModel, sample: int) -> dict[str, Any]:
    """The settings that draw a sample; a model without a seed draws another one each time."""
    seed = {"seed": sample} if hasattr(settings_of(model), "seed") else {}
    return {"temperature": TEMPERATURE, **seed}
