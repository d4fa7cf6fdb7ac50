"""A calibration of one's own by `--calibration` or ROUTE_SQL_CALIBRATION: it wins over the model's own."""

import json
import sys
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from support.calibration_files import CONFIDENCE, write_calibration
from support.chat_stub import ChatStub, completion, models
from support.evaluation_runs import evaluate, lines, names_server, run, write_pets_and_farm

from route_sql import open_default
from route_sql.demo.questions import SHOWN
from route_sql.settings import Settings

NAMES = "SELECT name FROM pet"
PETS = "data/pets.sqlite"
ONE = ("--questions", "q.csv", "--out", "a.jsonl", "--db", PETS, "--strategy", "single")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two databases, and the file of a calibration."""
    monkeypatch.chdir(tmp_path)
    write_pets_and_farm(tmp_path, 4, 2)
    write_calibration(tmp_path)
    return tmp_path


@pytest.fixture
def server() -> Any:
    with names_server() as stub:
        yield stub


def asked(server: ChatStub, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run("ask", "Which?", "--db", PETS, "--model", server.url, "--strategy", "single", "--json", *more) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.parametrize("name", ["some/model", "route-sql/default"])
def test_ask_takes_it_in_place_of_the_models_own(
    server: ChatStub, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    server.models.append(models(name))
    token = {"token": "x", "logprob": -2.0, "top_logprobs": []}  # so that the packaged calibration has its signals
    choice = {"index": 0, "finish_reason": "stop", "logprobs": {"content": [token] * 9}}
    server.otherwise = completion("", choices=[choice | {"message": {"role": "assistant", "content": NAMES}}])
    own = asked(server, capsys)
    given = asked(server, capsys, "--calibration", "calibration.json")
    assert own["calibrated"] == (name == "route-sql/default") and own["confidence"] < 0.9
    assert (given["calibrated"], given["confidence"]) == (True, CONFIDENCE)


def test_its_threshold_ends_a_run_early(server: ChatStub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_calibration(folder, "early.json", enough=0.9)
    calls = [
        len(asked(server, capsys, "--strategy", "adaptive", "--calibration", file)["ledger"])
        for file in ("calibration.json", "early.json")
    ]
    assert calls == [2, 1]


def test_the_option_comes_before_the_environment(
    server: ChatStub, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTE_SQL_CALIBRATION", str(write_calibration(folder, "early.json")))
    assert asked(server, capsys)["confidence"] == CONFIDENCE
    monkeypatch.setenv("ROUTE_SQL_CALIBRATION", "nothing.json")
    assert asked(server, capsys, "--calibration", "calibration.json")["confidence"] == CONFIDENCE


def test_a_recording_holds_it(server: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    answer = asked(server, capsys, "--calibration", "calibration.json", "--record", "kept")
    assert run("ask", "--replay", "kept", "--json") == 0
    assert json.loads(capsys.readouterr().out)["confidence"] == answer["confidence"] == CONFIDENCE


def test_a_run_of_eval_is_calibrated_by_it(server: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(server, "own.jsonl") == 0
    assert evaluate(server, "given.jsonl", "--calibration", "calibration.json") == 0
    assert [(line["calibrated"], line["confidence"]) for line in lines("given.jsonl")] == [(True, CONFIDENCE)] * 4
    found = []
    for file in ("own.jsonl", "given.jsonl"):
        capsys.readouterr()
        assert run("reliability", file, "--json") == 0
        printed = capsys.readouterr()
        found.append(("not calibrated" in printed.err, round(json.loads(printed.out)["calibration_error"], 4)))
    assert found[0][0] and found[1] == (False, round(1 - CONFIDENCE, 4))


def test_a_run_keeps_the_calibration_that_it_began_with(
    server: ChatStub, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "q.csv").write_text("question\nWhich pets are there?\n")
    write_calibration(folder, "same.json")
    for command in (partial(evaluate, server, "run.jsonl"), partial(answered, server)):
        assert command("--calibration", "calibration.json") == 0
        assert command("--calibration", "same.json") == 0, "the numbers count, not the name"
        assert command() == 2
        assert "calibration was " in capsys.readouterr().err
        write_calibration(folder, "other.json", enough=0.5)
        monkeypatch.setenv("ROUTE_SQL_CALIBRATION", "other.json")
        assert command() == 2
        monkeypatch.setenv("ROUTE_SQL_CALIBRATION", "calibration.json")
        assert command() == 0
        monkeypatch.delenv("ROUTE_SQL_CALIBRATION")
    assert json.loads((folder / "a.jsonl").read_text())["answer"]["confidence"] == CONFIDENCE


def answered(server: ChatStub, *more: str) -> int:
    return run("ask", *ONE, "--model", server.url, *more)


def test_chat_and_demo_take_it(
    server: ChatStub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("--model", server.url, "--calibration", "calibration.json")
    monkeypatch.setattr(sys, "stdin", StringIO("Which pets are there?\n"))
    assert run("chat", "--db", PETS, "--strategy", "single", *given) == 0
    assert f"confidence {CONFIDENCE:.2f}\n" in capsys.readouterr().out
    server.otherwise = completion("SELECT COUNT(*) FROM patient")
    assert run("demo", *given) == 0
    assert capsys.readouterr().out.count(f"confidence {CONFIDENCE:.2f}\n") == len(SHOWN)


def test_a_database_opened_in_python_takes_that_of_the_environment(
    server: ChatStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTE_SQL_CALIBRATION", "calibration.json")
    with open_default(PETS, model=server.url) as database:
        assert database.ask("Which?")["confidence"] == CONFIDENCE
    assert Settings().calibration == Path("calibration.json")


EVAL = ("eval", "--questions", "dev.json", "--databases", "data", "--out", "run.jsonl")


@pytest.mark.parametrize(
    "command",
    [("ask", "Which?", "--db", PETS), ("ask", *ONE), ("chat", "--db", PETS), ("api",), ("mcp",), ("demo",), EVAL],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_wrong_file_is_named_before_anything_is_asked(
    server: ChatStub, folder: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    (folder / "q.csv").write_text("question\nWhich pets are there?\n")
    (folder / "wrong.json").write_text('{"alone": 1}')
    (folder / "databases.toml").write_text(f'[databases.pets]\nurl = "sqlite:///{PETS}"\n')
    for file, said in (
        ("nothing.json", "the calibration nothing.json can't be read: No such file or directory"),
        ("data", "the calibration data can't be read: Is a directory"),
        ("wrong.json", "wrong.json is not a calibration: "),
    ):
        assert run(*command, "--model", server.url, "--calibration", file) == 2
        assert f"error: {said}" in capsys.readouterr().err
    assert not server.bodies and not (folder / "run.jsonl").exists() and not (folder / "a.jsonl").exists()


@pytest.mark.parametrize(("file", "code", "said"), [("calibration.json", 0, "made from: "), ("q.csv", 1, "not a cal")])
def test_doctor_reads_the_file_of_the_environment(
    server: ChatStub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
    code: int,
    said: str,
) -> None:
    Path("q.csv").write_text("question\nWhich?\n")
    monkeypatch.setenv("ROUTE_SQL_CALIBRATION", file)
    assert run("doctor", "--model", server.url) == code
    assert said in capsys.readouterr().out
