"""`eval --ray` on a cluster of two nodes on this machine: the lines of one machine, also after a worker was killed.

Run `make ray-tests`, which makes an environment with Ray.
"""

import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("ray.cluster_utils", reason="run `make ray-tests`, which makes an environment with Ray")

from support.chat_stub import ChatStub, completion
from support.evaluation_runs import evaluate, lines, names_server

QUESTIONS = 12
MARK = f"ROUTE_SQL_RAY_TEST={uuid4().hex}"


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two nodes with a processor each, whose processes carry a mark."""
    name, _, value = MARK.partition("=")
    os.environ[name] = value
    clusters: Any = import_module("ray.cluster_utils")
    node = {"num_cpus": 1, "node_ip_address": "127.0.0.1"}
    made = clusters.Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    made.add_node(**node)
    yield str(made.address)
    made.shutdown()
    del os.environ[name]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data/pets.sqlite")) as connection, connection:
        connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex'), ('Mia');")
    entry = {"db_id": "pets", "query": "SELECT name FROM pet"}
    Path("dev.json").write_text(json.dumps([{**entry, "question": f"Which? {n}"} for n in range(QUESTIONS)]))


@pytest.fixture
def server() -> Iterator[ChatStub]:
    with names_server() as stub:
        yield stub


def workers() -> list[int]:
    """Workers of this test's cluster that ask a shard."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            title, environ = (place / "cmdline").read_bytes(), (place / "environ").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::evaluate_shard") and MARK.encode() in environ:
            found.append(int(place.name))
    return found


def assert_same(server: ChatStub) -> None:
    assert evaluate(server, "one.jsonl") == 0
    assert lines("all.jsonl") == lines("one.jsonl")
    assert Path("all.jsonl.meta.json").read_text() == Path("one.jsonl.meta.json").read_text()
    assert not Path("all.jsonl.shards").exists()


@pytest.mark.parametrize("parts", [(), ("--parts", "5")])
def test_the_lines_are_those_of_one_machine(server: ChatStub, cluster: str, parts: tuple[str, ...]) -> None:
    assert evaluate(server, "all.jsonl", "--ray", cluster, *parts) == 0
    assert len(server.bodies) == QUESTIONS
    assert_same(server)


def test_a_killed_worker_loses_nothing(server: ChatStub, cluster: str) -> None:
    server.otherwise = completion("SELECT name FROM pet", 0.5)
    killed: list[int] = []

    def kill_one() -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end and not (len(server.bodies) >= 3 and workers()):
            time.sleep(0.05)
        killed.extend(workers()[:1])
        os.kill(killed[0], signal.SIGKILL)

    killing = threading.Thread(target=kill_one)
    killing.start()
    assert evaluate(server, "all.jsonl", "--ray", cluster) == 0
    killing.join()
    assert killed and len(server.bodies) > QUESTIONS, "the killed shard was asked again"
    server.otherwise = completion("SELECT name FROM pet")
    assert_same(server)


def test_shards_that_came_back_are_not_asked_again(
    server: ChatStub, cluster: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        assert evaluate(server, f"part{number}.jsonl", "--shard", f"{number}/3") == 0
    Path("all.jsonl.shards").mkdir()
    for number in (1, 2):
        for ending in ("", ".meta.json"):
            Path(f"part{number}.jsonl{ending}").rename(f"all.jsonl.shards/{number}-of-3.jsonl{ending}")
    asked = len(server.bodies)
    assert evaluate(server, "all.jsonl", "--ray", cluster) == 0
    assert len(server.bodies) == asked + QUESTIONS // 3
    assert_same(server)
    assert evaluate(server, "all.jsonl", "--ray", cluster) != 0
    assert "exists already" in " ".join(capsys.readouterr().err.split())


def test_what_can_not_be_asked_is_said(server: ChatStub, cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    for more, said in [
        (("--ray", cluster, "--shard", "1/2"), "can't be combined with --shard"),
        (("--parts", "2"), "--parts needs --ray"),
        (("--ray", cluster, "--parts", "50"), "take fewer shards"),
        (("--ray", "127.0.0.1:1"), "no Ray cluster"),
    ]:
        assert evaluate(server, "all.jsonl", *more) != 0
        assert said in " ".join(capsys.readouterr().err.split())
        assert not Path("all.jsonl").exists()
