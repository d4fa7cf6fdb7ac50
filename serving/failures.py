"""What a server's failure means: to be tried again, a prompt that is too long, or a refusal."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from huggingface_hub import InferenceTimeoutError
from huggingface_hub.errors import OverloadedError

from route_sql.serving.errors import ContextExceeded, ServerRefused, ServerUnavailable, ServingError

OVERLOAD = {429, 502, 503, 504}
_CONTEXT = re.compile(
    r"max_new_tokens` must be <= (\d+)|`inputs` must have less than (\d+) tokens"
    r"|maximum context length (?:is|of) (\d+)|model's context length \((\d+) tokens\)"
)
_PROMPT = re.compile(
    r"Given: (\d+)|\((\d+) in the messages|has (\d+) input tokens|(\d+) tokens from the input"
    r"|The input \((\d+) tokens\)"
)
_ADVICE = {
    401: "Check the API key.",
    403: "Check the API key and what it may do.",
    404: "Check the address and the model's name; it must be a server with an OpenAI-compatible chat route.",
}


class ErrorAnswer(Exception):
    """The server answered with an error status."""

    def __init__(self, status: int, body: str) -> None:
        """`body` is the answer's text, whatever its form."""
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


class WorthRetrying(Exception):
    """An overload, a broken connection or a time-out; `final` is what to raise when patience ends."""

    def __init__(self, final: ServerUnavailable) -> None:
        """`final` is raised when patience ends."""
        super().__init__(str(final))
        self.final = final


@asynccontextmanager
async def explained(url: str) -> AsyncIterator[None]:
    """Turn what the HTTP layers raise into our exceptions, or into `WorthRetrying`."""
    try:
        yield
    except ErrorAnswer as answer:
        raise _from_status(url, answer.status, answer.body) from answer
    except (InferenceTimeoutError, httpx2.TimeoutException) as error:
        raise _unavailable(url, "did not answer in time") from error
    except httpx2.TransportError as error:
        reason = str(error) or type(error).__name__
        raise _unavailable(url, f"can't be reached, or closed the connection ({reason})") from error
    except OverloadedError as error:
        raise _unavailable(url, f"is overloaded ({error})") from error
    except httpx2.HTTPError as error:  # an error event in the middle of a stream
        raise ServerRefused(f"The model server {url} failed while it answered: {error}") from error
    except ValueError as error:
        raise ServerRefused(f"The model server {url} sent something that is not a completion: {error}") from error


def _unavailable(url: str, what: str) -> WorthRetrying:
    advice = "Check that it runs, and that the address is right."
    return WorthRetrying(ServerUnavailable(f"The model server {url} {what}. {advice}"))


def _from_status(url: str, status: int, body: str) -> ServingError | WorthRetrying:
    said = _message(body)
    if status in OVERLOAD:
        return _unavailable(url, f"is overloaded or not ready (HTTP {status}: {said})")
    too_long = _too_long(url, body, said) if status in {400, 413, 422} else None
    if too_long is not None:
        return too_long
    advice = _ADVICE.get(status, "")
    return ServerRefused(f"The model server {url} refused (HTTP {status}): {said.rstrip('.')}. {advice}".rstrip())


def _error(body: str) -> Any:
    try:
        answer = json.loads(body)
    except ValueError:
        return body
    return answer.get("error", answer) if isinstance(answer, dict) else answer


def _message(body: str) -> str:
    error = _error(body)
    text = error.get("message", error) if isinstance(error, dict) else error
    return " ".join(str(text).split())[:500] or "no reason given"


def _too_long(url: str, body: str, said: str) -> ContextExceeded | None:
    error = _error(body)
    if isinstance(error, dict) and error.get("type") == "exceed_context_size_error":
        prompt, context = error.get("n_prompt_tokens"), error.get("n_ctx")
    elif (found := _CONTEXT.search(said)) is not None:
        prompt, context = _number(_PROMPT.search(said)), _number(found)
    else:
        return None
    return ContextExceeded(
        f"The prompt is longer than the model's context: {said} (server {url}). "
        "Show it fewer tables or shorter notes, or start the server with a larger context.",
        prompt_tokens=prompt,
        context=context,
    )


def _number(found: re.Match[str] | None) -> int | None:
    return None if found is None else next(int(group) for group in found.groups() if group is not None)
