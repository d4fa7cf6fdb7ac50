"""Answers of a model server that means harm, or is broken, and one call by us or by a careless program."""

import asyncio
import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from safety.trials import End
from support.chat_stub import ChatStub, Reply, completion, dripping, dropped, failure, hanging, raw, streamed, wire

from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.errors import ServingError

EVENTS = "text/event-stream"
JSON = "application/json"
MEGABYTE = 2**20
BUDGET = 5.0
"""Seconds that a call may take here; the default is 300."""
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: "


def event(text: str, **extra: Any) -> bytes:
    """An event of a stream."""
    choice = {"index": 0, "finish_reason": None, "delta": {"content": text}} | extra
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def zipped(megabytes: int, piece: bytes = b" ") -> bytes:
    """So much of one byte, compressed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = piece * MEGABYTE
    return b"".join([*(packer.compress(block) for _ in range(megabytes)), packer.flush()])


def both(name: str, body: str) -> dict[str, tuple[Reply, Reply]]:
    """A body as a whole answer and as an event."""
    return {name: (raw(body, JSON), raw(f"data: {body}\n\n", EVENTS))}


def same(**replies: Reply) -> dict[str, tuple[Reply, Reply]]:
    """Replies that do not depend on how they are asked for."""
    return {name.replace("_", " "): (reply, reply) for name, reply in replies.items()}


def cases() -> Iterator[tuple[str, str, Reply, bool]]:
    """Group, name, the reply, and whether it is asked for as a stream."""
    for group, replies in groups().items():
        for name, (whole, stream) in replies.items():
            yield group, f"{name}, whole", whole, False
            yield group, f"{name}, stream", stream, True


def call(url: str, setting: str, is_stream: bool) -> End:
    """One call, with our bounds or bare: with a client that reads what comes."""
    if setting == "bare":
        return _bare(url, is_stream)
    return asyncio.run(_call(url, is_stream))


async def _call(url: str, is_stream: bool) -> End:
    model = ChatTGI(base_url=url, model="m", budget=BUDGET, timeout=BUDGET, max_retries=0)
    try:
        text = (
            "".join([part.text async for part in model.astream("hi")])
            if is_stream
            else (await model.ainvoke("hi")).text
        )
    except ServingError as error:
        return "refused", str(error)
    finally:
        await model.aclose()
    text.encode()  # fails on a lone surrogate
    longest = model.max_tokens * model.max_token_chars + 256
    return ("answered", f"{len(text)} characters") if len(text) <= longest else ("wrong", f"{len(text)} characters")


def _bare(url: str, is_stream: bool) -> End:
    import httpx2

    asked = {"messages": [{"role": "user", "content": "hi"}], "stream": is_stream}
    with httpx2.stream("POST", f"{url}/v1/chat/completions", json=asked, timeout=60, follow_redirects=True) as answer:
        answer.raise_for_status()
        if not is_stream:
            text = json.loads(answer.read())["choices"][0]["message"]["content"]
        else:
            found = (
                json.loads(line[5:])
                for line in answer.iter_lines()
                if line.startswith("data:") and "[DONE]" not in line
            )
            text = "".join(part["choices"][0]["delta"].get("content") or "" for part in found)
    text.encode()
    return "answered", f"{len(text)} characters"


_NESTED: Any = "x"
for _ in range(900):
    _NESTED = [_NESTED]
_BIG = 16 * MEGABYTE - 100

Replies = dict[str, tuple[Reply, Reply]]


def groups() -> dict[str, Replies]:
    """All replies; made only where they are sent, so that the memory of a call is its own."""
    return {
        "slow": _slow(),
        "bodies without end": _bodies_without_end(),
        "compressed": _compressed(),
        "many or nested things": _many_or_nested_things(),
        "of another shape": _of_another_shape(),
        "HTTP that breaks off": _broken_http(),
    }


def _slow() -> Replies:
    return same(
        nothing_at_all=hanging,
        bytes_of_JSON=dripping(b"{", b" ", seconds=0.4),
        comments=dripping(b": ping\n\n", seconds=0.4, kind=EVENTS),
        empty_events=dripping(event("a"), event(""), seconds=0.4, kind=EVENTS),
        an_endless_line=dripping(b"data: ", b"x", seconds=0.4, kind=EVENTS),
        one_token_each=dripping(event("a"), seconds=0.4, kind=EVENTS),
        many_continues=wire(b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000),
    )


def _bodies_without_end() -> Replies:
    return same(
        JSON_string=dripping(b'{"choices": "', b"x" * MEGABYTE),
        JSON_lists=dripping(b'{"choices": [', b"[]," * 300_000),
        a_line=dripping(b"data: ", b"x" * MEGABYTE, kind=EVENTS),
        comments=dripping(b": x\n" * MEGABYTE, kind=EVENTS),
        empty_lines=dripping(b"\n" * MEGABYTE, kind=EVENTS),
        empty_events=dripping(event("") * 10_000, kind=EVENTS),
        tokens=dripping(event("", delta={"content": "SELECT 1, "}), kind=EVENTS),
        thoughts=dripping(event("", delta={"reasoning_content": "so "}), kind=EVENTS),
        headers=dripping(b"", X_A="x" * 20 * MEGABYTE),
        many_headers=wire(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(20_000)) + b"\r\n{}"),
        error=failure(500, "x" * 50 * MEGABYTE),
        error_that_orders=failure(400, "\u202e\x1b]52;c;AAAA\x07" + "x" * 50 * MEGABYTE),
        error_without_end=wire(b"HTTP/1.1 500 No\r\n\r\n" + b"x" * 80 * MEGABYTE),
    )


def _compressed() -> Replies:
    return same(
        gzip_of_2_GB=raw(zipped(2_000), JSON, Content_Encoding="gzip"),
        gzip_of_2_GB_of_lists=raw(zipped(2_000, b"["), JSON, Content_Encoding="gzip"),
        gzip_stream=raw(zipped(200, b"\n"), EVENTS, Content_Encoding="gzip"),
        gzip_twice=raw(gzip.compress(zipped(200)), JSON, Content_Encoding="gzip, gzip"),
        deflate=raw(zlib.compress(b" " * 100 * MEGABYTE), JSON, Content_Encoding="deflate"),
        data_after_its_end=dripping(gzip.compress(b"{}"), b"x" * MEGABYTE, Content_Encoding="gzip"),
        blocks_of_nothing=dripping(gzip.compress(b"")[:10], b"\0\0\0\xff\xff" * 200_000, Content_Encoding="gzip"),
        no_gzip=raw(b"no gzip", JSON, Content_Encoding="gzip"),
        brotli=raw(b"\0\0\0", JSON, Content_Encoding="br"),
        unknown=raw(b"{}", JSON, Content_Encoding="x" * 10_000),
        error_of_1_GB=lambda handler, stub: handler.send(500, zipped(1_000), Content_Encoding="gzip"),
    )


def _many_or_nested_things() -> Replies:
    return {
        **both("brackets", "[" * 200_000),
        **both("objects", '{"a":' * 200_000),
        **both("brackets in choices", '{"choices": ' + "[" * 5_000 + "]" * 5_000 + "}"),
        **both("lists", '{"choices": [' + "[]," * (_BIG // 3 - 10) + "[]]}"),
        **both("objects in a list", '{"choices": [' + "{}," * (_BIG // 3 - 10) + "{}]}"),
        **both("numbers", '{"choices": [' + "9.5," * (_BIG // 4 - 10) + "1]}"),
        **both("keys", "{" + ",".join(f'"{n}":0' for n in range(1_400_000)) + "}"),
        **both("a long string", '{"choices": [{"message": {"content": "' + "x" * (_BIG - 100) + '"}}]}'),
        **both("escapes", '{"choices": [{"message": {"content": "' + "\\ud800" * (_BIG // 6 - 50) + '"}}]}'),
        **both("choices", '{"choices": [' + '{"index": 1},' * 1_000_000 + '{"index": 1}]}'),
        **both("content in parts", json.dumps({"choices": [{"message": {"content": [{"text": "a"}] * 500_000}}]})),
        **both("timings", json.dumps({"timings": {str(n): n for n in range(500_000)}, "choices": []})),
        "a nested error": (failure(400, {"error": _NESTED}), streamed({"error": {"message": _NESTED}})),
    }


def _of_another_shape() -> Replies:
    return {
        **both("text", '{"choices": "x"}'),
        **both("number", '{"choices": [1]}'),
        **both("content that is a number", '{"choices": [{"message": {"content": 7}, "delta": {"content": 7}}]}'),
        **both("half", '{"choices"'),
        **both("null", "null"),
        **both("a long number", "9" * 100_000),
        **both(
            "infinity",
            '{"usage": {"prompt_tokens": 1e999}, "choices": [{"message": {"content": "a"}}]}',
        ),
        **both("a page", "<html>login</html>"),
        "half a character": (completion("SELECT '\ud800'"), streamed("SELECT '\ud800'")),
        "usage": (completion("a", usage="x"), streamed("a", {"choices": [], "usage": {"prompt_tokens": -1}})),
        "usage of long numbers": (
            completion("a", usage={"prompt_tokens": 10**4000}),
            streamed("a", {"choices": [], "usage": {"completion_tokens": 10**4000}}),
        ),
        "a long name": (
            completion("a", model="x" * MEGABYTE),
            streamed("a", {"choices": [], "model": "\x1b" * MEGABYTE}),
        ),
        "a long finish reason": (
            completion("a", choices=[{"message": {"content": "a"}, "finish_reason": "\x1b" * MEGABYTE}]),
            streamed({"choices": [{"delta": {"content": "a"}, "finish_reason": "x" * MEGABYTE}]}),
        ),
    }


def _broken_http() -> Replies:
    return same(
        dropped=dropped,
        half_a_chunk=wire(CHUNKED + b'application/json\r\n\r\n20\r\n{"choices": [{"message"'),
        a_chunk_of_4_GB=wire(CHUNKED + b"text/event-stream\r\n\r\n5\r\ndata:\r\nffffffff\r\n{"),
        a_long_chunk_size=wire(CHUNKED + b"application/json\r\n\r\n" + b"0" * 10 * MEGABYTE),
        no_chunk=wire(CHUNKED + b"text/event-stream\r\n\r\nzz\r\n"),
        too_short=wire(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}"),
        two_lengths=wire(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}"),
        status_999=wire(b"HTTP/1.1 999 ?\r\n\r\n"),
        another_version=wire(b"HTTP/9.9 200 OK\r\n\r\n"),
        another_protocol=wire(b"SSH-2.0-OpenSSH_9.6\r\n"),
        another_protocol_without_end=wire(b"x" * 30 * MEGABYTE),
        redirect=failure(307, "", Location="http://127.0.0.1:9/v1"),
        redirect_to_nowhere=failure(301, "", Location="http://[::1"),
        redirect_to_a_file=failure(302, "", Location="file:///etc/hostname"),
        retry_after=failure(503, "busy", Retry_After="9" * 400),
        retry_after_a_date=failure(429, "busy", Retry_After="Fri, 31 Dec 9999 23:59:59 GMT"),
        cookies=failure(400, "no", Set_Cookie="a=b; Domain=.; " * 1_000),
    )


def prepared(reply: Reply) -> ChatStub:
    """A server that gives this reply."""
    stub = ChatStub()
    stub.enqueue(reply)
    stub.models.append(failure(404, ""))
    return stub
