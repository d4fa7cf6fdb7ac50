"""`train data --ray` on a cluster of two nodes: the bytes of one machine, also after a worker was killed."""

from pathlib import Path

import pytest
from support.evaluation_runs import run
from support.ray_cluster import one_killed, run_on

DATA = ("train", "data", "--questions", "dev.json", "--databases", "data")


def contents(folder: str) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(folder).iterdir() if file.name != ".lock"}


@pytest.mark.parametrize("more", [(), ("--further", "--seed", "3", "--held-out", "0.5")])
def test_the_set_is_that_of_one_machine(cluster: str, more: tuple[str, ...]) -> None:
    assert run(*DATA, *more, "--out", "one") == 0
    assert run_on(cluster, *DATA, *more, "--out", "all", "--parts", "3") == (0, "")
    assert contents("all") == contents("one")
    assert b"pet" in contents("all")["text_to_sql.train.jsonl"]
    assert not Path("all.shards").exists()


def test_a_killed_worker_loses_nothing(cluster: str) -> None:
    with one_killed(lambda: True) as killed:
        assert run_on(cluster, *DATA, "--out", "all") == (0, "")
    assert killed
    assert run(*DATA, "--out", "one") == 0
    assert contents("all") == contents("one")


def test_what_can_not_be_made_is_said(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("there").mkdir()
    for more, expected in [
        (("--out", "all", "--shard", "1/2"), "without --shard"),
        (("--out", "all", "--parts", "50"), "take fewer shards"),
        (("--out", "there"), "exists already"),
    ]:
        code, said = run_on(cluster, *DATA, *more)
        assert code != 0 and expected in said
        assert not Path("all").exists()
    assert run(*DATA, "--out", "all", "--parts", "2") != 0
    assert "--parts is for --ray" in " ".join(capsys.readouterr().err.split())
