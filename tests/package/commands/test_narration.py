"""`ask` tells on standard error what it does while it works."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.chat_stub import ChatStub, completion
from support.terminals import on_a_terminal

from route_sql.cli import main

SQL = "SELECT name\nFROM pet"


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pets.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex'), ('Mia');")
    return path


@pytest.fixture
def ask(stub: ChatStub, pets: Path) -> Callable[..., int]:
    def run(*more: str) -> int:
        words = ["ask", "Which pets are there?", "--db", str(pets), "--model", stub.url, "--strategy", "single", *more]
        with pytest.raises(SystemExit) as ended:
            main(words)
        return int(ended.value.code or 0)

    return run


def test_the_story_is_on_standard_error(
    stub: ChatStub, ask: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    stub.enqueue(completion(SQL))
    assert ask("--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["status"] == "ok"
    reported = [line[10:] for line in printed.err.splitlines() if "  still " not in line]
    assert reported[:4] == [
        "loading the model",
        "reading the database",
        "writing a query",
        f"wrote the query: {SQL}".replace("\n", " "),
    ]
    assert reported[-1].startswith("answered with 2 rows")
    assert all(line[:8].endswith(" s") for line in printed.err.splitlines())


def test_quiet_tells_nothing(stub: ChatStub, ask: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    stub.enqueue(completion(SQL))
    assert ask("--quiet") == 0
    assert capsys.readouterr().err == ""


def test_a_hostile_query_is_escaped_in_the_story(
    stub: ChatStub, ask: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    stub.enqueue(completion("SELECT '\x1b[2J\u202e', name FROM pet"))
    assert ask() == 0
    reported = capsys.readouterr().err
    assert r"\x1b[2J\u202e" in reported and "\x1b" not in reported


def test_a_terminal_has_a_spinner_and_no_line_for_each_beginning(stub: ChatStub, pets: Path) -> None:
    stub.enqueue(completion(SQL))
    words = ("ask", "Which pets are there?", "--db", pets, "--model", stub.url, "--strategy", "single")
    shown = on_a_terminal(*words, columns=120)
    assert "\x1b[?25l" in shown, "no spinner hid the cursor"
    assert "wrote the query" in shown and "Rex" in shown
