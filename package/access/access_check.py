"""The check in front of an HTTP application: host, origin, kind of body and key of each request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from route_sql.access.callers import Caller
from route_sql.access.keys import Callers
from route_sql.access.refusals import Refuse, plain_refusal
from route_sql.tools.errors import InvalidInput

CALLER = "route_sql.caller"
"""Key of the ASGI scope that holds the caller after the access check."""


def everything(_: Scope) -> bool:
    """True: each request needs a key."""
    return True


def nothing(_: Scope) -> bool:
    """False: no request may use an unknown host name."""
    return False


@dataclass(frozen=True)
class AccessCheck:
    """Refuses requests from unknown hosts, pages and callers: any web page can send requests to loopback.

    Args:
        app: The application behind it.
        hosts: Values that the header Host may have, in lower case, ports included.
        origins: Values that the header Origin may have; a request without one does not come from a page.
        callers: Who may call, by key; without any, everyone who reaches the server.
        needs_key: Whether a request needs a key, where there are callers.
        any_host: Whether a request may name any host, as health probes do, which know only an address.
        refuse: Makes the answer to a refused request.
    """

    app: ASGIApp
    hosts: Sequence[str]
    origins: Sequence[str] = ()
    callers: Callers = Callers({})
    needs_key: Callable[[Scope], bool] = everything
    any_host: Callable[[Scope], bool] = nothing
    refuse: Refuse = plain_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
            return
        if scope["type"] in ("http", "lifespan"):
            await self.app(scope, receive, send)
        # Our servers have no web sockets; uvicorn closes one that is not accepted.

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """The answer to a refused request; None for an allowed one, whose scope then has the caller."""
        headers = Headers(scope=scope)
        named = [host.lower() for host in headers.getlist("host")]
        if not self.any_host(scope) and named not in [[host] for host in self.hosts]:
            return self.refuse(
                scope, 421, "This name of the server is not allowed; start it with --allow-host NAME.", {}
            )
        if not set(headers.getlist("origin")) <= set(self.origins):
            return self.refuse(
                scope, 403, "Pages of this origin may not call it; start it with --allow-origin ORIGIN.", {}
            )
        if scope["method"] == "POST" and _has_body(headers) and not _is_json(headers):
            return self.refuse(scope, 415, "The body must be JSON: send Content-Type: application/json.", {})
        if not self.needs_key(scope):
            return None
        if (caller := self._caller(headers)) is None:
            wanted = {"WWW-Authenticate": "Bearer"}
            return self.refuse(scope, 401, "A key is needed: send Authorization: Bearer KEY.", wanted)
        scope[CALLER] = caller
        return None

    def _caller(self, headers: Headers) -> Caller | None:
        if not len(self.callers):
            return Caller()
        given = headers.getlist("authorization")
        scheme, _, key = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        return self.callers.of(key.strip()) if scheme.lower() == "bearer" else None


def caller_in(scope: Scope) -> Caller:
    """The caller that the access check found.

    Raises:
        InvalidInput: the request did not pass the access check.
    """
    caller = scope.get(CALLER)
    if not isinstance(caller, Caller):
        raise InvalidInput("the call has no caller")
    return caller


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers or "content-type" in headers


def _is_json(headers: Headers) -> bool:
    kinds = headers.getlist("content-type")
    return len(kinds) == 1 and kinds[0].partition(";")[0].strip().lower() == "application/json"
