"""Calls of a hostile model server: each ends in one clear sentence."""

import json
from typing import Any

import pytest
from support.chat_calls import gathered

from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.errors import ServerRefused, ServerUnavailable, ServingError

EVENTS = "text/event-stream"
MEGABYTE = 2**20


def event(text: str, **extra: Any) -> bytes:
    choice = {"index": 0, "finish_reason": None, "delta": {"content": text}} | extra
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


async def refused(model: ChatTGI, *, is_stream: bool) -> ServingError:
    with pytest.raises(ServingError) as caught:
        await gathered(model) if is_stream else await model.ainvoke("hi")
    assert type(caught.value) in (ServerRefused, ServerUnavailable)
    said = str(caught.value)
    assert len(said) < 1500 and "\n" not in said and said.isprintable()
    return caught.value
