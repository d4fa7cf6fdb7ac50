"""`eval --shard` and `merge`: the lines of the shards are the lines of one run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.chat_stub import ChatStub, completion
from support.evaluation_runs import DATA, evaluate, lines, names_server, run, write_pets_and_farm

QUESTIONS = 10


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_pets_and_farm(tmp_path, QUESTIONS, on_pets=6)


@pytest.fixture
def server() -> Iterator[ChatStub]:
    with names_server() as stub:
        yield stub


def merged(server: ChatStub, *shards: str) -> None:
    for number, shard in enumerate(shards):
        assert evaluate(server, f"part{number}.jsonl", "--shard", shard) == 0


@pytest.mark.parametrize("count", [1, 3, 10])
def test_the_shards_are_the_lines_of_one_run(server: ChatStub, count: int) -> None:
    merged(server, *(f"{number}/{count}" for number in range(1, count + 1)))
    assert len(server.bodies) == QUESTIONS
    assert evaluate(server, "one.jsonl") == 0
    parts = [f"part{number}.jsonl" for number in reversed(range(count))]
    assert run("merge", *parts, "--out", "all.jsonl") == 0
    assert lines("all.jsonl") == lines("one.jsonl")
    assert Path("all.jsonl.meta.json").read_text() == Path("one.jsonl.meta.json").read_text()
    asked = len(server.bodies)
    assert evaluate(server, "all.jsonl") == 0, "it resumes as the run itself, of which nothing is left"
    assert len(server.bodies) == asked


def test_a_killed_shard_resumes(server: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    server.otherwise = completion("SELECT name FROM pet", 0.3)
    command = [sys.executable, "-m", "route_sql", "eval", *DATA, "--model", server.url]
    child = subprocess.Popen([*command, "--out", "part0.jsonl", "--shard", "1/2"], stderr=subprocess.DEVNULL)
    while not (Path("part0.jsonl").exists() and Path("part0.jsonl").read_bytes().count(b"\n") >= 2):
        assert child.poll() is None
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert evaluate(server, "part1.jsonl", "--shard", "2/2") == 0
    assert run("merge", "part0.jsonl", "part1.jsonl", "--out", "all.jsonl") != 0
    assert "of 5 questions; run eval with --shard 1/2 again" in " ".join(capsys.readouterr().err.split())
    assert not Path("all.jsonl").exists()
    assert evaluate(server, "part0.jsonl", "--shard", "1/2") == 0
    assert run("merge", "part0.jsonl", "part1.jsonl", "--out", "all.jsonl") == 0
    assert [line["index"] for line in lines("all.jsonl")] == list(range(QUESTIONS))
    assert len(server.bodies) <= QUESTIONS + 1


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3", "", "11/11"])
def test_a_shard_that_there_is_not(server: ChatStub, capsys: pytest.CaptureFixture[str], shard: str) -> None:
    assert evaluate(server, "part.jsonl", f"--shard={shard}") != 0
    assert "shard" in capsys.readouterr().err
    assert not server.bodies and not Path("part.jsonl").exists()


def test_shards_that_do_not_fit_are_refused(server: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    merged(server, "1/2", "2/2", "1/3")
    assert evaluate(server, "other.jsonl", "--shard", "2/2", "--seed", "7") == 0
    assert evaluate(server, "whole.jsonl") == 0
    for parts, said in [
        (("part0.jsonl",), "missing: 2/2"),
        (("part0.jsonl", "part1.jsonl", "part1.jsonl"), "twice: 2/2"),
        (("part0.jsonl", "part2.jsonl"), "different runs"),
        (("part0.jsonl", "other.jsonl"), "seed was 0, is 7"),
        (("part0.jsonl", "whole.jsonl"), "whole.jsonl is not a shard"),
        (("part0.jsonl", "nowhere.jsonl"), "nowhere.jsonl can't be read"),
    ]:
        assert run("merge", *parts, "--out", "all.jsonl") != 0
        assert said in " ".join(capsys.readouterr().err.split())
        assert not Path("all.jsonl").exists()
    assert run("merge", "part0.jsonl", "part1.jsonl", "--out", "whole.jsonl") != 0
    assert "exists already" in " ".join(capsys.readouterr().err.split())
