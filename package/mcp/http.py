"""The server over streamable HTTP, behind its access check."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from route_sql.access.access_check import AccessCheck, caller_in
from route_sql.access.callers import Caller
from route_sql.access.tokens import Callers
from route_sql.tools.errors import InvalidInput

PATH = "/mcp"
BODY_BYTES = 256 * 1024
"""Bytes of a request at most; a question and a query are far smaller."""
SESSIONS = 100
IDLE_SECONDS = 1800.0


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


def http_app(server: MCPServer[Any], hosts: Sequence[str], origins: Sequence[str], callers: Callers) -> AccessCheck:
    """The server as an ASGI application behind its access check."""
    # The access check compares whole values, the SDK's own check compares beginnings; one of them is enough.
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=BODY_BYTES,
        max_sessions=SESSIONS,
        session_idle_timeout=IDLE_SECONDS,
        transport_security=unchecked,
    )
    return AccessCheck(KnownUser(app), [host.lower() for host in hosts], origins, callers)
