from collections.abc import Iterator

import pytest

from route_sql.serving.embedded import EmbeddedServer
from route_sql.serving.store import ModelFile


@pytest.fixture(scope="session")
def embedded_server(model_file: ModelFile) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(model_file) as server:
        yield server
