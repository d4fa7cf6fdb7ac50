"""A Ray cluster of two nodes, a small data set, and a model server that always writes the same query."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.chat_stub import ChatStub
from support.evaluation_runs import names_server
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
    (tmp_path / "data").mkdir()
    for name in ("pets", "farm"):
        with closing(sqlite3.connect(tmp_path / f"data/{name}.sqlite")) as connection, connection:
            connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex'), ('Mia');")
    entries = [
        {"db_id": "pets" if n < 7 else "farm", "question": f"Which? {n}", "query": "SELECT name FROM pet"}
        for n in range(QUESTIONS)
    ]
    Path("dev.json").write_text(json.dumps(entries))


@pytest.fixture
def server() -> Iterator[ChatStub]:
    with names_server() as stub:
        yield stub
