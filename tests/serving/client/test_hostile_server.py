"""A model server that means harm, or is broken: a call ends in time, in memory, and in one clear sentence."""

import gzip
import json
import time
import zlib
from typing import Any

import pytest
from support.chat_calls import chat, gathered
from support.chat_stub import (
    ChatStub,
    Reply,
    completion,
    dripping,
    dropped,
    failure,
    raw,
    streamed,
)
from support.hostile import EVENTS, MEGABYTE, event, refused

from route_sql.serving.errors import ServerRefused, ServerUnavailable


def zeros_zipped(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = b" " * MEGABYTE
    return b"".join([*(packer.compress(piece) for _ in range(megabytes)), packer.flush()])


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    "reply",
    [
        dripping(b'{"choices": "', b"x" * MEGABYTE),
        dripping(b"data: ", b"x" * MEGABYTE, kind=EVENTS),
        dripping(b": x\n" * MEGABYTE, kind=EVENTS),
        raw(b"x" * (20 * MEGABYTE)),
        raw(zeros_zipped(200), "application/json", Content_Encoding="gzip"),
        raw(zeros_zipped(200), EVENTS, Content_Encoding="gzip"),
        dripping(zeros_zipped(2), EVENTS.encode(), kind=EVENTS, Content_Encoding="gzip, gzip"),
        dripping(gzip.compress(b" "), b"x" * 5 * MEGABYTE, Content_Encoding="gzip"),
        dripping(gzip.compress(b"")[:10], b"\x00\x00\x00\xff\xff" * 200_000, Content_Encoding="gzip"),
        raw(b"\x00\x00\x00", "application/json", Content_Encoding="br"),
        raw(b"no gzip", "application/json", Content_Encoding="gzip"),
    ],
)
async def test_bytes_are_bounded_after_decompression(stub: ChatStub, reply: Reply, is_stream: bool) -> None:
    stub.enqueue(reply)
    began = time.monotonic()
    error = await refused(chat(stub, max_response_bytes=MEGABYTE), is_stream=is_stream)
    assert isinstance(error, ServerRefused) and time.monotonic() - began < 20


async def test_an_answer_within_its_bytes_may_be_compressed(stub: ChatStub) -> None:
    body = json.dumps({"choices": [{"message": {"content": "SELECT 1"}}]}).encode()
    stub.enqueue(raw(gzip.compress(body), "application/json", Content_Encoding="gzip"))
    assert (await chat(stub).ainvoke("hi")).text == "SELECT 1"


@pytest.mark.parametrize("key", ["content", "reasoning_content"])
async def test_tokens_without_end_are_cut(stub: ChatStub, key: str) -> None:
    stub.enqueue(dripping(event("", delta={key: "SELECT 1, "}), kind=EVENTS))
    texts, whole = await gathered(chat(stub, max_tokens=100))
    assert len(whole.text) <= 100 * 32 + 256
    assert whole.response_metadata["finish_reason"] == "length"
    stub.enqueue(completion("x" * MEGABYTE))
    message = await chat(stub, max_tokens=100).ainvoke("hi")
    assert len(message.text) <= 100 * 32 + 256 and message.response_metadata["finish_reason"] == "length"


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("status", [400, 500, 503, 404])
async def test_the_text_of_an_error_is_bounded(stub: ChatStub, status: int, is_stream: bool) -> None:
    stub.enqueue(failure(status, "\u202e\x1b]52;c;AAAA\x07" + "x" * (50 * MEGABYTE)))
    began = time.monotonic()
    await refused(chat(stub, max_retries=0), is_stream=is_stream)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("usage", ["x", 7, [], {"prompt_tokens": "x"}, {"prompt_tokens": None}, {"prompt_tokens": -1}])
async def test_a_usage_that_is_none(stub: ChatStub, usage: Any) -> None:
    last = {"choices": [], "usage": usage}
    stub.enqueue(completion("SELECT 1", usage=usage, timings="x"), streamed("SELECT 1", last))
    for message in [await chat(stub).ainvoke("hi"), (await gathered(chat(stub)))[1]]:
        assert message.text == "SELECT 1" and message.usage_metadata is None


