"""text-generation-inference's router as a stub: its error bodies, its events, and what it does with each field.

Written after the router of version 3.3. A word of the reply is a token, and so is a word of the prompt.
"""

import json
import time
from typing import Any

from support.chat_stub import ChatStub, _Handler, models

TEXT = "SELECT name, weight FROM pet WHERE weight > 4 AND name LIKE 'R%' ORDER BY weight DESC LIMIT 10"
TOKENS = 2_048
"""`--max-total-tokens`."""
AT_ONCE = 2
"""`--max-concurrent-requests`."""
SECONDS = 0.05
"""Seconds that a reply takes."""
MOST_STOPS = 4


class TgiRouter(ChatStub):
    """The router with one model, whose chat template refuses the system role."""

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        super().__init__(otherwise=_answer)
        self.models.append(models({"id": "route-sql", "object": "model", "created": 0, "owned_by": "route-sql"}))


def _answer(handler: _Handler, stub: ChatStub) -> None:
    body = stub.bodies[-1]  # bodies that come at once are alike in the tests
    time.sleep(SECONDS)
    refusal = _refusal(body, stub)
    if refusal is not None:
        _refuse(handler, body, *refusal)
    elif body.get("stream"):
        _stream(handler, body)
    else:
        _complete(handler, body)


def _refusal(body: dict[str, Any], stub: ChatStub) -> tuple[int, str, str] | None:
    """The status, the sentence and the type of an error."""
    prompt = sum(len(str(message["content"]).split()) for message in body["messages"])
    most = body["max_tokens"]
    if stub.at_once > AT_ONCE:
        return 429, "Model is overloaded", "overloaded"
    if any(message["role"] == "system" for message in body["messages"]):
        said = "Template error: invalid operation: System role not supported (in <string>:1)"
        return 422, said, "template_error"
    if len(body.get("stop") or []) > MOST_STOPS:
        given = len(body["stop"])
        return 422, f"Input validation error: `stop` supports up to 4 stop sequences. Given: {given}", "validation"
    if prompt + most > TOKENS:
        said = f"`inputs` tokens + `max_new_tokens` must be <= {TOKENS}. Given: {prompt} `inputs` tokens and {most}"
        return 422, f"Input validation error: {said} `max_new_tokens`", "validation"
    return None


def _refuse(handler: _Handler, body: dict[str, Any], status: int, said: str, kind: str) -> None:
    """An error; in a stream it is an event after the status of a success."""
    if not body.get("stream"):
        handler.send(status, json.dumps({"error": said, "error_type": kind}).encode())
        return
    _begin(handler)
    _event(handler, {"error": {"message": said, "http_status_code": status}})


def _words(body: dict[str, Any]) -> tuple[list[str], str]:
    """The tokens of the reply and its finish reason; a stop text stays in the reply."""
    text, reason = TEXT, "stop"
    for stop in body.get("stop") or []:
        before, found, _ = text.partition(stop)
        text = before + found
    words = [word if place == 0 else f" {word}" for place, word in enumerate(text.split(" "))]
    if len(words) > body["max_tokens"]:
        words, reason = words[: body["max_tokens"]], "length"
    return words, reason


def _usage(body: dict[str, Any], words: list[str]) -> dict[str, int]:
    prompt = sum(len(str(message["content"]).split()) for message in body["messages"])
    return {"prompt_tokens": prompt, "completion_tokens": len(words), "total_tokens": prompt + len(words)}


def _scores(words: list[str]) -> dict[str, Any]:
    return {"content": [{"token": word, "logprob": -0.25, "top_logprobs": []} for word in words]}


def _complete(handler: _Handler, body: dict[str, Any]) -> None:
    words, reason = _words(body)
    message = {"role": "assistant", "content": "".join(words)}
    scores = _scores(words) if body.get("logprobs") else None
    choice = {"index": 0, "message": message, "logprobs": scores, "finish_reason": reason}
    sent = {"object": "chat.completion", "id": "", "created": 1, "model": "route-sql", "system_fingerprint": "3.3"}
    handler.send(200, json.dumps({**sent, "choices": [choice], "usage": _usage(body, words)}).encode())


def _stream(handler: _Handler, body: dict[str, Any]) -> None:
    words, reason = _words(body)
    _begin(handler)
    sent = {"object": "chat.completion.chunk", "id": "", "created": 1, "model": "route-sql"}
    for place, word in enumerate(words):
        scores = _scores([word]) if body.get("logprobs") else None
        ended = reason if place == len(words) - 1 else None
        delta = {"role": "assistant", "content": word}
        choice = {"index": 0, "delta": delta, "logprobs": scores, "finish_reason": ended}
        _event(handler, {**sent, "choices": [choice], "usage": None})
    if (body.get("stream_options") or {}).get("include_usage"):
        _event(handler, {**sent, "choices": [], "usage": _usage(body, words)})
    handler.wfile.write(b"data: [DONE]\n\n")


def _begin(handler: _Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Connection", "close")
    handler.end_headers()


def _event(handler: _Handler, value: dict[str, Any]) -> None:
    handler.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
    handler.wfile.flush()
