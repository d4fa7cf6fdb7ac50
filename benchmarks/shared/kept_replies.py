"""A chat model whose replies are kept in a file: the same prompt with the same seed is not asked again.

Runs that differ only in what comes after the first agents share their replies, and a run can be made again from the
file without a model.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, messages_to_dict
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from route_sql.agents.brief import Wording
from route_sql.agents.call import wording_of
from route_sql.agents.samples import completions_at_once
from route_sql.training.errors import EvaluationError

DRAWING = ("temperature", "seed", "max_tokens", "n")
"""Settings of a call on which its reply depends."""
TRAITS = ("temperature", "seed", "calibration")
"""Traits of a model that the graph reads."""
_SPARED: ContextVar[list[float] | None] = ContextVar("spared", default=None)


@contextmanager
def spared_seconds() -> Iterator[list[float]]:
    """The seconds of replies in the block that came from the file, as the model once needed for them."""
    spared: list[float] = []
    token = _SPARED.set(spared)
    try:
        yield spared
    finally:
        _SPARED.reset(token)


class KeptReplies(BaseChatModel):
    """Replies of a file, and of a model those that the file lacks."""

    inner: BaseChatModel | None
    """The model; None to ask for nothing new."""
    file: Path
    """JSON Lines: the model's traits, then one line for each call."""
    completions_at_once: int = 1
    wording: Wording = "tuned"
    temperature: float | None = None
    seed: int = 0
    calibration: dict[str, Any] | None = None
    _known: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def _llm_type(self) -> str:
        return "kept-replies"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError("use ainvoke")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        key = _key(messages, kwargs)
        if (known := self._known.get(key)) is None:
            known = await self._ask(key, messages, kwargs)
        elif (spared := _SPARED.get()) is not None:
            spared.append(known["seconds"])
        if len(known["replies"]) < kwargs.get("n", 1):
            self.completions_at_once = 1
        return ChatResult(generations=[_generation(each) for each in known["replies"]])

    async def _ask(self, key: str, messages: list[BaseMessage], settings: Mapping[str, Any]) -> Any:
        if self.inner is None:
            raise EvaluationError(f"{self.file} lacks a reply; run again with a model, without --replay")
        began = perf_counter()
        result = await self.inner._agenerate(messages, **{**settings, "stream": False})
        replies = [_plain(each.message) for each in result.generations if isinstance(each.message, AIMessage)]
        line = {"key": key, "replies": replies, "seconds": _seconds(replies, perf_counter() - began)}
        self._known[key] = line
        await asyncio.to_thread(_append, self.file, line)
        return line


async def with_kept_replies(inner: BaseChatModel | None, file: Path) -> KeptReplies:
    """The model with the replies of a file; None for the file alone.

    Raises:
        EvaluationError: the file is missing and there is no model, or it is of another model.
    """
    lines = _read(file)
    if inner is None and not lines:
        raise EvaluationError(f"{file} holds no replies; run once with a model")
    traits = lines[0] if inner is None else await _traits(inner)
    if not lines:
        _append(file, traits)
    elif lines[0] != traits:
        raise EvaluationError(f"{file} holds the replies of another model; name another file")
    model = KeptReplies(inner=inner, file=file, **traits)
    model._known.update({line["key"]: line for line in lines[1:]})
    return model


async def _traits(inner: BaseChatModel) -> dict[str, Any]:
    kept = {name: getattr(inner, name) for name in TRAITS if getattr(inner, name, None) is not None}
    at_once = completions_at_once(inner)
    found: dict[str, Any] = {**kept, "wording": await wording_of(inner), "completions_at_once": at_once}
    return dict(json.loads(json.dumps(found)))


def _key(messages: list[BaseMessage], settings: Mapping[str, Any]) -> str:
    asked = [(each.type, str(each.content)) for each in messages]
    drawn = {name: settings[name] for name in DRAWING if settings.get(name) is not None}
    return sha256(json.dumps([asked, drawn], sort_keys=True).encode()).hexdigest()


def _plain(message: AIMessage) -> dict[str, Any]:
    data: dict[str, Any] = messages_to_dict([message])[0]["data"]
    return {name: data.get(name) for name in ("content", "usage_metadata", "response_metadata")}


def _generation(reply: Mapping[str, Any]) -> ChatGeneration:
    usage, metadata = reply["usage_metadata"], reply["response_metadata"] or {}
    return ChatGeneration(message=AIMessage(reply["content"], usage_metadata=usage, response_metadata=metadata))


def _seconds(replies: list[dict[str, Any]], waited: float) -> float:
    """The server's own time where it tells it, since a call may have waited in a queue behind others."""
    timings = (replies[0]["response_metadata"] or {}).get("timings") if replies else None
    known = [timings[name] for name in ("prompt_ms", "predicted_ms") if name in timings] if timings else []
    return round(sum(known) / 1000, 3) if len(known) == 2 else round(waited, 3)


def _append(file: Path, line: Mapping[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")


def _read(file: Path) -> list[Any]:
    """The lines of a file; one that was cut off is dropped from it."""
    if not file.exists():
        return []
    data = file.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        file.write_bytes(whole)
    return [json.loads(line) for line in whole.splitlines()]
