"""The server over streamable HTTP, behind its access check."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from route_sql.access.access_check import AccessCheck, caller_in
from route_sql.access.callers import Caller
from route_sql.access.keys import Callers
from route_sql.access.other_pages import OtherPages
from route_sql.access.refusals import plain_refusal
from route_sql.access.request_body import BODY_BYTES, BODY_SECONDS, BoundedBody
from route_sql.tools.errors import InvalidInput

PATH = "/mcp"
SESSIONS = 100
"""Sessions of one caller at most."""
IDLE_SECONDS = 1800.0
SENT = (
    "Authorization",
    "Content-Type",
    "Last-Event-ID",
    "MCP-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Session-Id",
)
"""Headers of the protocol's clients."""
READ = ("Mcp-Session-Id",)
NOBODY = None
"""Name of the caller where there are no keys."""


@dataclass(frozen=True)
class KnownUser:
    """Makes the caller known to the SDK, which keeps a session to the user who began it."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its user."""
        if scope["type"] == "http":
            token = AccessToken(token="", client_id=caller_in(scope).name or "", scopes=[])
            scope["user"] = AuthenticatedUser(token)
        await self.app(scope, receive, send)


def caller_of_request(request: Any) -> Caller:
    """The caller that the access check found.

    Raises:
        InvalidInput: the request did not pass the access check.
    """
    if not isinstance(request, Request):
        raise InvalidInput("the call has no caller")
    return caller_in(request.scope)


def http_app(
    server: MCPServer[Any],
    hosts: Sequence[str],
    origins: Sequence[str],
    callers: Callers,
    body_seconds: float = BODY_SECONDS,
) -> AccessCheck:
    """The server as an ASGI application behind its access check.

    Args:
        server: The server.
        hosts: Values that the header Host may have.
        origins: Values that the header Origin may have.
        callers: Who may call, by key; without any, everyone who reaches the server.
        body_seconds: Seconds that a client may take to send a body.
    """
    apps = {name: _sessions(server) for name in callers.names() or [NOBODY]}
    pages = OtherPages(origins, SENT, READ)
    return AccessCheck(
        pages.open_to(BoundedBody(KnownUser(_together(apps)), seconds=body_seconds)),
        [host.lower() for host in hosts],
        origins,
        callers,
        needs_key=lambda scope: not pages.asks_first(scope),
        refuse=pages.refusals(plain_refusal),
    )


def _sessions(server: MCPServer[Any]) -> Starlette:
    """The sessions of one caller, so that none can use up those of another."""
    return server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=BODY_BYTES,
        max_sessions=SESSIONS,
        session_idle_timeout=IDLE_SECONDS,
        # The access check compares whole values, the SDK's own check compares beginnings; one of them is enough.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )


def _together(apps: Mapping[str | None, Starlette]) -> Starlette:
    """One application that passes each request on to the sessions of its caller."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
        await apps[caller_in(scope).name](scope, receive, send)

    return Starlette(routes=[Mount("/", passed_on)], lifespan=lifespan)
