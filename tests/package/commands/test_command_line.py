"""The command line as a user meets it: what it prints, where, and how it ends."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.chat_stub import ChatStub, completion

from route_sql import open_default
from route_sql.cli import main
from route_sql.tools.errors import InvalidInput


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    path = tmp_path / "pets.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex'), ('Mia');")
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The command reads databases.toml from the folder it is called in.
    monkeypatch.chdir(tmp_path)
    yield


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def ask(stub: ChatStub, db: object, *more: str) -> int:
    return run("ask", "Which pets are there?", "--db", db, "--model", stub.url, "--strategy", "single", *more)


def test_json_is_one_object_and_nothing_else(stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stub.enqueue(completion("SELECT name FROM pet"))
    assert ask(stub, pets, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["sql"], answer["status"], answer["rows"]) == ("SELECT name FROM pet", "ok", [["Rex"], ["Mia"]])
    assert [entry["node"] for entry in answer["ledger"]] == ["generate"]


def test_agents_are_switched_off(stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stub.enqueue(completion("SELECT nam FROM pet"))
    off = ["link_schema", "generate", "correct_noise", "continue_writing"]
    options = [word for agent in off for word in ("--without", agent)]
    assert ask(stub, pets, "--strategy", "adaptive", "--json", *options) == 1
    answer = json.loads(capsys.readouterr().out)
    assert [entry["node"] for entry in answer["ledger"]] == ["draft"]
    assert ask(stub, pets, "--without", "corrector", "--json") == 2
    printed = capsys.readouterr()
    assert "correct_noise" in printed.err and "corrector" in json.loads(printed.out)["error"]


def test_sql_only_prints_the_sql(stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stub.enqueue(completion("SELECT name FROM pet"))
    assert ask(stub, pets, "--sql-only") == 0
    assert capsys.readouterr().out == "SELECT name FROM pet\n"


def test_a_person_sees_sql_rows_agents_and_costs(
    stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.enqueue(completion("SELECT name AS [red]n[/red] FROM pet"))
    assert ask(stub, pets) == 1
    stub.enqueue(completion("SELECT name FROM pet WHERE name = 'Rex'"))
    assert ask(stub, pets) == 0
    shown = capsys.readouterr().out
    for expected in ("SELECT name", "Rex", "1 row", "generate", "ledger"):
        assert expected in shown


@pytest.mark.parametrize("reply", ["SELECT nam FROM pet", "DROP TABLE pet", "no idea"])
def test_no_answer_is_exit_code_1(stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str], reply: str) -> None:
    stub.enqueue(completion(reply))
    assert ask(stub, pets, "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["status"] in ("error", "refused") and answer["error"]


def test_a_server_that_is_gone_is_exit_code_1(stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ask", "Which?", "--db", pets, "--model", "http://127.0.0.1:9/nothing-here-v1x", "--json") == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["status"] == "error"
    assert "127.0.0.1:9" in printed.err


@pytest.mark.parametrize("content", [b"", b"just text, and more of it than a header has, so that it is read as a file"])
def test_a_file_without_tables_is_exit_code_2(
    stub: ChatStub, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "file.sqlite"
    path.write_bytes(content)
    assert ask(stub, path) == 2
    said = capsys.readouterr().err
    assert "has no tables" in said if not content else "file.sqlite" in said


def test_a_missing_file_and_a_folder_are_exit_code_2(
    stub: ChatStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(stub, tmp_path / "nothing.sqlite") == 2
    assert ask(stub, tmp_path) == 2
    assert ask(stub, "postgresql://somebody:secret@host/shop") == 2
    said = capsys.readouterr().err
    assert "nothing.sqlite" in said and "secret" not in said


def test_a_name_of_the_catalog(stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("databases.toml").write_text('[databases.zoo]\nurl = "sqlite:///pets.sqlite"\n')
    stub.enqueue(completion("SELECT name FROM pet"))
    assert ask(stub, "zoo", "--json") == 0


def test_the_limits_of_the_catalog_hold_for_an_answer(
    stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("databases.toml").write_text('[databases.zoo]\nurl = "sqlite:///pets.sqlite"\nlimits.rows = 500\n')
    stub.enqueue(
        completion("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) SELECT i FROM n")
    )
    assert ask(stub, "zoo", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (len(answer["rows"]), answer["truncated"]) == (500, True)


def test_wrong_use_is_exit_code_2(pets: Path) -> None:
    assert run("ask", "Which?") == 2
    assert run("ask", "  ", "--db", pets) == 2
    assert run("ask", "Which?", "--db", pets, "--strategy", "best") == 2
    assert run("ask", "Which?", "--db", pets, "--model", "no-such-model") == 2


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("ROUTE_SQL_MAX_TOKENS", "abc", "a whole number above 0"),
        ("ROUTE_SQL_MAX_TOKENS", "0", "a whole number above 0"),
        ("ROUTE_SQL_WORDING", "Tuned", "'instruct' or 'tuned'"),
        ("ROUTE_SQL_TRACE_CONTENT", "maybe", "true or false"),
    ],
)
def test_a_wrong_setting_is_named_and_exit_code_2(
    pets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str, valid: str
) -> None:
    monkeypatch.setenv(name, value)
    said = f"{name} must be {valid}, not '{value}'"
    for command in (["ask", "Which?", "--db", pets], ["schema", "--db", pets], ["doctor"], ["mcp", "--db", pets]):
        assert run(*command) == 2
        assert capsys.readouterr().err == f"error: {said}\n"
    with pytest.raises(InvalidInput, match=said):
        open_default(pets)


def test_the_schema_as_the_agents_see_it(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("schema", "--db", pets) == 0
    assert capsys.readouterr().out.startswith("pet (\n  name TEXT")


def test_doctor_says_what_is_missing(stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stub.enqueue(completion("hello"))
    assert run("doctor", "--model", stub.url, "--db", pets) == 0
    assert run("doctor", "--model", "no-such-model") == 1
    shown = capsys.readouterr().out
    assert "answers" in shown and "tables: 1" in shown and "no-such-model" in shown


def test_eval_and_score_agree(stub: ChatStub, tmp_path: Path, pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data/pets").mkdir(parents=True)
    pets.rename(tmp_path / "data/pets/pets.sqlite")
    gold = [{"db_id": "pets", "question": f"Which? {n}", "query": "SELECT name FROM pet"} for n in range(2)]
    (tmp_path / "dev.json").write_text(json.dumps(gold))
    stub.enqueue(completion("SELECT name FROM pet"), completion("SELECT 1"))
    data = ("--questions", "dev.json", "--databases", "data", "--json")
    assert run("eval", *data, "--out", "run.jsonl", "--model", stub.url, "--strategy", "single") == 0
    assert run("score", *data, "--predictions", "run.jsonl") == 0
    evaluated, scored = map(json.loads, capsys.readouterr().out.splitlines())
    assert evaluated["ex"] == scored["ex"] == 0.5
    assert (evaluated["n"], evaluated["calls_per_question"]) == (2, 1.0)


def test_a_misspelt_database_is_counted_and_the_rest_is_scored(
    stub: ChatStub, tmp_path: Path, pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data/pets").mkdir(parents=True)
    pets.rename(tmp_path / "data/pets/pets.sqlite")
    names = ["pets", "pest", "pets"]
    gold = [{"db_id": name, "question": "Which?", "SQL": "SELECT name FROM pet"} for name in names]
    (tmp_path / "dev.json").write_text(json.dumps(gold))
    bird = {str(n): f"SELECT name FROM pet\t----- bird -----\t{name}" for n, name in enumerate(names)}
    (tmp_path / "predict_dev.json").write_text(json.dumps(bird))
    data = ("--questions", "dev.json", "--databases", "data", "--layout", "bird")
    assert run("score", *data, "--predictions", "predict_dev.json", "--json") == 1
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    assert (summary["n"], summary["ex"], summary["wrong_databases"]) == (3, 2 / 3, {"there is no 'pest'": 1})
    assert "1 of 3 count as wrong because of their database: there is no 'pest' (1)" in printed.err
    stub.enqueue(*[completion("SELECT name FROM pet")] * 2)
    assert run("eval", *data, "--out", "run.jsonl", "--model", stub.url, "--strategy", "single", "--json") == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["ex"] == 2 / 3 and "there is no 'pest'" in printed.err
