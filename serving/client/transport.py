"""One HTTP request to a model server: its response is read in pieces, under the bounds of the call."""

import asyncio
import json
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Protocol

import httpx2

from route_sql.serving.client.bounds import Allowance
from route_sql.serving.client.failures import BadAnswer, ErrorAnswer, TimeIsUp
from route_sql.serving.errors import ServerRefused

CONNECT_SECONDS = 10.0
ERROR_SECONDS = 5.0
"""Seconds after which the text of an error is cut."""
_PLAIN = ("", "identity")
_ZIPPED = ("gzip", "x-gzip", "deflate")


class Response:
    """A successful response; reading it spends the call's allowance."""

    def __init__(self, response: httpx2.Response, allowance: Allowance) -> None:
        """Wrap a response whose body is not read yet."""
        self._response = response
        self._allowance = allowance

    @property
    def is_json(self) -> bool:
        """Whether the server says that the body is one JSON value, not a stream of events."""
        kind: str = self._response.headers.get("content-type", "")
        return kind.lower().partition(";")[0].strip() == "application/json"

    async def text(self) -> str:
        """The whole body.

        Raises:
            BadAnswer: it is larger than the bound, or compressed in a way that can't be bounded.
        """
        most = self._allowance.bounds.response_bytes
        return _decoded(b"".join([piece async for piece in self._pieces(most)]))

    async def lines(self) -> AsyncGenerator[str]:
        """The lines of the body as they come; the last may lack its end.

        Raises:
            BadAnswer: see `text`.
        """
        begun: list[bytes] = []
        async with aclosing(self._pieces(self._allowance.bounds.response_bytes)) as pieces:
            async for piece in pieces:
                *ended, rest = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
                for line in ended:
                    yield _decoded(b"".join([*begun, line]))
                    begun.clear()
                begun.append(rest)
        if any(begun):
            yield _decoded(b"".join(begun))

    async def error_text(self) -> str:
        """The beginning of an error's body, as far as it comes: the status is known, and that is what counts."""
        begun: list[bytes] = []
        with suppress(BadAnswer, TimeIsUp, TimeoutError, httpx2.HTTPError):
            async with (
                asyncio.timeout(ERROR_SECONDS),
                aclosing(self._pieces(self._allowance.bounds.error_bytes, cut=True)) as pieces,
            ):
                async for piece in pieces:
                    begun.append(piece)
        return _decoded(b"".join(begun))

    async def _pieces(self, most: int, *, cut: bool = False) -> AsyncGenerator[bytes]:
        unpacked = _unpacker(self._response.headers.get("content-encoding", ""))
        left = packed = most
        async with aclosing(_raw(self._response)) as raw:
            while (piece := await self._allowance.wait(anext(raw, None))) is not None:
                # One byte more than there may be tells a body that is too large from one that just fits.
                data = unpacked(piece, left + 1)
                packed -= len(piece)  # a block may unpack to nothing, again and again
                if (len(data) > left or packed < 0) and not cut:
                    raise BadAnswer(f"more than {most:,} bytes (max_response_bytes)")
                yield data[:left]
                left -= len(data)
                if left < 0 or packed < 0:
                    return


async def _raw(response: httpx2.Response) -> AsyncGenerator[bytes]:
    async for piece in response.aiter_raw():
        yield piece


@asynccontextmanager
async def requested(
    session: httpx2.AsyncClient, url: str, key: str | None, allowance: Allowance, body: dict[str, Any] | None = None
) -> AsyncIterator[Response]:
    """The response to a POST of `body`, or to a GET; it is closed at the end, however much of it was read.

    Raises:
        ErrorAnswer: the server answered with another status than success.
        TimeIsUp: it did not answer in time.
    """
    if key is not None and not (key.isascii() and key.isprintable()):
        raise ServerRefused("The API key holds characters that no request can carry. Check the API key.")
    # A body that is not compressed can be bounded byte by byte. Without a key, a placeholder keeps out other ones.
    headers = {"Accept-Encoding": "identity", "Authorization": f"Bearer {key or '-'}"}
    method = "GET" if body is None else "POST"
    timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
    content = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    request = session.build_request(method, url, headers=headers, content=content, timeout=timeout)
    response = await allowance.wait(session.send(request, stream=True, auth=None))
    try:
        answer = Response(response, allowance)
        if not response.is_success:
            raise await _error(response, answer)
        yield answer
    finally:
        await response.aclose()


async def _error(response: httpx2.Response, answer: Response) -> ErrorAnswer:
    said, headers = await answer.error_text(), response.headers
    return ErrorAnswer(response.status_code, said, headers.get("retry-after", ""), headers.get("location", ""))


class _Unpack(Protocol):
    def __call__(self, data: bytes, most: int, /) -> bytes: ...


def _unpacker(encoding: str) -> _Unpack:
    """A function that decompresses a piece of a body into at most `most` bytes."""
    name = encoding.strip().lower()
    if name in _PLAIN:
        return lambda data, most: data
    if name not in _ZIPPED:
        raise BadAnswer(f"a body compressed as {name[:40]!r}, which was not asked for")
    inflating = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip and zlib

    def unpack(data: bytes, most: int) -> bytes:
        if inflating.eof:
            raise BadAnswer("a compressed body with more after its end")  # which would be kept
        try:
            return inflating.decompress(data, most)
        except zlib.error as error:
            raise BadAnswer(f"a body that can't be decompressed ({error})") from error

    return unpack


def _decoded(data: bytes) -> str:
    return data.decode("utf-8-sig", errors="replace")
