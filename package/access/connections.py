"""Connections to an HTTP server that end when no request begins on them."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class PunctualProtocol(H11Protocol):
    """Closes a connection on which no request has begun in time, whether it is silent or sends byte by byte.

    Uvicorn waits without end for the first request of a connection, and for the rest of any request's headers: clients
    without a token could hold all connections. Of its two protocols this one also bounds the bytes of the headers.
    """

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect the first request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._stop_expecting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Handle what has come; a request that has begun has its own limits."""
        super().handle_events()
        if self._is_answering():
            self._stop_expecting()

    def on_response_complete(self) -> None:
        """Expect the next request, unless it is there already."""
        super().on_response_complete()
        if not self._is_answering() and not self.transport.is_closing():
            self._expect()

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _expect(self) -> None:
        self._stop_expecting()
        self._late = self.loop.call_later(self.timeout_keep_alive, self.transport.close)

    def _stop_expecting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
