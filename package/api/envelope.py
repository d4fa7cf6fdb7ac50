"""The outermost layer of each request: its id, the headers of its answer, a log line, and unexpected exceptions."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from route_sql.access.access_check import CALLER
from route_sql.access.callers import Caller
from route_sql.api.errors import CLOSING, FAILURE, REQUEST_ID, RETRY, SENTENCES, ApiError, error_answer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""Headers of every answer that does not set its own."""
SEND_SECONDS = 60.0
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Served:
    """A request that was answered, as logs and metrics show it."""

    request_id: str
    method: str
    route: str
    """The route's pattern: paths hold names and ids."""
    status: int
    """0 if the client left before the answer began."""
    seconds: float
    caller: str | None
    failure: BaseException | None
    """The exception that caused an error, if the answer does not show it."""


@dataclass(frozen=True)
class Envelope:
    """The outermost part of the app.

    Args:
        app: The application in it.
        served: Called with each request that was answered.
        send_seconds: Seconds that a client may take to read a part of its answer.
    """

    app: ASGIApp
    served: Callable[[Served], None]
    send_seconds: float = SEND_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[REQUEST_ID] = _request_id(scope)
        began, status = monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(message, scope[REQUEST_ID])
            # A client that never reads would keep its connection and its answer open forever.
            async with asyncio.timeout(self.send_seconds):
                await send(message)

        try:
            await self.app(scope, receive, sending)
        except asyncio.CancelledError:
            # The server waits for this request before it ends, but no longer than that.
            if status == 0:
                await error_answer(ApiError(503, CLOSING, RETRY), scope)(scope, receive, sending)
            raise
        except Exception as error:  # the layers above would log its text, which may hold rows
            scope[FAILURE] = error
            if status == 0:
                await error_answer(ApiError(500, SENTENCES[500]), scope)(scope, receive, sending)
        finally:
            self.served(_as_served(scope, status, monotonic() - began))


def _request_id(scope: Scope) -> str:
    """The client's own id if it is harmless in a log, else a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _ID.fullmatch(given) else uuid4().hex


def _complete(message: Message, request_id: str) -> None:
    headers = MutableHeaders(raw=list(message["headers"]))
    for name, value in SAFE_HEADERS.items():
        headers.setdefault(name, value)
    headers["X-Request-ID"] = request_id
    message["headers"] = headers.raw


def _as_served(scope: Scope, status: int, seconds: float) -> Served:
    route: Any = scope.get("route")
    caller: Any = scope.get(CALLER)
    return Served(
        request_id=scope[REQUEST_ID],
        method=scope["method"],
        route=getattr(route, "path", "unmatched"),
        status=status,
        seconds=seconds,
        caller=caller.name if isinstance(caller, Caller) else None,
        failure=scope.get(FAILURE),
    )
