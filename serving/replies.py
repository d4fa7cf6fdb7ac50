"""From a server's completion to LangChain's messages, and where the text ends."""

from collections.abc import Sequence
from typing import Any

from huggingface_hub import ChatCompletionOutput, ChatCompletionStreamOutput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGenerationChunk

from route_sql.serving.errors import ServerRefused

Answer = ChatCompletionOutput | ChatCompletionStreamOutput


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop; some servers leave the stop in."""
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


class StopCutter:
    """Cuts a stream at the first stop, and holds back what may yet turn out to be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        """`stops` are non-empty texts; with none, everything passes."""
        self._stops = stops
        self._held = ""
        self._ended = False

    def feed(self, text: str) -> str:
        """What may be shown now that `text` has come."""
        if self._ended:
            return ""
        text = self._held + text
        certain = len(text) - _open_end(text, self._stops)
        shown = cut_at_stop(text, self._stops)
        # A stop within what may become an earlier, longer one must wait for it.
        self._ended = len(shown) < len(text) and len(shown) <= certain
        self._held = "" if self._ended else text[certain:]
        return shown if self._ended else text[:certain]

    def rest(self) -> str:
        """What was held back when the stream ended."""
        held, self._held = self._held, ""
        return cut_at_stop(held, self._stops)


def _open_end(text: str, stops: Sequence[str]) -> int:
    """Length of the longest end of the text with which a stop begins."""
    longest = max((len(stop) for stop in stops), default=1) - 1
    return next(
        (n for n in range(min(longest, len(text)), 0, -1) if any(stop.startswith(text[-n:]) for stop in stops)),
        0,
    )


def usage_of(answer: Answer) -> UsageMetadata | None:
    """The server's token counts, or None where it gives none; `cache_read` tokens were not computed again."""
    usage = answer.usage  # as a key it would lack what the hub's types don't know
    if not usage:
        return None
    prompt, completion = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    counts = UsageMetadata(input_tokens=prompt, output_tokens=completion, total_tokens=prompt + completion)
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    if cached is None:
        cached = (answer.get("timings") or {}).get("cache_n")
    if cached is not None:
        counts["input_token_details"] = InputTokenDetails(cache_read=int(cached))
    return counts


def metadata_of(answer: Answer, finish_reason: str | None, logprobs: Any = None) -> dict[str, Any]:
    """What the server says beside the text; `timings` (milliseconds) only where it measures them."""
    told = {
        "model_name": answer.get("model"),
        "finish_reason": finish_reason,
        "timings": answer.get("timings"),
        "logprobs": logprobs,
    }
    return {key: value for key, value in told.items() if value is not None}


def message_of(answer: ChatCompletionOutput, stops: Sequence[str], url: str) -> AIMessage:
    """The message of a whole completion.

    Raises:
        ServerRefused: the answer holds no message.
    """
    choices = answer.get("choices") or []
    message = choices[0].get("message") if choices else None
    if message is None:
        raise ServerRefused(f"The model server {url} answered without a completion: {str(dict(answer))[:300]}")
    metadata = metadata_of(answer, choices[0].get("finish_reason"), choices[0].get("logprobs"))
    text = cut_at_stop(message.get("content") or "", stops)
    return AIMessage(content=text, usage_metadata=usage_of(answer), response_metadata=metadata)


class StreamedMessage:
    """Gathers the parts of a streamed completion; what they tell together comes with the last chunk."""

    def __init__(self, stops: Sequence[str]) -> None:
        """`stops` are cut, wherever the server left them."""
        self._cutter = StopCutter(stops)
        self._finish: str | None = None
        self._last: ChatCompletionStreamOutput | None = None
        self._usage: UsageMetadata | None = None

    def add(self, part: ChatCompletionStreamOutput) -> str:
        """The text that this part adds."""
        self._last = part
        self._usage = usage_of(part) or self._usage
        choices = part.get("choices") or []
        if not choices:
            return ""
        self._finish = choices[0].get("finish_reason") or self._finish
        return self._cutter.feed((choices[0].get("delta") or {}).get("content") or "")

    def closing(self) -> ChatGenerationChunk:
        """The last chunk: held text, token counts, why it ended."""
        metadata = metadata_of(self._last, self._finish) if self._last is not None else {}
        chunk = AIMessageChunk(
            content=self._cutter.rest(),
            usage_metadata=self._usage,
            response_metadata=metadata,
            chunk_position="last",
        )
        return ChatGenerationChunk(message=chunk, generation_info={"finish_reason": self._finish})
