"""The choices of a server for one caller: the caller's rights narrow those of the server."""

from dataclasses import dataclass, fields
from typing import Any

from route_sql.access.callers import Caller
from route_sql.graph.context import Context
from route_sql.tools.schema.rights.visibility import Visibility


@dataclass(frozen=True)
class CallersContext(Context):
    """A server's choices; `allow` and `hide` are the server's own, and the caller's rights narrow them."""

    of_caller: Visibility = Visibility()

    @property
    def rights(self) -> Visibility:
        """Tables and columns that both the server and the caller show."""
        return super().rights.narrowed(self.of_caller)


def rights_of_caller(caller: Caller, own: Context) -> Visibility:
    """Tables and columns that a caller may see under a server's own choices."""
    return own.rights.narrowed(caller.rights)


def context_of_caller(caller: Caller, own: Context, **chosen: Any) -> CallersContext:
    """The server's choices with those that the caller has chosen, under the rights of both."""
    kept = {each.name: getattr(own, each.name) for each in fields(Context)}
    return CallersContext(**{**kept, **chosen, "asked_by": caller.name}, of_caller=caller.rights)
