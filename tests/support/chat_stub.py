"""A scripted chat server on loopback: replies are lined up, requests are kept. It runs in its own threads."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from typing import Any

Reply = Callable[["_Handler", "ChatStub"], None]


class ChatStub:
    def __init__(self, port: int = 0, otherwise: Reply | None = None) -> None:
        """`otherwise` is the reply when none is lined up; without it, that is an error."""
        self.otherwise = otherwise or failure(500, "no reply was lined up")
        self.replies: deque[Reply] = deque()
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.models: deque[Reply] = deque()
        """Replies to `GET /v1/models`, the last of them for ever; without any, the server has no such route."""
        self.gets: list[str] = []
        self.hung_up = threading.Event()
        """Set when a client went away from a reply that hangs."""
        self.most_at_once = 0
        self.at_once = 0
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.stub = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def enqueue(self, *replies: Reply) -> None:
        self.replies.extend(replies)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # with the default of 5, a burst of requests is reset


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    is_counted = False

    def do_POST(self) -> None:
        stub: ChatStub = self.server.stub  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.close_connection = True
        with stub.lock:
            stub.bodies.append(body)
            stub.paths.append(self.path)
            stub.keys.append(self.headers.get("Authorization"))
            reply = stub.replies.popleft() if stub.replies else stub.otherwise
            stub.at_once += 1
            self.is_counted = True
            stub.most_at_once = max(stub.most_at_once, stub.at_once)
        try:
            reply(self, stub)
        except (BrokenPipeError, ConnectionResetError):
            stub.hung_up.set()
        finally:
            self._end()

    def _end(self) -> None:
        """Count the request as answered; its client may send the next one as soon as it has the last byte."""
        stub: ChatStub = self.server.stub  # type: ignore[attr-defined]
        with stub.lock:
            stub.at_once -= self.is_counted
            self.is_counted = False

    def do_GET(self) -> None:
        stub: ChatStub = self.server.stub  # type: ignore[attr-defined]
        self.close_connection = True
        with stub.lock:
            stub.gets.append(self.path)
            replies = stub.models
            reply = replies.popleft() if len(replies) > 1 else replies[0] if replies else failure(404, "no such route")
        reply(self, stub)

    def send(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self._end()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def completion(text: str, seconds: float = 0.0, **extra: Any) -> Reply:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    body = {"id": "1", "created": 1, "model": "stub", "system_fingerprint": "", "choices": [choice]} | extra

    def reply(handler: _Handler, stub: ChatStub) -> None:
        time.sleep(seconds)
        handler.send(200, json.dumps(body).encode())

    return reply


def failure(status: int, body: Any, **headers: str) -> Reply:
    return lambda handler, stub: handler.send(status, json.dumps(body).encode(), **headers)


def models(*named: str | dict[str, Any]) -> Reply:
    data = [{"id": name, "object": "model"} if isinstance(name, str) else name for name in named]
    body = json.dumps({"object": "list", "data": data}).encode()
    return lambda handler, stub: handler.send(200, body)


def raw(body: str | bytes, kind: str = "text/html", **headers: str) -> Reply:
    content = body.encode() if isinstance(body, str) else body
    return lambda handler, stub: handler.send(200, content, kind, **headers)


def wire(data: bytes) -> Reply:
    """These bytes, status line and headers included, and then the end of the connection."""

    def reply(handler: _Handler, stub: ChatStub) -> None:
        handler.wfile.write(data)

    return reply


def dripping(*pieces: bytes, seconds: float = 0.0, kind: str = "application/json", **headers: str) -> Reply:
    """A body without a length: the first pieces, then the last one again and again until the client goes away."""

    def reply(handler: _Handler, stub: ChatStub) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Connection", "close")
        handler.end_headers()
        began = time.monotonic()
        for piece in chain(pieces, repeat(pieces[-1])):
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(seconds)
            if time.monotonic() - began > 30:
                return

    return reply


def dropped(handler: _Handler, stub: ChatStub) -> None:
    handler.connection.shutdown(2)


def hanging(handler: _Handler, stub: ChatStub) -> None:
    handler.connection.settimeout(30)
    if handler.connection.recv(1) == b"":
        stub.hung_up.set()


def streamed(*parts: dict[str, Any] | str, end: str = "done") -> Reply:
    """Texts and whole parts as events; `end` is "done", "drop" (no last event) or "hang"."""

    def reply(handler: _Handler, stub: ChatStub) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        if end == "drop":
            handler.send_header("Content-Length", "100000")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for part in parts:
            event = _token(part) if isinstance(part, str) else part
            handler.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            handler.wfile.flush()
        if end == "hang":
            hanging(handler, stub)
        elif end == "done":
            handler.wfile.write(b"data: [DONE]\n\n")

    return reply


def _token(text: str) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": None, "delta": {"role": "assistant", "content": text}}
    return {"id": "1", "created": 1, "model": "stub", "system_fingerprint": "", "choices": [choice]}
