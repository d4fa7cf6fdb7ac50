"""`eval --ray` on a cluster of two nodes: the lines of one machine, also after a worker was killed.

Run `make ray-tests`, which makes an environment with Ray.
"""

from pathlib import Path

import pytest
from support.calibration_files import CONFIDENCE, write_calibration
from support.chat_stub import ChatStub, completion, failure
from support.evaluation_runs import DATA, evaluate, lines
from support.ray_cluster import one_killed, run_on

QUESTIONS = 12


def on_ray(server: ChatStub, cluster: str, *more: str) -> tuple[int, str]:
    return run_on(cluster, "eval", *DATA, "--model", server.url, "--out", "all.jsonl", *more)


def assert_same(server: ChatStub, *choices: str) -> None:
    assert evaluate(server, "one.jsonl", *choices) == 0
    assert lines("all.jsonl") == lines("one.jsonl")
    assert Path("all.jsonl.meta.json").read_text() == Path("one.jsonl.meta.json").read_text()
    assert not Path("all.jsonl.shards").exists()


@pytest.mark.parametrize("parts", [(), ("--parts", "5")])
def test_the_lines_are_those_of_one_machine(server: ChatStub, cluster: str, parts: tuple[str, ...]) -> None:
    assert on_ray(server, cluster, *parts) == (0, "")
    assert len(server.bodies) == QUESTIONS
    assert_same(server)


def test_samples_are_those_of_one_machine(server: ChatStub, cluster: str) -> None:
    server.otherwise = completion("SELECT name FROM pet WHERE name = 'Nobody'")
    choices = ("--strategy", "adaptive", "--samples", "3", "--no-withhold")
    assert on_ray(server, cluster, *choices) == (0, "")
    assert all("sample" in line["asked"] for line in lines("all.jsonl")), "an empty result is doubted"
    assert_same(server, *choices)


def test_a_calibration_reaches_the_workers(server: ChatStub, cluster: str, tmp_path: Path) -> None:
    choices = ("--calibration", write_calibration(tmp_path).name)
    assert on_ray(server, cluster, *choices) == (0, "")
    assert {line["confidence"] for line in lines("all.jsonl")} == {CONFIDENCE}
    assert_same(server, *choices)


def test_a_killed_worker_loses_nothing(server: ChatStub, cluster: str) -> None:
    server.otherwise = completion("SELECT name FROM pet", 0.5)
    with one_killed(lambda: len(server.bodies) >= 3) as killed:
        assert on_ray(server, cluster) == (0, "")
    assert killed and len(server.bodies) > QUESTIONS, "the killed shard was asked again"
    server.otherwise = completion("SELECT name FROM pet")
    assert_same(server)


def test_shards_that_came_back_are_not_asked_again(server: ChatStub, cluster: str) -> None:
    server.enqueue(failure(401, "no key"))
    assert on_ray(server, cluster, "--parts", "1")[0] != 0, "its folder has the command and no shard"
    for number in (1, 2):
        assert evaluate(server, f"part{number}.jsonl", "--shard", f"{number}/3") == 0
        kept = Path(f"all.jsonl.shards/{number}-of-3")
        kept.mkdir(parents=True)
        for ending in ("", ".meta.json"):
            Path(f"part{number}.jsonl{ending}").rename(kept / f"part{ending}")
    asked = len(server.bodies)
    assert on_ray(server, cluster) == (0, "")
    assert len(server.bodies) == asked + QUESTIONS // 3
    assert_same(server)
    code, said = on_ray(server, cluster)
    assert code != 0 and "exists already" in said


def test_shards_of_another_command_are_not_reused(server: ChatStub, cluster: str) -> None:
    server.enqueue(*[completion("SELECT name FROM pet")] * 4, failure(401, "no key"))
    assert on_ray(server, cluster, "--parts", str(QUESTIONS))[0] != 0
    asked = len(server.bodies)
    code, said = on_ray(server, cluster, "--strategy", "paper")
    assert code != 0 and "shards of another command" in said
    Path("all.jsonl.shards/command.json").unlink()
    code, said = on_ray(server, cluster)
    assert code != 0 and "shards of another command" in said and len(server.bodies) == asked


def test_a_shard_that_broke_off_is_not_kept(server: ChatStub, cluster: str) -> None:
    server.enqueue(*[completion("SELECT name FROM pet")] * 3)
    server.otherwise = failure(401, "no key")
    code, said = on_ray(server, cluster, "--parts", "2")
    assert code != 0 and "can't be made" in said and "key" in said
    assert not Path("all.jsonl").exists()
    server.otherwise = completion("SELECT name FROM pet")
    assert on_ray(server, cluster) == (0, "")
    assert_same(server)


def test_what_can_not_be_asked_is_said(server: ChatStub, cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    for more, expected in [
        (("--shard", "1/2"), "can't be combined with --shard"),
        (("--parts", "50"), "take fewer shards"),
    ]:
        code, said = on_ray(server, cluster, *more)
        assert code != 0 and expected in said
        assert not Path("all.jsonl").exists()
    code, said = on_ray(server, "127.0.0.1:1")
    assert code != 0 and "no Ray cluster" in said
    assert evaluate(server, "all.jsonl", "--parts", "2") != 0
    assert "--parts needs --ray" in " ".join(capsys.readouterr().err.split())