@pytest.mark.parametrize("count", [-1, 10**30, 1.5, True, None, "9", [9], 99])
async def test_cached_tokens_that_can_not_be(stub: ChatStub, count: Any) -> None:
    usage = {"prompt_tokens": 9.0, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": count}}
    stub.enqueue(completion("hi", usage=usage))
    counts = (await chat(stub).ainvoke("hi")).usage_metadata
    assert counts is not None and counts["input_tokens"] == 9 and "input_token_details" not in counts


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        "[" * 200_000,
        '{"a":' * 200_000,
        '{"choices": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"choices": ' + "[" * 900 + "]" * 900 + "}",
        '{"choices": "x"}',
        '{"choices": [1]}',
        '{"choices": {"0": 1}}',
        '{"choices": [{"message": {"content": 7}, "delta": {"content": 7}}]}',
        '{"choices": [{"message": {"content": {"text": 7}}, "delta": {"content": [7]}}]}',
        '{"choices"',
        "null",
        "9" * 5000,
        "\x00",
        "<html>login</html>",
    ],
)
async def test_a_body_of_another_shape_is_one_sentence(stub: ChatStub, body: str, is_stream: bool) -> None:
    stub.enqueue(raw(f"data: {body}\n\n", EVENTS) if is_stream else raw(body, "application/json"))
    assert stub.url in str(await refused(chat(stub), is_stream=is_stream))


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("value", ["[]", "{}", "9.5", '{"index": 1}'])
async def test_many_small_values_take_no_memory(stub: ChatStub, value: str, is_stream: bool) -> None:
    body = f'{{"choices": [{f"{value}," * 1_000_000}{{}}]}}'
    stub.enqueue(raw(f"data: {body}\n\n", EVENTS) if is_stream else raw(body, "application/json"))
    assert "values" in str(await refused(chat(stub), is_stream=is_stream))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ([{"type": "text", "text": "SELECT "}, {"type": "text", "text": "1"}], "SELECT 1"),
        ("SELECT '\ud800'", "SELECT '\ufffd'"),
        ("SELECT '\ud83d\ude00'", "SELECT '\U0001f600'"),
    ],
)
async def test_content_is_text_that_can_be_written(stub: ChatStub, content: Any, text: str) -> None:
    stub.enqueue(completion(content), streamed({"choices": [{"delta": {"content": content}, "finish_reason": "stop"}]}))
    for message in [await chat(stub).ainvoke("hi"), (await gathered(chat(stub)))[1]]:
        assert message.text == text
        message.text.encode()


async def test_invalid_utf_8_is_replaced(stub: ChatStub) -> None:
    stub.enqueue(raw(b'{"choices": [{"message": {"content": "a\xff"}}], "model": "\xff"}', "application/json"))
    assert (await chat(stub).ainvoke("hi")).text == "a\ufffd"


@pytest.mark.parametrize("depth", [300, 950])
async def test_an_error_that_is_nested(stub: ChatStub, depth: int) -> None:
    nested: Any = "x"
    for _ in range(depth):
        nested = [nested]
    stub.enqueue(failure(400, {"error": {"message": nested, "type": nested, "code": nested}}))
    await refused(chat(stub), is_stream=False)
    stub.enqueue(streamed({"error": {"message": nested, "type": nested, "code": nested}}))
    await refused(chat(stub), is_stream=True)


@pytest.mark.parametrize("reply", [dropped, raw("", EVENTS), raw(": only a comment\n\n", EVENTS)])
async def test_a_stream_without_an_event(stub: ChatStub, reply: Reply) -> None:
    stub.enqueue(reply)
    await refused(chat(stub, max_retries=0), is_stream=True)


async def test_a_stream_that_ends_before_its_answer(stub: ChatStub) -> None:
    stub.enqueue(streamed("SELECT", end="close"))
    assert isinstance(await refused(chat(stub), is_stream=True), ServerUnavailable)


async def test_events_that_are_not_quite_events(stub: ChatStub) -> None:
    last = event("3", finish_reason="stop").rstrip()
    named = b"event: x\r\nid: 1\r\n" + event("1").replace(b"\n", b"\r\n")
    stub.enqueue(raw(named + event("2")[5:].rstrip() + b"\n" + last, EVENTS))
    assert (await gathered(chat(stub)))[1].text == "13"


async def test_a_stream_that_comes_as_a_whole_answer(stub: ChatStub) -> None:
    stub.enqueue(completion("SELECT 1"))
    assert (await gathered(chat(stub)))[1].text == "SELECT 1"


async def test_an_event_of_ten_megabytes_is_cut(stub: ChatStub) -> None:
    stub.enqueue(raw(event("x" * (10 * MEGABYTE)), EVENTS))
    assert len((await gathered(chat(stub)))[1].text) <= 512 * 32 + 256
