from collections.abc import Iterator

import pytest
from chat_stub import ChatStub

from route_sql.serving.embedded import EmbeddedServer
from route_sql.serving.store import ModelFile


@pytest.fixture
def stub() -> Iterator[ChatStub]:
    server = ChatStub()
    yield server
    server.close()
    assert not server.replies, "replies were lined up that nobody asked for"


@pytest.fixture(scope="session")
def embedded_server(model_file: ModelFile) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(model_file) as server:
        yield server
