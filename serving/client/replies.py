"""Conversion of a server's completion to LangChain's messages, cut at the stops."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk

from route_sql.serving.client.completion_parts import Part


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop; some servers leave the stop in."""
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


class StopCutter:
    """Cuts a stream at the first stop, and holds back text that may be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        """`stops` are non-empty texts; with none, everything passes."""
        self._stops = stops
        self._held = ""
        self._ended = False

    def feed(self, text: str) -> str:
        """Add a piece of the stream; returns the text that is certain."""
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
        """End the stream; returns the text that was held back."""
        held, self._held = self._held, ""
        return cut_at_stop(held, self._stops)


def _open_end(text: str, stops: Sequence[str]) -> int:
    """Length of the longest end of the text with which a stop begins."""
    longest = max((len(stop) for stop in stops), default=1) - 1
    return next(
        (n for n in range(min(longest, len(text)), 0, -1) if any(stop.startswith(text[-n:]) for stop in stops)),
        0,
    )


def metadata_of(part: Part, finish_reason: str | None) -> dict[str, Any]:
    """The server's words about its text; `timings` (milliseconds) only where it measures them."""
    said = {
        "model_name": part.model,
        "finish_reason": finish_reason,
        "timings": part.timings,
        "logprobs": part.logprobs,
        "server": part.server,
    }
    return {key: value for key, value in said.items() if value is not None}


def message_of(part: Part, stops: Sequence[str], *, alternatives: bool = False) -> AIMessage:
    """The message of a whole completion; `alternatives` keeps the likeliest other tokens, if the server gave them."""
    text = cut_at_stop(part.text, stops)
    kept = part if alternatives else replace(part, logprobs=_of_the_tokens(part.logprobs))
    return AIMessage(content=text, usage_metadata=part.usage, response_metadata=metadata_of(kept, part.finish_reason))


def _of_the_tokens(logprobs: Any) -> dict[str, list[dict[str, Any]]] | None:
    """Each token with its log-probability; servers send up to twenty alternatives with it, asked or not."""
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list):
        return None
    named = ("token", "logprob")
    return {"content": [{name: token.get(name) for name in named} for token in tokens if isinstance(token, dict)]}


class StreamedMessage:
    """Gathers the parts of a streamed completion; their counts come with the last chunk."""

    def __init__(self, stops: Sequence[str], *, alternatives: bool = False) -> None:
        """`stops` are cut, wherever the server left them; `alternatives` as for `message_of`."""
        self._alternatives = alternatives
        self._tokens: list[Any] = []
        self._cutter = StopCutter(stops)
        self._finish: str | None = None
        self._last = Part()
        self._usage: UsageMetadata | None = None

    def add(self, part: Part) -> str:
        """The text that this part adds."""
        self._last = part
        self._usage = part.usage or self._usage
        self._finish = part.finish_reason or self._finish
        given = part.logprobs if self._alternatives else _of_the_tokens(part.logprobs)
        tokens = given.get("content") if isinstance(given, dict) else None
        self._tokens += tokens if isinstance(tokens, list) else []
        return self._cutter.feed(part.text)

    def closing(self) -> ChatGenerationChunk:
        """The last chunk: held text, token counts, log-probabilities, why it ended."""
        logprobs = {"content": self._tokens} if self._tokens else None
        chunk = AIMessageChunk(
            content=self._cutter.rest(),
            usage_metadata=self._usage,
            response_metadata=metadata_of(replace(self._last, logprobs=logprobs), self._finish),
            chunk_position="last",
        )
        return ChatGenerationChunk(message=chunk, generation_info={"finish_reason": self._finish})
