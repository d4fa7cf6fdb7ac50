"""`--min-confidence`, options without effect, and the reason of a failed answer where little is printed."""

import io
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.chat_stub import ChatStub, completion
from support.evaluation_runs import evaluate, lines, names_server, run, write_pets_and_farm

NAMES = "SELECT name FROM pet"
PETS = "data/pets.sqlite"
DECLINED = "unanswerable: no column for colour"
REASON = "unanswerable: The database can't answer this question: no column for colour."
RANGE = "min_confidence in the context must be a number from 0 to 1"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_pets_and_farm(tmp_path, 2, 1)
    (tmp_path / "q.csv").write_text("question\nWhich pets are there?\n")
    return tmp_path


@pytest.fixture
def server() -> Any:
    with names_server() as stub:
        yield stub


def ask(server: ChatStub, *more: str) -> int:
    return run("ask", "Which pets are there?", "--db", PETS, "--model", server.url, *more)


def answer_many(server: ChatStub, *more: str) -> int:
    return run("ask", "--questions", "q.csv", "--out", "a.jsonl", "--db", PETS, "--model", server.url, *more)


def test_an_unsure_answer_keeps_sql_and_rows_and_is_an_answer(
    server: ChatStub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(server, "--min-confidence", "0.99", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["status"], answer["sql"], answer["rows"]) == ("unsure", NAMES, [["Rex"], ["Mia"]])
    assert ask(server, "--min-confidence", "0.99", "--sql-only", "--quiet") == 0
    assert capsys.readouterr() == (f"{NAMES}\n", "")
    assert answer_many(server, "--min-confidence", "0.99") == 0
    assert json.loads(Path("a.jsonl").read_text())["answer"]["status"] == "unsure"
    assert answer_many(server) == 2
    assert "min_confidence was 0.99, is null" in capsys.readouterr().err


def test_chat_and_eval_have_a_bound_too(
    server: ChatStub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Which pets are there?\n"))
    assert run("chat", "--db", PETS, "--model", server.url, "--min-confidence", "0.99") == 0
    printed = capsys.readouterr().out
    assert "below the bound: unsure" in printed and "Rex" in printed
    assert evaluate(server, "run.jsonl", "--min-confidence", "0.99", "--json") == 0
    assert {line["status"] for line in lines("run.jsonl")} == {"unsure"}
    found = json.loads(capsys.readouterr().out)
    assert (found["ex"], found["coverage"]) == (1, 1), "an unsure answer is an answer"
    assert evaluate(server, "run.jsonl") == 2
    assert "min_confidence was 0.99, is null" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["1.5", "-0.1", "nan"])
def test_a_bound_out_of_its_range_is_refused(server: ChatStub, capsys: pytest.CaptureFixture[str], value: str) -> None:
    chat = run("chat", "--db", PETS, "--model", server.url, f"--min-confidence={value}")
    codes = [
        command(f"--min-confidence={value}")
        for command in (partial(ask, server), partial(evaluate, server, "run.jsonl"))
    ]
    assert ([chat, *codes], capsys.readouterr().err.count(RANGE)) == ([2, 2, 2], 3)


@pytest.mark.parametrize("strategy", ["single", "paper"])
def test_options_without_effect_are_refused(
    server: ChatStub, capsys: pytest.CaptureFixture[str], strategy: str
) -> None:
    chosen = ("--strategy", strategy)
    said = f"error: --samples has no effect with --strategy {strategy}: only adaptive draws samples\n"
    for command in (partial(ask, server), partial(answer_many, server), partial(evaluate, server, "run.jsonl")):
        assert command("--samples", "8", *chosen) == 2
        assert capsys.readouterr().err == said
    assert evaluate(server, "run.jsonl", "--samples", "8", "--ray", "auto", *chosen) == 2
    assert capsys.readouterr().err == said
    assert evaluate(server, "run.jsonl", "--withhold-from", "0.7", *chosen) == 2
    said = f"error: --withhold-from has no effect with --strategy {strategy}: only adaptive withholds SQL\n"
    assert capsys.readouterr().err == said
    assert not server.bodies and not Path("run.jsonl").exists()


@pytest.mark.parametrize("options", [("--sql-only",), ("--sql-only", "--quiet"), ("--quiet",), ("--quiet", "--json")])
def test_the_reason_of_a_failed_answer_is_on_standard_error(
    server: ChatStub, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    server.enqueue(completion(DECLINED))
    assert ask(server, *options) == 1
    printed = capsys.readouterr()
    assert printed.err.endswith(f"{REASON}\n") and (printed.out == "") == ("--sql-only" in options)
    assert "--quiet" not in options or printed.err == f"{REASON}\n"
    server.enqueue(completion("SELECT nam FROM pet"))
    assert ask(server, "--strategy", "single", *options) == 1
    printed = capsys.readouterr()
    assert "error: unknown column nam." in printed.err and "SELECT nam FROM pet" in printed.out


def test_rows_alone_say_their_reason_once(server: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    server.enqueue(completion(DECLINED))
    assert ask(server, "--format", "csv", "--quiet") == 1
    assert capsys.readouterr() == ("", f"{REASON}\n")
