"""Clients that send too slowly, or do not read."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from starlette.types import Receive, Scope, Send

from route_sql.access.request_body import BoundedBody
from route_sql.api.app import api_refusal
from route_sql.api.envelope import Envelope, Served

Message = MutableMapping[str, Any]


def request(**more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": "/v1/ask", "headers": [], **more}


async def never() -> Message:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits so long")


async def unreached(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("the request must not come so far")


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


async def test_a_body_that_comes_too_slowly_is_refused() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await asyncio.wait_for(BoundedBody(unreached, seconds=0.05, refuse=api_refusal)(request(), never, send), 10)
    assert sent[0]["status"] == 400 and (b"connection", b"close") in sent[0]["headers"]
    assert "seconds" in json.loads(sent[1]["body"])["error"]["message"]


async def test_a_client_that_leaves_before_its_body_is_whole_is_not_answered() -> None:
    async def leaving() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError("nobody is there")

    await BoundedBody(unreached)(request(), leaving, send)


async def test_a_client_that_does_not_read_is_given_up() -> None:
    served: list[Served] = []

    async def stuck(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(60)

    envelope = Envelope(answering, served.append, send_seconds=0.05)
    await asyncio.wait_for(envelope(request(), never, stuck), 10)
    assert served[0].status == 200 and isinstance(served[0].failure, TimeoutError)


async def test_an_exception_behind_everything_is_one_sentence() -> None:
    served: list[Served] = []
    sent: list[Message] = []

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("secret row")

    async def send(message: Message) -> None:
        sent.append(message)

    await Envelope(failing, served.append)(request(), never, send)
    assert sent[0]["status"] == 500 and b"secret" not in sent[1]["body"]
    assert isinstance(served[0].failure, RuntimeError)
