"""Pages of other origins that may call a server: the headers by which a browser lets them send and read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Scope

from route_sql.access.refusals import Refuse

CLOSED_TO_PAGES = (403, 421)
"""Refusals of a page's origin or of the server's name."""


@dataclass(frozen=True)
class OtherPages:
    """Pages of other origins that may call a server."""

    origins: Sequence[str]
    sent: Sequence[str]
    """Names of headers that they may send."""
    read: Sequence[str]
    """Names of headers that they may read."""

    def open_to(self, app: ASGIApp) -> ASGIApp:
        """The app with the headers by which a browser lets these pages read its answers."""
        if not self.origins:
            return app
        return CORSMiddleware(
            app,
            allow_origins=list(self.origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=list(self.sent),
            expose_headers=list(self.read),
        )

    def refusals(self, refuse: Refuse) -> Refuse:
        """Refusals that these pages can read, such as that of a wrong key; to others they stay closed."""

        def refuse_openly(scope: Scope, status: int, message: str, headers: Mapping[str, str]) -> ASGIApp:
            answer = refuse(scope, status, message, headers)
            return answer if status in CLOSED_TO_PAGES else self.open_to(answer)

        return refuse_openly

    def asks_first(self, scope: Scope) -> bool:
        """Whether a browser asks, always without a key, if a page may call. `open_to` answers it before the app."""
        headers = Headers(scope=scope)
        is_asked = "origin" in headers and "access-control-request-method" in headers
        return bool(self.origins) and scope["method"] == "OPTIONS" and is_asked
