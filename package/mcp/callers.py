"""The caller of the call that is being answered."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

from route_sql.access.callers import Caller

CallerOf = Callable[[Any], Caller]
"""Finds the caller by the HTTP request of a call; None over stdio, where there is no request."""

_PRESENT: ContextVar[Caller] = ContextVar("route_sql_mcp_caller")


def owner(_: Any) -> Caller:
    """The caller of a server that only its owner can reach: a child process, or loopback without keys."""
    return Caller()


def present_caller() -> Caller:
    """The caller of the call that is being answered.

    Raises:
        LookupError: no call is being answered. There is no default, since it might widen rights.
    """
    return _PRESENT.get()


def identified(caller_of: CallerOf) -> ServerMiddleware[Any]:
    """A middleware of the server that makes each message's caller known to its handler."""

    async def middleware(ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
        # A session serves many HTTP requests: the rights are those of this one, not of the first.
        token = _PRESENT.set(caller_of(ctx.request))
        try:
            return await call_next(ctx)
        finally:
            _PRESENT.reset(token)

    return middleware
