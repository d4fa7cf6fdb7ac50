"""Calls of the chat client on the scripted server."""

from typing import Any

from langchain_core.messages import AIMessageChunk
from support.chat_stub import ChatStub

from route_sql.serving.client.chat import ChatTGI


def chat(stub: ChatStub, **settings: Any) -> ChatTGI:
    return ChatTGI(base_url=stub.url, **settings)


async def gathered(model: ChatTGI, **settings: Any) -> tuple[list[str], AIMessageChunk]:
    texts: list[str] = []
    whole: AIMessageChunk | None = None
    async for chunk in model.astream("hi", **settings):
        assert isinstance(chunk, AIMessageChunk)
        texts.append(chunk.text)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    return texts, whole
