"""The server over streamable HTTP, behind a door: host, origin, kind of body, token."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import uvicorn
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from route_sql.mcp.callers import Caller
from route_sql.mcp.tokens import Callers
from route_sql.tools.errors import InvalidInput

PATH = "/mcp"
HTTP_PORT = 80
"""The port that clients leave out of the header Host."""
BODY_BYTES = 256 * 1024
"""Bytes of a request at most; a question and a query are far smaller."""
SESSIONS = 100
IDLE_SECONDS = 1800.0
CLOSING_SECONDS = 5
_CALLER = "route_sql.caller"


@dataclass(frozen=True)
class Door:
    """Lets requests in that come from where they should; any web page can send requests to loopback.

    Args:
        app: The application behind it.
        hosts: Values that the header Host may have, ports included.
        origins: Values that the header Origin may have; a request without one does not come from a page.
        callers: Who may call, by token; without any, everyone who reaches the server.
    """

    app: ASGIApp
    hosts: Sequence[str]
    origins: Sequence[str] = ()
    callers: Callers = Callers({})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        """The answer to a request that is not let in; for one that is, the scope gets its caller."""
        headers = Headers(scope=scope)
        if [host.lower() for host in headers.getlist("host")] not in [[host] for host in self.hosts]:
            return _no(421, "This name of the server is not allowed; start it with --allow-host NAME.")
        if not set(headers.getlist("origin")) <= set(self.origins):
            return _no(403, "Pages of this origin may not call the server; start it with --allow-origin ORIGIN.")
        if scope["method"] == "POST" and not _is_json(headers):
            return _no(415, "The body must be JSON: send Content-Type: application/json.")
        caller = self._caller(headers)
        if caller is None:
            return _no(401, "A token is needed: send Authorization: Bearer TOKEN.", **{"WWW-Authenticate": "Bearer"})
        scope[_CALLER] = caller
        # The SDK keeps a session to the user who began it.
        scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=caller.name or "", scopes=[]))
        return None

    def _caller(self, headers: Headers) -> Caller | None:
        if not len(self.callers):
            return Caller()
        given = headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        return self.callers.of(token.strip()) if scheme.lower() == "bearer" else None


def caller_of_request(request: Any) -> Caller:
    """The caller that the door found.

    Raises:
        InvalidInput: the request did not come through the door.
    """
    caller = request.scope.get(_CALLER) if isinstance(request, Request) else None
    if not isinstance(caller, Caller):
        raise InvalidInput("the call has no caller")
    return caller


def http_app(server: MCPServer[Any], hosts: Sequence[str], origins: Sequence[str], callers: Callers) -> Door:
    """The server as an ASGI application behind its door."""
    # The door compares whole values, the SDK's own check compares beginnings; one of them is enough.
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=BODY_BYTES,
        max_sessions=SESSIONS,
        session_idle_timeout=IDLE_SECONDS,
        transport_security=unchecked,
    )
    return Door(app, [host.lower() for host in hosts], origins, callers)


def require_safe(host: str, callers: Callers) -> None:
    """Check that a server without tokens is reached from this machine only.

    Raises:
        InvalidInput: it would be reached from elsewhere.
    """
    if not len(callers) and not is_loopback(host):
        raise InvalidInput(
            f"without tokens the server listens on loopback only, not on {host}: add [callers.NAME] with a token to "
            "databases.toml, or use --host 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is this machine alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InvalidInput: the address can't be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise InvalidInput(f"can't listen on {host}, port {port}: {error.strerror}; choose another --port") from error
    return opened


def hosts_of(host: str, port: int, more: Sequence[str] = ()) -> list[str]:
    """Values of the header Host that a server may be called by: its own address, loopback's names, and the given."""
    names = ["127.0.0.1", "localhost", "[::1]"] if is_loopback(host) else []
    own = f"[{host}]" if ":" in host else host
    bare = [own, *names] if port == HTTP_PORT else []
    return [*(f"{name}:{port}" for name in [own, *names]), *bare, *more]


async def run_http(app: ASGIApp, opened: socket.socket) -> None:
    """Serve on a socket until the process is asked to end."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )
    await uvicorn.Server(config).serve(sockets=[opened])


def _is_json(headers: Headers) -> bool:
    kinds = headers.getlist("content-type")
    return len(kinds) == 1 and kinds[0].partition(";")[0].strip().lower() == "application/json"


def _no(status: int, message: str, **headers: str) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)
