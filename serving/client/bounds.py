"""Bounds of one call: its time, its bytes, and the pauses between attempts."""

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from route_sql.serving.client.failures import TimeIsUp, WorthRetrying
from route_sql.serving.errors import ServerUnavailable

T = TypeVar("T")

TIMEOUT_SECONDS = 120.0
"""Seconds of a server's silence that end an attempt."""
BUDGET_SECONDS = 300.0
"""Seconds of a whole call: all attempts and the pauses between them."""
RETRIES = 5
"""Attempts after the first where a connection breaks or a server falls silent."""
RESPONSE_BYTES = 16 * 2**20
"""Bytes of one response, decompressed."""
ERROR_BYTES = 64 * 2**10
"""Bytes of an error response that are read, decompressed."""
TOKEN_CHARS = 32
"""Characters of text for each token that was asked for; no tokenizer needs more on average."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0


@dataclass(frozen=True)
class Bounds:
    """Limits of one call; waiting for its turn in our own queue doesn't count."""

    timeout: float = TIMEOUT_SECONDS
    """Seconds of silence from the server that end an attempt."""
    budget: float = BUDGET_SECONDS
    """Seconds of the whole call, pauses included."""
    retries: int | None = None
    """Attempts after the first; None is `RETRIES`, and for a server that isn't ready as many as the budget allows."""
    response_bytes: int = RESPONSE_BYTES
    error_bytes: int = ERROR_BYTES
    token_chars: int = TOKEN_CHARS


class Allowance:
    """The rest of one call's budget."""

    def __init__(self, bounds: Bounds) -> None:
        """Begin with the whole budget."""
        self.bounds = bounds
        self._spent = 0.0
        self._failures = 0

    async def wait(self, work: Awaitable[T]) -> T:
        """The result of `work`, which is cancelled after a silence or at the end of the budget.

        Raises:
            TimeIsUp: it took too long.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        left = self.bounds.budget - self._spent
        try:
            async with asyncio.timeout(max(0.0, min(self.bounds.timeout, left))) as limit:
                return await work
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeIsUp(None if left > self.bounds.timeout else self.bounds.budget) from error
        finally:
            self._spent += loop.time() - started

    async def pause(self, failure: WorthRetrying) -> None:
        """Wait before the next attempt, as long as the server asks for.

        Raises:
            ServerUnavailable: the failure itself, if there is no other attempt.
        """
        self._failures += 1
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
        # Clients must not all come back at the same moment.
        seconds = max(longest * random.uniform(0.5, 1.0), failure.retry_after)
        if self._may_not_retry(failure) or self._spent + seconds >= self.bounds.budget:
            raise _given_up(failure, self.bounds.budget, seconds) from failure.__cause__
        self._spent += seconds
        await asyncio.sleep(seconds)

    def _may_not_retry(self, failure: WorthRetrying) -> bool:
        if self.bounds.retries is not None:
            return self._failures > self.bounds.retries
        return not failure.is_not_ready and self._failures > RETRIES


def _given_up(failure: WorthRetrying, budget: float, seconds: float) -> ServerUnavailable:
    if failure.retry_after < budget:
        return failure.final
    return ServerUnavailable(
        f"{failure.final} It asks to wait {seconds:.0f} s, but a call may take {budget:.0f} s (budget)."
    )
