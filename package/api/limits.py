"""Limits of the API: requests of a caller per minute, and the error for a question too many."""

from dataclasses import dataclass, field
from math import ceil
from time import monotonic

from route_sql.api.errors import CLOSING, RETRY, ApiError

FULL = "Too many questions are waiting; ask again in a moment."


@dataclass
class Rate:
    """Requests of each caller per minute; unused ones of the last minute may come all at once.

    Args:
        per_minute: The number; 0 for no limit.
    """

    per_minute: int
    _left: dict[str | None, tuple[float, float]] = field(default_factory=dict)

    def take(self, caller: str | None) -> None:
        """Count a request.

        Raises:
            ApiError: the caller has sent too many.
        """
        if not self.per_minute:
            return
        now, a_second = monotonic(), self.per_minute / 60
        left, since = self._left.get(caller, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - since) * a_second)
        is_over = left < 1
        self._left[caller] = (left if is_over else left - 1), now
        if is_over:
            again = {"Retry-After": str(ceil((1 - left) / a_second))}
            raise ApiError(429, f"Too many requests: {self.per_minute} a minute are allowed.", again)


def no_slot(is_closing: bool) -> ApiError:
    """The error for a question that gets no turn."""
    return ApiError(503, CLOSING if is_closing else FULL, RETRY)
