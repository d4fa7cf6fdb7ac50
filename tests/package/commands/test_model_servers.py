"""A model server at a URL, through the command line: its name, wording, limits and counts."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.chat_stub import ChatStub, Reply, completion, models

from route_sql.cli import main

SQL = "SELECT name FROM pet"
USAGE = {"prompt_tokens": 9, "completion_tokens": 2}


@pytest.fixture(autouse=True)
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pets.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex'), ('Mia');")
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def ask(stub: ChatStub, *more: str) -> int:
    return run("ask", "Which pets?", "--db", "pets.sqlite", "--model", stub.url, "--strategy", "single", *more)


def cut(text: str | None, **message: str) -> Reply:
    choice = {"index": 0, "finish_reason": "length", "message": {"content": text} | message}
    return completion("", choices=[choice], usage=USAGE | {"completion_tokens": 512})


@pytest.mark.parametrize(("name", "task"), [("route-sql/default", "Task: text to SQL"), ("qwen", "Task: write one")])
def test_the_name_of_the_model_says_how_it_is_asked(stub: ChatStub, name: str, task: str) -> None:
    stub.models.append(models(name))
    stub.enqueue(completion(SQL))
    assert ask(stub) == 0
    assert task in stub.bodies[0]["messages"][-1]["content"] and stub.bodies[0]["model"] == name


@pytest.mark.parametrize("url", ["http://[::1", "http://:80", "http://a:x/v1", "http://"])
def test_a_url_that_can_not_be_read_is_wrong_use(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert run("ask", "Which?", "--db", "pets.sqlite", "--model", url) == 2
    assert "can't be read" in capsys.readouterr().err
    assert run("doctor", "--model", url) != 0


def test_a_wording_that_is_set_wins(stub: ChatStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTE_SQL_WORDING", "tuned")
    stub.models.append(models("qwen"))
    stub.enqueue(completion(SQL))
    assert ask(stub) == 0
    assert "Task: text to SQL" in stub.bodies[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("usage", "cached", "shown"),
    [
        (USAGE, None, "-"),
        (USAGE | {"prompt_tokens_details": None}, None, "-"),
        (USAGE | {"prompt_tokens_details": {"cached_tokens": 0}}, 0, "0"),
        (USAGE | {"prompt_tokens_details": {"cached_tokens": 7}}, 7, "7"),
    ],
)
def test_cached_tokens_that_are_not_said_are_not_zero(
    stub: ChatStub, capsys: pytest.CaptureFixture[str], usage: Any, cached: int | None, shown: str
) -> None:
    stub.enqueue(completion(SQL, usage=usage), completion(SQL, usage=usage))
    assert ask(stub, "--json") == 0
    assert json.loads(capsys.readouterr().out)["ledger"][0]["cached_tokens"] == cached
    assert ask(stub) == 0
    rows = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert next(row for row in rows if row[:2] == ["generate", "9"])[2] == shown


def test_the_figures_of_a_run_leave_open_what_nobody_said(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    gold = [{"db_id": "pets", "question": f"Which? {n}", "query": SQL} for n in range(2)]
    Path("dev.json").write_text(json.dumps(gold))
    Path("data/pets").mkdir(parents=True)
    Path("pets.sqlite").rename("data/pets/pets.sqlite")
    said = {"prompt_tokens_details": {"cached_tokens": 7}}
    stub.enqueue(completion(SQL, usage=USAGE), completion(SQL, usage=USAGE | said))
    data = ("--questions", "dev.json", "--databases", "data", "--out", "run.jsonl", "--strategy", "single")
    assert run("eval", *data, "--model", stub.url, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["prompt_tokens_per_question"] == 9
    assert figures["cached_share"] is None and figures["computed_prompt_tokens_per_question"] is None
    assert sorted(str(json.loads(line)["cached_tokens"]) for line in Path("run.jsonl").read_text().splitlines()) == [
        "7",
        "None",
    ]


@pytest.mark.parametrize("reply", [cut("<think>Let me see"), cut(None, reasoning_content="Let me see"), cut("")])
def test_a_model_that_is_cut_while_it_thinks_is_said(
    stub: ChatStub, capsys: pytest.CaptureFixture[str], reply: Reply
) -> None:
    stub.enqueue(reply)
    assert ask(stub, "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ledger"][0]["finish_reason"] == "length"
    for said in (answer["error"], answer["notes"][0]):
        assert "cut at the limit of tokens (512 tokens)" in said and "--max-tokens" in said


def test_a_model_that_just_writes_no_sql_is_not_said_to_be_cut(
    stub: ChatStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.enqueue(completion("no idea"))
    assert ask(stub, "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert "cut" not in answer["error"] and answer["notes"] == []


def test_the_limit_of_tokens_can_be_raised(stub: ChatStub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.enqueue(*[completion(SQL)] * 3)
    assert ask(stub) == ask(stub, "--max-tokens", "4000") == 0
    monkeypatch.setenv("ROUTE_SQL_MAX_TOKENS", "3000")
    assert ask(stub) == 0
    assert [body["max_tokens"] for body in stub.bodies] == [512, 4000, 3000]
    assert ask(stub, "--max-tokens", "0") == 2


def test_eval_asks_as_many_at_once_as_it_is_to(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    gold = [{"db_id": "pets", "question": f"Which? {n}", "query": SQL} for n in range(40)]
    Path("dev.json").write_text(json.dumps(gold))
    Path("data/pets").mkdir(parents=True)
    Path("pets.sqlite").rename("data/pets/pets.sqlite")
    stub.enqueue(*[completion(SQL, seconds=3.0)] * 40)
    data = ("--questions", "dev.json", "--databases", "data", "--out", "run.jsonl", "--strategy", "single")
    assert run("eval", *data, "--model", stub.url, "--json", "--concurrency", "40") == 0
    assert stub.most_at_once > 20


def test_doctor_shows_name_context_wording_and_cached_tokens(
    stub: ChatStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.models.append(models({"id": "route-sql-[red]\x1b]52;c;A\x07", "max_model_len": 8192}))
    details = {"prompt_tokens_details": {"cached_tokens": 0}}
    stub.enqueue(completion("x", usage=USAGE | details), completion("x", usage=USAGE))
    assert run("doctor", "--model", stub.url) == 0
    said = capsys.readouterr().out
    for expected in ("its model: route-sql-[red]", "8,192 tokens", "its wording: tuned", "said with each answer"):
        assert expected in said
    assert "\x1b]52" not in said
    assert run("doctor", "--model", stub.url) == 0
    assert "cached tokens: not said" in capsys.readouterr().out


def test_doctor_says_what_a_server_leaves_open(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.enqueue(completion("x"))
    assert run("doctor", "--model", stub.url) == 0
    said = capsys.readouterr().out
    for expected in ("its model: not said", "its context: not said", "its wording: instruct"):
        assert expected in said


def test_several_servers_at_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    stubs = [ChatStub(otherwise=completion(SQL, usage=USAGE)) for _ in range(3)]
    for stub in stubs:
        stub.models.append(models("route-sql"))
    together = ", ".join(stub.url for stub in stubs)
    question = ("ask", "Which pets?", "--db", "pets.sqlite", "--strategy", "single", "--json")
    assert run(*question, "--model", together) == 0
    served = json.loads(capsys.readouterr().out)["ledger"][0]["server"]
    next(stub for stub in stubs if stub.url.endswith(served)).close()
    assert run(*question, "--model", together) == 0
    assert json.loads(capsys.readouterr().out)["ledger"][0]["server"] in together.replace(served, "")
    assert sum(len(stub.bodies) for stub in stubs) == 2
    for stub in stubs:
        if not stub.url.endswith(served):
            stub.close()


@pytest.mark.parametrize("more", [",", ",default", ",http://", ",ftp://a", ", http://b:x"])
def test_a_list_of_servers_with_something_else_in_it_is_wrong_use(
    stub: ChatStub, capsys: pytest.CaptureFixture[str], more: str
) -> None:
    assert run("ask", "Which?", "--db", "pets.sqlite", "--model", stub.url + more) == 2
    assert "can't be read" in capsys.readouterr().err
    assert not stub.bodies


def test_the_doctor_looks_at_each_server(capsys: pytest.CaptureFixture[str]) -> None:
    stubs = [ChatStub(otherwise=completion(SQL, usage=USAGE)) for _ in range(2)]
    stubs[0].models.append(models("route-sql"))
    stubs[1].models.append(models("qwen"))
    assert run("doctor", "--model", ",".join(stub.url for stub in stubs)) == 1
    out = capsys.readouterr().out
    assert all(f"the server at {stub.url} answers" in out for stub in stubs)
    assert "the servers name different models: qwen, route-sql" in out and "--served-model-name" in out
    stubs[1].models[0] = models("route-sql")
    assert run("doctor", "--model", ",".join(stub.url for stub in stubs)) == 0
    for stub in stubs:
        stub.close()
