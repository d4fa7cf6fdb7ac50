"""Shared fixtures."""

from collections.abc import Iterator

import pytest
from support.chat_stub import ChatStub

from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.store.model_store import ModelFile, ModelStore


@pytest.fixture(scope="session")
def model_file() -> ModelFile:
    """The default model; fetched into the user's cache by the first test that needs it."""
    return ModelStore().resolve("default")


@pytest.fixture(scope="session")
def embedded_server(model_file: ModelFile) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(model_file) as server:
        yield server


@pytest.fixture
def stub() -> Iterator[ChatStub]:
    server = ChatStub()
    yield server
    server.close()
    assert not server.replies, "replies were lined up that nobody asked for"
