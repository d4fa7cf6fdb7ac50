"""Chat models opened by a user's name for a model: a store name, a file, a model folder, or one or several URLs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from urllib.parse import urlsplit

from langchain_core.language_models import BaseChatModel

from route_sql.serving.client.chat import CONCURRENCY, MAX_TOKENS, ChatTGI
from route_sql.serving.embedded.on_demand import ChatOnDemand
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.store.model_store import FetchProgress, ModelStore
from route_sql.settings import Settings
from route_sql.tools.errors import InvalidInput


def is_url(model: str) -> bool:
    """Whether a model is named by the URL of its server, or by several URLs."""
    return model.strip().lower().startswith(("http://", "https://"))


def urls_of(model: str) -> list[str]:
    """The URLs of a model's servers, which commas separate.

    Raises:
        InvalidInput: one of them can't be read.
    """
    urls = [url.strip() for url in model.split(",")]
    for url in urls:
        _require_readable(url)
    return urls


def chat_at(servers: str, settings: Settings, *, questions: int = 1) -> ChatTGI:
    """The client of servers that run elsewhere, for the given number of concurrent questions.

    Args:
        servers: One URL, or several of the same model with commas between them.
        settings: The key, and the model to ask for.
        questions: Concurrent questions, of all servers together.

    Raises:
        InvalidInput: a URL can't be read.
    """
    urls = urls_of(servers)
    return ChatTGI(
        base_url=urls[0] if len(urls) == 1 else urls,
        api_key=settings.api_key,
        model=settings.server_model,
        wording=settings.wording,
        max_tokens=settings.max_tokens or MAX_TOKENS,
        # Two agents of one question may ask side by side.
        concurrency=max(CONCURRENCY, ceil(2 * questions / len(urls))),
    )


def _require_readable(url: str) -> None:
    try:
        is_readable = is_url(url) and bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:
        is_readable = False
    if not is_readable:
        raise InvalidInput(
            "the URL of the model server can't be read; it is like http://127.0.0.1:8080, "
            "and several have commas between them"
        )


@asynccontextmanager
async def open_model(
    model: str, settings: Settings, progress: FetchProgress, *, questions: int = 1
) -> AsyncIterator[ChatTGI]:
    """A chat model that is ready to answer the given number of concurrent questions.

    A URL is used as it is. Anything else is run by the embedded server, which stops at the end; its weights are
    fetched first if they are not there.

    Raises:
        ModelUnavailable: the weights, or a model folder's adapter or base, can't be fetched.
        RuntimeMissing: the embedded server can't run here.
    """
    if is_url(model):
        chat = chat_at(model, settings, questions=questions)
        try:
            yield chat
        finally:
            await chat.aclose()
        return
    file = await asyncio.to_thread(ModelStore(settings.cache).resolve, model, progress)
    async with EmbeddedServer(file) as server:
        chat = server.chat_model(**({"max_tokens": settings.max_tokens} if settings.max_tokens else {}))
        try:
            yield chat
        finally:
            await chat.aclose()


@asynccontextmanager
async def model_on_demand(model: str, settings: Settings, *, questions: int = 1) -> AsyncIterator[BaseChatModel]:
    """A chat model for a server that must be ready at once: weights are fetched and loaded by the first question.

    A URL is used as it is, and its connections are closed at the end.

    Raises:
        InvalidInput: the URL can't be read.
    """
    if not is_url(model):
        yield ChatOnDemand(name_or_path=model, store=ModelStore(settings.cache), max_tokens=settings.max_tokens)
        return
    chat = chat_at(model, settings, questions=questions)
    try:
        yield chat
    finally:
        await chat.aclose()
