"""Completions as servers send them, checked field by field: a value of a wrong type is left out."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages.ai import InputTokenDetails, UsageMetadata

from route_sql.serving.client.failures import BadAnswer, error_of

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MOST_TOKENS = 10**9
"""The largest credible token count; a larger one is ignored."""
_MOST_VALUES = 500_000
"""Number of values in one JSON text; in memory each takes up to thirty times its bytes."""
_NAME_CHARS = 200
_THOUGHTS = ("reasoning_content", "reasoning")


@dataclass(frozen=True)
class Part:
    """A completion, or one part of a streamed one."""

    text: str = ""
    thought_chars: int = 0
    """Length of the thinking that the server keeps apart from the text."""
    finish_reason: str | None = None
    usage: UsageMetadata | None = None
    model: str | None = None
    timings: dict[str, float] | None = None
    """Milliseconds and counts, where the server measures them."""
    logprobs: Any = None
    others: "tuple[Part, ...]" = ()
    """Further completions of the same request, where several were asked for."""
    server: str | None = None
    """Host and port of the server that wrote it, where there are several."""


def whole_part(body: str) -> Part:
    """The completion that a body holds.

    Raises:
        BadAnswer: it holds none.
        ErrorAnswer: it holds an error instead.
    """
    answer = _object(body)
    choice = _first_choice(answer)
    if choice is None or not isinstance(message := choice.get("message"), dict):
        raise BadAnswer(f"no message in {shown(body)}")
    return replace(_part(answer, choice, message), others=tuple(_other_parts(answer)))


def streamed_part(data: str) -> Part:
    """The part that an event holds.

    Raises:
        BadAnswer: it holds none.
        ErrorAnswer: it holds an error instead.
    """
    answer = _object(data)
    choice = _first_choice(answer)
    delta = (choice or {}).get("delta")
    return _part(answer, choice or {}, delta if isinstance(delta, dict) else {})


def parsed(text: str) -> Any:
    """JSON whose texts can all be written again: a lone surrogate becomes U+FFFD.

    Raises:
        BadAnswer: it is not JSON, nested without end, or made of too many values.
    """
    if text.count(",") > _MOST_VALUES:
        raise BadAnswer(f"more than {_MOST_VALUES:,} values in {shown(text)}")
    try:
        value = json.loads(text)
        # Cleaning copies the whole value; for a large answer that would double the memory.
        return _cleaned(value) if _ESCAPED_SURROGATE.search(text) or _LONE_SURROGATE.search(text) else value
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"no JSON, or JSON that is nested too deep, in {shown(text)}") from error


def shown(text: str) -> str:
    """The beginning of a text, in printable characters."""
    return ascii(text[:100]) if text.strip() else "an empty answer"


def _object(text: str) -> dict[str, Any]:
    answer = parsed(text)
    if not isinstance(answer, dict):
        raise BadAnswer(f"no object in {shown(text)}")
    if (error := error_of(answer)) is not None:
        raise error
    return answer


def _first_choice(answer: dict[str, Any]) -> dict[str, Any] | None:
    """The first choice. None if there is none, as in an event with the usage."""
    choices = answer.get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise BadAnswer("choices that are not a list of objects")
    return next((choice for choice in choices if choice.get("index") in (0, None)), None)


def _other_parts(answer: dict[str, Any]) -> Iterator[Part]:
    """The choices after the first; the request's usage stays with the first."""
    for choice in answer["choices"]:
        message = choice.get("message")
        if choice.get("index") not in (0, None) and isinstance(message, dict):
            yield _part({key: value for key, value in answer.items() if key == "model"}, choice, message)


def _part(answer: dict[str, Any], choice: dict[str, Any], message: dict[str, Any]) -> Part:
    return Part(
        text=_text(message.get("content")),
        thought_chars=max(len(thought) if isinstance(thought := message.get(key), str) else 0 for key in _THOUGHTS),
        finish_reason=_name(choice.get("finish_reason")),
        usage=_usage(answer),
        model=_name(answer.get("model")),
        timings=_timings(answer.get("timings")),
        logprobs=choice.get("logprobs"),
    )


def _text(content: Any) -> str:
    """The text of a message, which may come in blocks."""
    if content is None:
        return ""
    blocks = content if isinstance(content, list) else [content]
    texts = [block.get("text") or "" if isinstance(block, dict) else block for block in blocks]
    if isinstance(content, dict) or not all(isinstance(text, str) for text in texts):
        raise BadAnswer("content that is not text")
    return "".join(texts)


def _usage(answer: dict[str, Any]) -> UsageMetadata | None:
    """The server's token counts, or None where it gives none; `cache_read` tokens were not computed again."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    if prompt is None and completion is None:
        return None
    read, written = prompt or 0, completion or 0
    counts = UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)
    cached = _cached(answer, usage)
    if cached is not None and cached <= read:
        counts["input_token_details"] = InputTokenDetails(cache_read=cached)
    return counts


def _cached(answer: dict[str, Any], usage: dict[str, Any]) -> int | None:
    details, timings = usage.get("prompt_tokens_details"), answer.get("timings")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return _count(timings.get("cache_n")) if cached is None and isinstance(timings, dict) else cached


def _count(value: Any) -> int | None:
    is_whole = _is_number(value) and float(value).is_integer()
    return int(value) if is_whole and 0 <= value <= _MOST_TOKENS else None


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 2**53  # not of nan and inf; `float` and `isfinite` fail on a whole number of 400 digits


def _timings(value: Any) -> dict[str, float] | None:
    if not isinstance(value, dict):
        return None
    return {key: number for key, number in value.items() if _is_number(number)}


def _name(value: Any) -> str | None:
    return value[:_NAME_CHARS] if isinstance(value, str) and value else None


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(each) for key, each in value.items()}
    return value
