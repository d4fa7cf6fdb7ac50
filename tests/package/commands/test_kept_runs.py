"""`ask --record` and `ask --replay` as a user meets them."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.chat_stub import ChatStub, completion

from route_sql.cli import main

SQL = "SELECT name FROM pet"
QUESTION = "Which pets are there?"


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("pets.sqlite")) as connection:
        connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex'), ('Mia');")
    return tmp_path / "pets.sqlite"


def ask(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["ask", *map(str, words)])
    return int(ended.value.code or 0)


def record(stub: ChatStub, pets: Path) -> None:
    stub.enqueue(completion(SQL))
    assert ask(QUESTION, "--db", pets, "--model", stub.url, "--strategy", "single", "--record", "kept", "--quiet") == 0


def test_a_recorded_run_is_replayed(stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(stub, pets)
    pets.unlink()
    capsys.readouterr()
    assert ask("--replay", "kept", "--json", "--report", "page.html") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["rows"] == [["Rex"], ["Mia"]]
    assert "the query returned 2 rows" in printed.err and "diverged" not in printed.err
    assert "Task:" in Path("page.html").read_text() and len(stub.bodies) == 1


def test_a_divergence_is_said_and_is_exit_code_1(
    stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(stub, pets)
    text = Path("kept/recording.json").read_text()
    Path("kept/recording.json").write_text(text.replace('"row_count": 2', '"row_count": 3'))
    capsys.readouterr()
    Path("kept/recording.json").write_text(
        text.replace("name TEXT", "label TEXT").replace('"name":"name"', '"name":"x"')
    )
    assert ask("--replay", "kept", "--quiet") == 1
    assert "diverged: generate: line " in capsys.readouterr().err
    Path("kept/recording.json").write_text(text.replace(f'"reply": "{SQL}"', '"reply": "SELECT 2"'))
    assert ask("--replay", "kept", "--quiet", "--json") == 1
    printed = capsys.readouterr()
    assert "not recorded: 'SELECT 2'" in printed.err and json.loads(printed.out)["status"] == "error"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--report", "x" * 252], "the page can't be written"),
        (["--record", "pets.sqlite/kept"], "the recording can't be written"),
    ],
)
def test_a_file_that_can_not_be_written_costs_no_answer(
    stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    # The draft of a file with so long a name can't be written: as with a full disk, nobody knows before.
    stub.enqueue(completion(SQL))
    assert ask(QUESTION, "--db", pets, "--model", stub.url, "--strategy", "single", "--json", *words) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["rows"] == [["Rex"], ["Mia"]] and message in printed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--replay", "nowhere"], "name a folder of --record"),
        (["Another?", "--replay", "kept"], "another question"),
        ([QUESTION, "--db", "pets.sqlite", "--record", "kept"], "name another folder"),
        (["--replay", "kept", "--record", "more"], "contradict"),
        (["--replay", "kept", "--model", "default"], "leave out --model"),
        (["--replay", "kept", "--calibration", "mine.json", "--samples", "4"], "leave out --calibration, --samples"),
        (["--replay", "kept", "--no-withhold"], "leave out --withhold"),
        ([QUESTION], "name the database"),
        (["--db", "pets.sqlite"], "the question is empty"),
    ],
)
def test_wrong_use_says_what_to_do(
    stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    record(stub, pets)
    assert ask(*words) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
