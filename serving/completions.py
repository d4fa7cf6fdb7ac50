"""Chat completions from one server: queued, timed, and tried again where that is worth it."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from huggingface_hub import AsyncInferenceClient, ChatCompletionOutput, ChatCompletionStreamOutput

from route_sql.serving.failures import WorthRetrying, explained
from route_sql.serving.sessions import Sessions

CONNECT_SECONDS = 10.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0


@dataclass(frozen=True)
class Patience:
    """How long one call may take; waiting for its turn in our own queue doesn't count."""

    timeout: float
    """Seconds of silence from the server that end an attempt."""
    budget: float
    """Seconds for all attempts and the pauses between them."""
    retries: int


class Completions:
    """A client of one server's `/v1/chat/completions`."""

    def __init__(self, base_url: str, api_key: str | None, patience: Patience, concurrency: int) -> None:
        """`base_url` with or without `/v1`; on each event loop, requests beyond `concurrency` wait."""
        self.base_url = base_url
        self._api_key = api_key
        self._patience = patience
        self._sessions = Sessions(base_url, concurrency)

    async def create(self, body: dict[str, Any]) -> ChatCompletionOutput:
        """The whole completion.

        Raises:
            ServingError: when the server refuses, or patience ends.
        """
        allowance = _Allowance(self._patience)
        while True:
            try:
                async with self._turn(allowance) as client:
                    answer: ChatCompletionOutput = await client.chat_completion(**body, stream=False)
                    return answer
            except WorthRetrying as failure:
                await allowance.pause(failure)

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[ChatCompletionStreamOutput]:
        """The completion's parts as they come; once there was a part, a failure is final.

        Raises:
            ServingError: when the server refuses, or patience ends.
        """
        allowance = _Allowance(self._patience)
        delivered = False
        while True:
            try:
                async with self._turn(allowance) as client:
                    async for part in await client.chat_completion(**body, stream=True):
                        delivered = True
                        yield part
                    return
            except WorthRetrying as failure:
                if delivered:
                    raise failure.final from failure.__cause__
                await allowance.pause(failure)

    async def aclose(self) -> None:
        """Close the session of the running event loop."""
        await self._sessions.aclose()

    @asynccontextmanager
    async def _turn(self, allowance: "_Allowance") -> AsyncIterator["_Call"]:
        session, turns = await self._sessions.here()
        # The order matters: what went wrong is explained before the call closes its response.
        async with (
            turns,
            allowance.running() as seconds,
            _Call(session, self.base_url, self._api_key, seconds) as client,
            explained(self.base_url),
        ):
            yield client


class _Call(AsyncInferenceClient):
    """The hub's client for one call on a shared session: it keeps streams open until it is closed."""

    def __init__(self, session: httpx2.AsyncClient, url: str, api_key: str | None, seconds: float) -> None:
        # Without a key the hub's client would send the user's own hub token to this server.
        super().__init__(base_url=url, api_key=api_key or "-")
        self.timeout = httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))  # type: ignore[assignment]
        self._session = session

    async def _get_async_client(self) -> httpx2.AsyncClient:
        return self._session


class _Allowance:
    """What is left of one call's patience."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._spent = 0.0
        self._failures = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[float]:
        """Count the time in here; gives the seconds that this attempt may take."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            yield max(0.1, min(self._patience.timeout, self._patience.budget - self._spent))
        finally:
            self._spent += loop.time() - started

    async def pause(self, failure: WorthRetrying) -> None:
        """Wait before the next attempt.

        Raises:
            ServerUnavailable: the failure itself, when there is to be no other attempt.
        """
        self._failures += 1
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - 1))
        seconds = longest * random.uniform(0.5, 1.0)  # many clients must not come back at the same moment
        if self._failures > self._patience.retries or self._spent + seconds >= self._patience.budget:
            raise failure.final from failure.__cause__
        self._spent += seconds
        await asyncio.sleep(seconds)
