"""Routes whose bodies may name each field once: of two values nobody could say which one counts."""

import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from route_sql.api.errors import ApiError
from route_sql.tools.text import clean

SHOWN_CHARS = 60


class DistinctNamesRoute(APIRoute):
    """A route that refuses a body in which an object names a field twice.

    Python takes the last value, other readers, such as a proxy with rules, the first: `{"type": "reject", "type":
    "approve"}` is no clear consent.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the check of the names."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def checked(request: Request) -> Response:
            # A body that is no JSON at all has an error of its own.
            with suppress(ValueError, RecursionError):
                json.loads(await request.body(), object_pairs_hook=_require_distinct)
            return await handle(request)

        return checked


def _require_distinct(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise ApiError(400, f"The body names the field {clean(name, SHOWN_CHARS)} twice; send it once.")
        seen.add(name)
