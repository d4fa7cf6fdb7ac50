"""Answers to requests that are refused before the application sees them."""

from collections.abc import Callable, Mapping

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Scope

Refuse = Callable[[Scope, int, str, Mapping[str, str]], ASGIApp]
"""Makes the answer to a refused request, from the request, a status, a sentence and headers."""


def plain_refusal(_: Scope, status: int, message: str, headers: Mapping[str, str]) -> Response:
    """An answer with the sentence as its `error`."""
    return JSONResponse({"error": message}, status, headers)
