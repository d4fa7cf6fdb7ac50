"""A server's failure as an exception: worth a retry, a prompt that is too long, or a refusal."""

import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2

from route_sql.serving.client.too_long import too_long
from route_sql.serving.errors import ServerRefused, ServerUnavailable, ServingError

OVERLOAD = {429, 502, 503, 504}
NOT_READY = {429, 503}
"""Statuses of a server that is busy or still loads its model, and asks for patience."""
SAID_CHARS = 500
"""Characters of a server's words in our messages."""
_BY_TYPE = {"overloaded": 429, "overloaded_error": 503, "unavailable_error": 503, "validation": 422, "generation": 424}
"""The statuses that servers mean by the types of their errors, where they give no number."""
_ADVICE = {
    401: "Check the API key.",
    403: "Check the API key and what it may do.",
    404: "Check the address and the model's name; it must be a server with an OpenAI-compatible chat route.",
}


class ErrorAnswer(Exception):
    """The server answered with an error status."""

    def __init__(self, status: int, body: str, retry_after: str = "", location: str = "") -> None:
        """`body` is the answer's text, whatever its form; the others are headers."""
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        self.retry_after = retry_after
        self.location = location


class BadAnswer(Exception):
    """A successful answer that is not a completion; the message says how it differs."""


class TimeIsUp(Exception):
    """The server took too long: a silence, or the whole call if `budget` is a number of seconds."""

    def __init__(self, budget: float | None) -> None:
        """`budget` is None after a silence."""
        super().__init__("too long")
        self.budget = budget


class WorthRetrying(Exception):
    """An overload, a broken connection or a time-out; `final` is what to raise when patience ends."""

    def __init__(
        self, final: ServerUnavailable, said: str, *, is_not_ready: bool = False, retry_after: float = 0.0
    ) -> None:
        """`said` is the failure without advice; `retry_after` is in seconds, as the server asks.

        `is_not_ready` if the server only asks for patience.
        """
        super().__init__(str(final))
        self.said = said
        self.final = final
        self.is_not_ready = is_not_ready
        self.retry_after = retry_after


@asynccontextmanager
async def explained(url: str) -> AsyncIterator[None]:
    """Turn what the HTTP layers raise into our exceptions, or into `WorthRetrying`."""
    shown = without_password(url)
    try:
        yield
    except ErrorAnswer as answer:
        raise _from_status(shown, answer) from answer
    except BadAnswer as answer:
        raise ServerRefused(f"The model server {shown} sent something that is not a completion: {answer}.") from answer
    except TimeIsUp as error:
        raise _late(shown, error) from error
    except httpx2.TimeoutException as error:
        raise _unavailable(shown, "did not answer in time") from error
    except httpx2.TransportError as error:
        reason = (str(error) or type(error).__name__)[:SAID_CHARS]
        raise _unavailable(shown, f"can't be reached, or closed the connection ({reason})") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        raise ServerRefused(f"The model server {shown} can't be asked: {str(error)[:SAID_CHARS]}") from error
    except ExceptionGroup as errors:  # a port beyond 65535, of the server or its proxy, is found by the connection
        raise ServerRefused(f"The model server {shown} can't be asked: {errors.exceptions[0]}") from errors


def without_password(url: str) -> str:
    """An address that may be printed."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "at an address that can't be read"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def error_of(answer: dict[str, Any]) -> ErrorAnswer | None:
    """The error that an answer or an event holds although the status was a success; None if it holds none."""
    is_error = "error" in (answer.get("object"), answer.get("type"))
    error = answer.get("error") or (answer if is_error else None)
    if not error:
        return None
    said = error if isinstance(error, dict) else {}
    numbers = (said.get("http_status_code"), said.get("code"), said.get("status"), answer.get("code"))
    kinds = (said.get("type"), said.get("error_type"), answer.get("error_type"))
    status = next((number for number in map(_status, numbers) if number), None)
    named = (_BY_TYPE.get(kind.lower()) for kind in kinds if isinstance(kind, str))
    return ErrorAnswer(status or next((number for number in named if number), 500), json.dumps(answer))


def _status(value: object) -> int | None:
    """A status code, as a number or as digits."""
    try:
        number = int(value) if isinstance(value, int | str) else 0
    except ValueError:
        return None
    return number if 400 <= number < 600 else None


def _late(url: str, error: TimeIsUp) -> ServingError | WorthRetrying:
    if error.budget is None:
        return _unavailable(url, "did not answer in time")
    return ServerUnavailable(
        f"The model server {url} did not finish in time: a call may take {error.budget:g} s (budget). "
        "Ask for fewer tokens, or raise the budget."
    )


def _unavailable(url: str, what: str, *, is_not_ready: bool = False, retry_after: float = 0.0) -> WorthRetrying:
    advice = "Check that it runs, and that the address is right."
    final = ServerUnavailable(f"The model server {url} {what}. {advice}")
    return WorthRetrying(final, f"{url} {what}", is_not_ready=is_not_ready, retry_after=retry_after)


def all_failed(failures: Sequence[WorthRetrying]) -> WorthRetrying:
    """The failures of all servers of a call as one; a single one stays as it is."""
    if len(failures) == 1:
        return failures[0]
    said = "; ".join(failure.said for failure in failures)
    advice = "Check that they run, and that the addresses are right."
    return WorthRetrying(
        ServerUnavailable(f"None of the {len(failures)} model servers answered: {said}. {advice}"),
        said,
        is_not_ready=any(failure.is_not_ready for failure in failures),
        retry_after=min(failure.retry_after for failure in failures),
    )


def _from_status(url: str, answer: ErrorAnswer) -> ServingError | WorthRetrying:
    status, error = answer.status, _error(answer.body)
    said = _message(error)
    if 300 <= status < 400:
        where = _words(without_password(answer.location)) if answer.location else "another address"
        return ServerRefused(f"The model server {url} redirects to {where} (HTTP {status}). Give it that address.")
    if status in OVERLOAD:
        what = f"is overloaded or not ready (HTTP {status}: {said})"
        return _unavailable(url, what, is_not_ready=status in NOT_READY, retry_after=_seconds(answer.retry_after))
    exceeded = too_long(url, status, error, said)
    if exceeded is not None:
        return exceeded
    advice = _ADVICE.get(status, "")
    refusal = f"The model server {url} refused (HTTP {status}): {said.rstrip('.')}. {advice}".rstrip()
    return ServerRefused(refusal, status=status, said=said)


def _seconds(retry_after: str) -> float:
    """The header's seconds from now on, given as a number or a date; 0 if it can't be read."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after).astimezone(UTC) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _error(body: str) -> Any:
    """Error in a body: the object or the words, by the form in which it comes."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return (answer.get("error") or answer) if isinstance(answer, dict) else answer


def _message(error: Any) -> str:
    text = error.get("message") or error.get("detail") or error if isinstance(error, dict) else error
    try:
        return _words(text if isinstance(text, str) else json.dumps(text, ensure_ascii=False))
    except (ValueError, RecursionError):  # brackets without end
        return "an error that can't be read"


def _words(text: str) -> str:
    """A server's words in one line of printable characters."""
    text = "".join(letter if letter.isprintable() else " " for letter in text[: 8 * SAID_CHARS])
    return " ".join(text.split())[:SAID_CHARS] or "no reason given"
