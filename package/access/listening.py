"""Sockets, allowed names, start and end of an HTTP server."""

import signal
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from route_sql.access.connections import PunctualProtocol
from route_sql.access.keys import Callers
from route_sql.tools.errors import InvalidInput

HTTP_PORT, HTTPS_PORT = 80, 443
"""Ports that clients leave out of the headers Host and Origin."""
CLOSING_SECONDS = 5.0
IDLE_SECONDS = 20
"""Seconds that a connection without a whole request's headers stays open."""


def require_safe(host: str, callers: Callers) -> None:
    """Check that a server without keys can only be reached from this machine.

    Raises:
        InvalidInput: it would be reached from elsewhere.
    """
    if not len(callers) and not is_loopback(host):
        raise InvalidInput(
            f"without keys the server listens on loopback only, not on {host}: add [callers.NAME] with a key to "
            "databases.toml, or use --host 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether a server that listens on this host can only be reached from this machine."""
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
        opened.listen()  # the address is printed before the server runs, and a client may be quick
    except OSError as error:
        opened.close()
        raise InvalidInput(f"can't listen on {host}, port {port}: {error.strerror}; choose another --port") from error
    return opened


def hosts_of(host: str, port: int, more: Sequence[str] = ()) -> list[str]:
    """Allowed values of the header Host: the server's own address, loopback's names, and the given ones."""
    names = ["127.0.0.1", "localhost", "[::1]"] if is_loopback(host) else []
    own = f"[{host}]" if ":" in host else host
    bare = [own, *names] if port == HTTP_PORT else []
    return [*(f"{name}:{port}" for name in [own, *names]), *bare, *(each.lower() for each in more)]


def own_origins(hosts: Sequence[str]) -> list[str]:
    """Values of the header Origin that the server's own pages have."""
    ports = {"http": HTTP_PORT, "https": HTTPS_PORT}
    return [f"{scheme}://{host.removesuffix(f':{port}')}" for host in hosts for scheme, port in ports.items()]


class ClosingServer(uvicorn.Server):
    """A server that reports when it is asked to end, and then returns so that its owner can clean up."""

    def __init__(self, config: uvicorn.Config, closing: Callable[[], None]) -> None:
        """Keep a function that is called when the process is asked to end."""
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End in order; by a second signal at once."""
        self._closing()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        # Uvicorn would raise the signal again at the end, before models and databases are closed.
        self.should_exit = True


def no_notice() -> None:
    """Do nothing when the server closes."""


async def run_http(
    app: ASGIApp,
    opened: socket.socket,
    *,
    closing: Callable[[], None] = no_notice,
    closing_seconds: float = CLOSING_SECONDS,
) -> None:
    """Serve on a socket until the process is asked to end.

    Args:
        app: The application.
        opened: The socket, which the caller closes.
        closing: Called when the process is asked to end.
        closing_seconds: Seconds that requests in progress may still take then.
    """
    config = uvicorn.Config(
        app,
        http=PunctualProtocol,
        log_level="warning",
        log_config=None,  # its own handlers would write lines of another form
        access_log=False,
        server_header=False,
        ws="none",
        # Addresses in X-Forwarded-For are whatever a client writes there.
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=max(1, round(closing_seconds)),
    )
    await ClosingServer(config, closing).serve(sockets=[opened])
