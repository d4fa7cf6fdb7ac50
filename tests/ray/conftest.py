"""A Ray cluster of two nodes, a small data set, and a model server that always writes the same query."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.chat_stub import ChatStub
from support.evaluation_runs import names_server, write_pets_and_farm
from support.ray_cluster import HAS_RAY, two_nodes

QUESTIONS = 12


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a cluster of two nodes with a processor each."""
    if not HAS_RAY:
        pytest.skip("run `make ray-tests`, which makes an environment with Ray")
    with two_nodes() as address:
        yield address


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two databases, and questions on both."""
    monkeypatch.chdir(tmp_path)
    write_pets_and_farm(tmp_path, QUESTIONS, on_pets=7)


@pytest.fixture
def server() -> Iterator[ChatStub]:
    with names_server() as stub:
        yield stub
