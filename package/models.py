"""From what a user calls a model (a store name, a file, a model folder, a URL) to a chat model that answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from route_sql.serving.chat import ChatTGI
from route_sql.serving.embedded import EmbeddedServer
from route_sql.serving.store import ModelStore, Progress
from route_sql.settings import Settings


def is_url(model: str) -> bool:
    """Whether a model is named by the URL of its server."""
    return model.lower().startswith(("http://", "https://"))


def chat_at(url: str, settings: Settings) -> ChatTGI:
    """The client of a server that somebody else runs."""
    return ChatTGI(base_url=url, api_key=settings.api_key, model=settings.server_model, wording=settings.wording)


@asynccontextmanager
async def open_model(model: str, settings: Settings, progress: Progress) -> AsyncIterator[ChatTGI]:
    """A chat model that is ready to answer.

    A URL is spoken to as it is. Anything else is run by the embedded server, which stops at the end; its weights are
    fetched first if they are not there.

    Raises:
        ModelUnavailable: the weights, or a model folder's adapter or base, can't be had.
        RuntimeMissing: the embedded server can't run here.
    """
    if is_url(model):
        chat = chat_at(model, settings)
        try:
            yield chat
        finally:
            await chat.aclose()
        return
    file = await asyncio.to_thread(ModelStore(settings.cache).resolve, model, progress)
    async with EmbeddedServer(file) as server:
        chat = server.chat_model()
        try:
            yield chat
        finally:
            await chat.aclose()
