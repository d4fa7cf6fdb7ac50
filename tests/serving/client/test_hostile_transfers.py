"""A transfer that never ends, breaks its protocol, or points elsewhere: the call ends in one clear sentence."""

import asyncio
import re
import time
from typing import Any

import pytest
from support.chat_calls import chat, gathered
from support.chat_stub import (
    ChatStub,
    Reply,
    completion,
    dripping,
    failure,
    hanging,
    streamed,
    wire,
)
from support.hostile import EVENTS, MEGABYTE, event, refused

from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.errors import ServerRefused, ServerUnavailable

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: "


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    "reply",
    [
        dripping(b"{", b" ", seconds=0.1),
        dripping(b": ping\n\n", seconds=0.1, kind=EVENTS),
        dripping(event("a"), event(""), seconds=0.1, kind=EVENTS),
        dripping(b"data: ", b"x", seconds=0.1, kind=EVENTS),
    ],
)
async def test_a_server_that_drips_ends_with_the_budget(stub: ChatStub, reply: Reply, is_stream: bool) -> None:
    stub.enqueue(reply)
    began = time.monotonic()
    error = await refused(chat(stub, budget=1.0), is_stream=is_stream)
    assert time.monotonic() - began < 3
    assert isinstance(error, ServerUnavailable) and "budget" in str(error)


async def test_a_slow_consumer_is_not_a_slow_server(stub: ChatStub) -> None:
    stub.enqueue(streamed("a", "b", "c"))
    texts = []
    async for chunk in chat(stub, budget=0.8).astream("hi"):
        texts.append(chunk.text)
        await asyncio.sleep(0.4)
    assert "".join(texts) == "abc"


async def test_a_cookie_is_not_sent_back(stub: ChatStub) -> None:
    sent: list[str | None] = []

    def with_cookie(handler: Any, stub: ChatStub) -> None:
        sent.append(handler.headers.get("Cookie"))
        completion("SELECT 1")(handler, stub)

    cookie = "who=1; Path=/; Domain=127.0.0.1; Max-Age=9999"
    stub.enqueue(
        failure(503, "", Set_Cookie="who=0", Retry_After="0"), with_cookie, failure(400, "", Set_Cookie=cookie)
    )
    model = chat(stub)
    await model.ainvoke("hi")
    await refused(model, is_stream=False)
    stub.enqueue(with_cookie)
    await model.ainvoke("hi")
    assert sent == [None, None]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_redirect_is_not_followed(stub: ChatStub, is_stream: bool) -> None:
    stub.enqueue(failure(307, "", Location="http://127.0.0.1:9/v1"))
    error = await refused(chat(stub), is_stream=is_stream)
    assert "redirects to http://127.0.0.1:9/v1" in str(error)
    assert len(stub.bodies) == 1


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        CHUNKED + b'application/json\r\n\r\n20\r\n{"choices": [{"message"',
        CHUNKED + b"text/event-stream\r\n\r\n5\r\ndata:\r\nffffffff\r\n{",
        CHUNKED + b"text/event-stream\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}",
        b'HTTP/1.0 200 OK\r\n\r\n{"choices": [',
        b"HTTP/1.1 999 ?\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x00",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    ],
)
async def test_a_transfer_that_breaks_the_protocol(stub: ChatStub, data: bytes, is_stream: bool) -> None:
    stub.enqueue(wire(data))
    await refused(chat(stub, max_retries=0), is_stream=is_stream)


async def test_http_1_0_that_ends_with_the_connection(stub: ChatStub) -> None:
    head = b"HTTP/1.0 200 OK\r\n"
    whole = b'{"choices": [{"message": {"content": "SELECT 1"}}]}'
    stub.enqueue(wire(head + b"\r\n" + whole), wire(head + b"\r\n" + event("SELECT 1") + b"data: [DONE]"))
    assert (await chat(stub).ainvoke("hi")).text == (await gathered(chat(stub)))[1].text == "SELECT 1"


async def test_a_redirect_to_nowhere(stub: ChatStub) -> None:
    stub.enqueue(failure(302, ""), failure(304, ""))
    for _ in range(2):
        assert "redirects" in str(await refused(chat(stub), is_stream=False))


async def test_a_redirect_to_an_address_that_can_not_be_read(stub: ChatStub) -> None:
    stub.enqueue(failure(301, "", Location="http://[::1"))  # some versions of the HTTP library can't read the answer
    assert re.search("redirects|location header", str(await refused(chat(stub, max_retries=0), is_stream=False)))


async def test_headers_without_end(stub: ChatStub) -> None:
    stub.enqueue(dripping(b"", X_A="x" * 10 * MEGABYTE))
    await refused(chat(stub, max_retries=0), is_stream=False)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_server_that_never_answers(stub: ChatStub, is_stream: bool) -> None:
    stub.enqueue(hanging)
    assert isinstance(await refused(chat(stub, timeout=0.3, max_retries=0), is_stream=is_stream), ServerUnavailable)


@pytest.mark.parametrize("settings", [{"timeout": 0.3}, {"budget": 0.5}])
async def test_an_error_whose_text_never_ends_keeps_its_status(stub: ChatStub, settings: dict[str, float]) -> None:
    def stalled(handler: Any, stub: ChatStub) -> None:
        handler.wfile.write(b"HTTP/1.1 401 No\r\nContent-Length: 99\r\n\r\nwrong key")
        hanging(handler, stub)

    stub.enqueue(stalled)
    error = await refused(chat(stub, **settings), is_stream=False)
    assert isinstance(error, ServerRefused) and (error.status, error.said) == (401, "wrong key")


@pytest.mark.parametrize("key", ["sesam\u00e9", "sesame\nx"])
async def test_a_key_that_no_request_can_carry(stub: ChatStub, key: str) -> None:
    error = await refused(chat(stub, api_key=key), is_stream=False)
    assert "API key" in str(error) and "sesam" not in str(error) + repr(error.__cause__)


async def test_a_password_in_the_address_is_in_no_message(stub: ChatStub) -> None:
    stub.enqueue(failure(400, {"error": "no"}))
    model = ChatTGI(base_url=stub.url.replace("http://", "http://me:s3cret@"))
    assert "s3cret" not in str(await refused(model, is_stream=False))


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:9", "http://proxy:abc", "http://[::1"])
async def test_a_proxy_that_can_not_be_used(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    model = ChatTGI(base_url="http://model.invalid", max_retries=0)
    for _ in range(2):
        assert "ALL_PROXY" in str(await refused(model, is_stream=False))
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")  # it is looked at again
    assert isinstance(await refused(model, is_stream=False), ServerUnavailable)
    await model.aclose()


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:99999"])
async def test_a_port_that_there_can_not_be(monkeypatch: pytest.MonkeyPatch, proxy: str | None) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy or "")
    model = ChatTGI(base_url="http://model.invalid" if proxy else "http://127.0.0.1:99999", max_retries=0)
    assert "port must be 0-65535" in str(await refused(model, is_stream=False))
