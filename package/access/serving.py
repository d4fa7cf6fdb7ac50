"""The start of an HTTP server: its callers, its address, and its access check."""

from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.types import ASGIApp

from route_sql.access.address import Address
from route_sql.access.keys import Callers, read_callers
from route_sql.access.listening import CLOSING_SECONDS, hosts_of, listening, no_notice, require_safe, run_http
from route_sql.printing import say

MakeApp = Callable[[Sequence[str], Sequence[str], Callers], ASGIApp]
"""Makes the application with its access check from allowed hosts, allowed origins and callers."""


async def serve_http(
    make_app: MakeApp,
    place: Address,
    databases: Path,
    path: str = "/",
    *,
    closing: Callable[[], None] = no_notice,
    closing_seconds: float = CLOSING_SECONDS,
) -> None:
    """Serve an application until the process is asked to end.

    Args:
        make_app: Makes the application.
        place: The address.
        databases: The file with the callers, `databases.toml`.
        path: The path that is printed.
        closing: Called when the process is asked to end.
        closing_seconds: Seconds that requests in progress may still take then.

    Raises:
        InvalidInput: the callers can't be read, the address can't be used, or the server would be open to everyone.
    """
    callers = read_callers(databases)
    require_safe(place.host, callers)
    with listening(place.host, place.port) as opened:
        hosts = hosts_of(place.host, opened.getsockname()[1], place.hosts)
        who = f"{len(callers)} callers with keys" if len(callers) else "everyone on this machine"
        say(f"serving http://{hosts[0]}{path} to {who}, until Ctrl-C")
        app = make_app(hosts, place.origins, callers)
        await run_http(app, opened, closing=closing, closing_seconds=closing_seconds)
