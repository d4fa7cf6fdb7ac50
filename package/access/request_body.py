"""Bytes and seconds that the body of a request may take."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from route_sql.access.refusals import Refuse, plain_refusal

BODY_BYTES = 256 * 1024
BODY_SECONDS = 10.0
"""Seconds that a client may take to send a body."""
CLOSE = {"Connection": "close"}
"""A header of each refusal: the rest of the body would be read as the next request."""


@dataclass(frozen=True)
class BoundedBody:
    """Reads the body of a request before it is handled, or refuses it.

    Args:
        app: The application behind it.
        most: Bytes of a body at most.
        seconds: Seconds that it may take to arrive.
        refuse: Makes the answer to a refused request.
    """

    app: ASGIApp
    most: int = BODY_BYTES
    seconds: float = BODY_SECONDS
    refuse: Refuse = plain_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.seconds):
                body = await self._read(scope, receive)
        except TimeoutError:
            late = f"The body took longer than {self.seconds:g} seconds to arrive; send it again."
            await self.refuse(scope, 400, late, CLOSE)(scope, receive, send)
        except _TooLargeError:
            large = f"The body is too large; it may have {self.most} bytes."
            await self.refuse(scope, 413, large, CLOSE)(scope, receive, send)
        else:
            if body is not None:
                await self.app(scope, _again(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None if the client left."""
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self.most:
            raise _TooLargeError
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self.most:
                raise _TooLargeError
            if not message.get("more_body", False):
                return bytes(body)


class _TooLargeError(Exception):
    """A body has too many bytes."""


def _again(body: bytes, receive: Receive) -> Receive:
    """A channel that gives a body that was read already, and then the client's next messages."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return first.pop() if first else await receive()

    return received
