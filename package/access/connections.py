"""Connections to an HTTP server that end when no request begins on them, or when their client reads nothing."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

UNREAD_SECONDS = 60.0
"""Seconds that a client may read nothing of an answer."""
FLUSH_SECONDS = 5.0
"""Seconds that a connection which ends may still take for its last bytes."""


class PunctualProtocol(H11Protocol):
    """Closes a connection on which no request has begun in time, whether it is silent or sends byte by byte.

    Uvicorn waits without end for the first request of a connection, and for the rest of any request's headers: clients
    without a key could hold all connections. So could clients that read nothing: a transport closes only when all is
    read. Of uvicorn's two protocols this one also bounds the bytes of the headers.
    """

    unread_seconds = UNREAD_SECONDS
    flush_seconds = FLUSH_SECONDS
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect the first request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._stop_expecting()
        self._stop_waiting_for_reader()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Expect the client to read: the buffer is full."""
        super().pause_writing()
        self._stop_waiting_for_reader()
        self._unread = self.loop.call_later(self.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        self._stop_waiting_for_reader()
        super().resume_writing()

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
        self._late = self.loop.call_later(self.timeout_keep_alive, self._end)

    def _end(self) -> None:
        self.transport.close()
        self._stop_waiting_for_reader()
        self._unread = self.loop.call_later(self.flush_seconds, self.transport.abort)

    def _stop_waiting_for_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _stop_expecting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
