"""A server on the loopback between a peer and the model: it counts calls and tokens, and gives every reply a bound."""

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import Any, Self
from urllib.parse import urlsplit

MOST_TOKENS = 512
"""The bound of a reply for which the peer names none: a small model may repeat itself forever."""


@dataclass(frozen=True)
class Cost:
    """Cost of a question: calls of the model, tokens of prompts that were computed, tokens that were written."""

    calls: int = 0
    computed: int = 0
    written: int = 0


class Meter:
    """The server, as a context manager."""

    def __init__(self, upstream: str, key: str) -> None:
        """Prepare to serve in front of the model server of that address and key."""
        self._lock = threading.Lock()
        self._cost = Cost()
        self.under_way = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, urlsplit(upstream).netloc, key))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def cost_since(self) -> Cost:
        """The cost since the last call."""
        with self._lock:
            cost, self._cost = self._cost, Cost()
        return cost

    def wait(self, seconds: float) -> None:
        """Wait until no reply is being written, so that a peer that was stopped does not slow the next one down."""
        end = monotonic() + seconds
        while self.under_way and monotonic() < end:
            sleep(0.05)

    def started(self) -> None:
        """Count a call."""
        with self._lock:
            self.under_way += 1
            self._cost = replace(self._cost, calls=self._cost.calls + 1)

    def ended(self, computed: int, written: int) -> None:
        """Count its tokens."""
        with self._lock:
            self.under_way -= 1
            cost = self._cost
            self._cost = replace(cost, computed=cost.computed + computed, written=cost.written + written)


def _handler(meter: Meter, upstream: str, key: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Passes a request on, and the reply back as it comes."""

        def do_GET(self) -> None:
            self._pass_on("GET", None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not self.path.endswith("/completions"):
                self._pass_on("POST", body)
                return
            meter.started()
            reply = b""
            try:
                reply = self._pass_on("POST", _bounded(body))
            finally:
                meter.ended(*_tokens(reply))

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def _pass_on(self, method: str, body: bytes | None) -> bytes:
            connection = http.client.HTTPConnection(upstream, timeout=900)
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            connection.request(method, self.path, body, headers)
            response = connection.getresponse()
            self.send_response(response.status)
            self.send_header("Content-Type", response.headers.get("Content-Type", "application/json"))
            self.send_header("Connection", "close")
            self.end_headers()
            read = b""
            try:
                while part := response.read1(65_536):
                    read += part
                    self.wfile.write(part)
                    self.wfile.flush()
            except ConnectionError:  # the peer was stopped; closing the connection stops the model too
                pass
            finally:
                connection.close()
            return read

    return Handler


def _bounded(body: bytes) -> bytes:
    asked = json.loads(body)
    if not asked.get("max_tokens") and not asked.get("max_completion_tokens"):
        asked["max_tokens"] = MOST_TOKENS
    return json.dumps(asked).encode()


def _tokens(reply: bytes) -> tuple[int, int]:
    """Computed and written tokens: llama.cpp says them with the last part of a reply."""
    found = (0, 0)
    for part in _parts(reply):
        if isinstance(timings := part.get("timings"), dict):
            found = (int(timings["prompt_n"]), int(timings["predicted_n"]))
    return found


def _parts(reply: bytes) -> Iterator[dict[str, Any]]:
    for line in reply.decode(errors="replace").splitlines():
        try:
            part = json.loads(line.removeprefix("data:").strip())
        except ValueError:
            continue
        if isinstance(part, dict):
            yield part
