"""Chat completions from one server: queued and bounded."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2

from route_sql.serving.client.adaptations import Adaptation, adapted, next_adaptation
from route_sql.serving.client.bounds import Allowance, Bounds
from route_sql.serving.client.completion_parts import Part, streamed_part, whole_part
from route_sql.serving.client.failures import BadAnswer, WorthRetrying, explained
from route_sql.serving.client.served_model import NOTHING_SAID, ServedModel, read_served_model
from route_sql.serving.client.sessions import Sessions
from route_sql.serving.client.transport import Response, requested
from route_sql.serving.errors import ContextExceeded, ServerRefused, ServerUnavailable

_END = "[DONE]"
_SPARE_CHARS = 256
_NO_SUCH_ROUTE = {404, 405, 501}


class Completions:
    """A client of one server's `/v1/chat/completions` and `/v1/models`."""

    def __init__(self, base_url: str, api_key: str | None, bounds: Bounds, concurrency: int) -> None:
        """`base_url` with or without `/v1`; on each event loop, requests beyond `concurrency` wait."""
        self.base_url = base_url
        self.root = base_url.rstrip("/").removesuffix("/chat/completions").removesuffix("/v1")
        self._api_key = api_key.strip() if api_key else None
        self._bounds = bounds
        self._sessions = Sessions(base_url, concurrency)
        self._served: ServedModel | None = None
        self._adaptations: dict[str, tuple[Adaptation, ...]] = {}
        """Changes of the request without which a model's server has refused it."""

    async def stream(self, body: dict[str, Any], allowance: Allowance) -> AsyncGenerator[Part]:
        """The completion's parts as they come; the model must be named in the body.

        Raises:
            WorthRetrying: the server is busy, silent or gone.
            ServingError: it refuses.
        """
        changes = self._adaptations.get(body["model"], ())
        delivered = False
        while True:
            try:
                async with aclosing(self._attempt(body, allowance, changes)) as parts:
                    async for part in parts:
                        delivered = True
                        yield part
                return
            except ServerRefused as refusal:
                change = None if delivered else next_adaptation(body, refusal, changes)
                if change is None:
                    raise
                changes = (*changes, change)

    async def _attempt(
        self, body: dict[str, Any], allowance: Allowance, changes: tuple[Adaptation, ...]
    ) -> AsyncGenerator[Part]:
        """The parts, cut at the longest text that `max_tokens` can hold: some servers ignore that setting."""
        most = left = int(body["max_tokens"]) * self._bounds.token_chars + _SPARE_CHARS
        async with (
            self._asked("chat/completions", allowance, adapted(body, changes)) as response,
            aclosing(_parts(response, is_stream=body["stream"])) as parts,
        ):
            async for part in parts:
                self._adaptations[body["model"]] = changes
                part = replace(part, others=tuple(_cut(other, most) for other in part.others))
                yield _cut(part, left)
                left -= part.thought_chars + len(part.text)
                if left < 0:
                    return

    async def served_model(self, allowance: Allowance) -> ServedModel:
        """The model that the server says it has; it is asked until it has answered, or has no such list.

        Any other refusal counts for this call alone: it may be a fault that passes.

        Raises:
            WorthRetrying: the server is busy, silent or gone.
            ServerUnavailable: the allowance is spent.
        """
        async with self._sessions.once():
            if self._served is None:
                try:
                    async with self._asked("models", allowance) as response:
                        self._served = read_served_model(await response.text())
                except (ServerRefused, ContextExceeded) as refusal:  # the completion itself will name the problem
                    if getattr(refusal, "status", None) not in _NO_SUCH_ROUTE:
                        return NOTHING_SAID
                    self._served = NOTHING_SAID
            return self._served

    async def is_alive(self, seconds: float) -> bool:
        """Whether the server answers a short request in time, with anything except an overload.

        A wait in our own queue counts too.
        """
        allowance = Allowance(replace(self._bounds, timeout=seconds, budget=seconds))
        try:
            async with asyncio.timeout(seconds), self._asked("models", allowance):
                return True
        except (WorthRetrying, ServerUnavailable, TimeoutError):
            return False
        except (ServerRefused, ContextExceeded):
            return True

    async def is_full(self) -> bool:
        """Whether a further request would wait in our own queue."""
        return (await self._sessions.of_this_loop())[1].locked()

    async def aclose(self) -> None:
        """Close the session of the running event loop."""
        await self._sessions.aclose()

    @asynccontextmanager
    async def _asked(
        self, route: str, allowance: Allowance, body: dict[str, Any] | None = None
    ) -> AsyncIterator[Response]:
        session, turns = await self._sessions.of_this_loop()
        url = f"{self.root}/v1/{route}"
        # The order matters: a failure is explained after its response is closed, and before the turn is given back.
        async with turns, explained(self.base_url), requested(session, url, self._api_key, allowance, body) as response:
            yield response


def _cut(part: Part, most: int) -> Part:
    """The part cut to this many characters, counting its thinking first."""
    over = part.thought_chars + len(part.text) - most
    if over <= 0:
        return part
    return replace(part, text=part.text[: max(0, len(part.text) - over)], finish_reason="length")


async def _parts(response: Response, *, is_stream: bool) -> AsyncGenerator[Part]:
    """One part for a whole answer, even where a stream was asked for; else one for each event."""
    if not is_stream or response.is_json:
        yield whole_part(await response.text())
        return
    has_ended, seen = False, 0
    async with aclosing(_events(response)) as events:
        async for data in events:
            if data == _END:
                has_ended = True
                break
            part = streamed_part(data)
            has_ended = has_ended or part.finish_reason is not None
            seen += 1
            yield part
    if not seen:
        raise BadAnswer("a stream without an event")
    if not has_ended:
        raise httpx2.RemoteProtocolError("the stream ended before the answer did")


async def _events(response: Response) -> AsyncGenerator[str]:
    """The data of the events, one line each; comments and names are left out."""
    async with aclosing(response.lines()) as lines:
        async for line in lines:
            field, _, data = line.partition(":")
            data = data.strip()
            if field == "data" and data:
                yield data
            elif field == "error" and data:
                yield json.dumps({"error": data}) if data[0] != "{" else f'{{"error": {data}}}'
