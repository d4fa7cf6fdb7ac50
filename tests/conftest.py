"""Shared fixtures."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from support.chat_stub import ChatStub

from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.store.model_store import ModelFile, ModelStore

if find_spec("hypothesis"):  # some environments run only tests without it
    from hypothesis import settings

    # On a busy machine any example may take long.
    settings.register_profile("without-deadline", deadline=None)
    settings.load_profile("without-deadline")


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
