"""`route-sql chat` and `open_default`: many questions, one start, one thread."""

import io
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.chat_stub import ChatStub, completion

from route_sql import Context, open_default
from route_sql.cli import main
from route_sql.testing import ScriptedModel
from route_sql.tools.errors import DatabaseUnavailable, InvalidInput

NAMES = "SELECT name FROM pet"
KINDS = "SELECT kind, COUNT(*) FROM pet GROUP BY kind"
Talk = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with closing(sqlite3.connect(tmp_path / "pets.sqlite")) as connection:
        connection.executescript(
            "CREATE TABLE pet (name TEXT, kind TEXT); INSERT INTO pet VALUES ('Rex', 'dog'), ('Mia', 'cat');"
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pets.sqlite"


@pytest.fixture
def talk(stub: ChatStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talk:
    def run(typed: str, *options: str, db: str = "pets.sqlite") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            main(["chat", "--db", db, "--model", stub.url, "--strategy", "single", *options])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def prompts(stub: ChatStub) -> list[str]:
    return [str(body["messages"][-1]["content"]) for body in stub.bodies]


def test_questions_follow_each_other_on_one_thread(stub: ChatStub, talk: Talk) -> None:
    stub.enqueue(completion(NAMES), completion(KINDS), completion(NAMES))
    code, out, err = talk("Which pets are there?\n\nAnd by kind?\nList all pets.\n")
    assert code == 0 and "error" not in err
    assert err.count("wrote the query: SELECT") == 3 and "loading the model" in err
    assert "Rex" in out and "dog\t1" in out and out.count("confidence") == 3
    assert "Read as a follow-up of: Which pets are there?" in out
    assert ["Earlier question" in text for text in prompts(stub)] == [False, True, False]


@pytest.mark.parametrize(("typed", "options"), [("/new\n", []), ("", ["--no-follow-up"])])
def test_a_new_thread_or_an_option_forgets_the_last_question(
    stub: ChatStub, talk: Talk, typed: str, options: list[str]
) -> None:
    stub.enqueue(completion(NAMES), completion(KINDS))
    talk(f"Which pets are there?\n{typed}And by kind?\n", *options)
    assert "Earlier question" not in prompts(stub)[1]


def test_doubts_and_a_failed_query_are_printed_and_the_chat_continues(stub: ChatStub, talk: Talk) -> None:
    stub.enqueue(completion("SELECT nam FROM pet"), completion(f"{NAMES} WHERE 0"), completion(NAMES))
    code, out, _ = talk("Which pets?\nWhich cats?\nList all pets.\n")
    assert code == 0 and "no such column" in out and "returns no row" in out and "Rex" in out


def test_help_and_quit(stub: ChatStub, talk: Talk) -> None:
    code, out, _ = talk("/help\n/what\n/quit\nWhich pets?\n")
    assert code == 0 and out.count("/new") == 2 and not stub.bodies


@pytest.mark.parametrize(
    ("typed", "is_run"),
    [("y\n", True), ("YES\n", True), ("n\n", False), ("", False), ("maybe\n\ny\n", True), ("e\n\n", False)],
)
def test_a_query_is_approved_or_not(stub: ChatStub, talk: Talk, typed: str, is_run: bool) -> None:
    stub.enqueue(completion(NAMES))
    code, out, _ = talk(f"Which pets are there?\n{typed}", "--approve")
    assert code == 0 and NAMES in out
    assert ("Rex" in out) == is_run and ("not approved" in out or "rejected" in out) != is_run


PEOPLE = """
    CREATE TABLE owner (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE vet (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE visit (id INTEGER, owner_id INTEGER REFERENCES owner (id), vet_id INTEGER REFERENCES vet (id));
    INSERT INTO owner VALUES (1, 'Ann'); INSERT INTO vet VALUES (1, 'Bo'); INSERT INTO visit VALUES (1, 1, 1);
"""
UNCLEAR = "List the name of each visit.\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [("1\n", "owner.name"), ("vet.name\n", "vet.name"), ("\n9\nthe vet\n", "the vet")],
)
def test_an_unclear_question_is_asked_back(stub: ChatStub, talk: Talk, pets: Path, typed: str, said: str) -> None:
    with closing(sqlite3.connect(pets)) as connection:
        connection.executescript(PEOPLE)
    stub.enqueue(completion("SELECT name FROM vet"))
    code, out, _ = talk(UNCLEAR + typed, "--clarify")
    assert code == 0 and "1. " in out and "2. " in out
    assert said in prompts(stub)[0] and "A person said" in out


@pytest.mark.parametrize("typed", ["/new\n", ""])
def test_an_unclear_question_can_be_left(stub: ChatStub, talk: Talk, pets: Path, typed: str) -> None:
    with closing(sqlite3.connect(pets)) as connection:
        connection.executescript(PEOPLE)
    more = "Which kinds of pet are there?\n" if typed else ""
    if more:
        stub.enqueue(completion("SELECT kind FROM pet"))
    code, out, err = talk(UNCLEAR + typed + more, "--clarify")
    assert code == 0 and "it was left" in err and ("cat" in out) == bool(more)


def test_a_quiet_chat_tells_nothing_while_it_works(stub: ChatStub, talk: Talk) -> None:
    stub.enqueue(completion(NAMES))
    code, out, err = talk("Which pets are there?\n", "--quiet")
    assert code == 0 and "Rex" in out and not err.strip()


def test_a_server_that_is_gone_does_not_end_the_chat(
    pets: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Which pets?\nWhich pets?\n"))
    with pytest.raises(SystemExit) as ended:
        main(["chat", "--db", str(pets), "--model", "http://127.0.0.1:9"])
    printed = capsys.readouterr()
    assert not ended.value.code and printed.err.count("error: ") == 2


def test_a_database_that_is_none_ends_it_before_the_model_starts(talk: Talk, stub: ChatStub) -> None:
    code, _, err = talk("Which?\n", db="nothing.sqlite")
    assert code == 2 and "nothing.sqlite" in err and not stub.bodies


def test_on_a_terminal_there_is_a_prompt_and_nothing_steers_it(stub: ChatStub, pets: Path) -> None:
    stub.enqueue(completion("SELECT name || char(27) || ']0;x' AS n FROM pet"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "route_sql", "chat", "--db", str(pets), "--model", stub.url]
    process = subprocess.Popen([*command, "--strategy", "single"], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, b"Which pets are there?\n/quit\n")
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # Linux's word for a terminal whose other end is closed
        pass
    assert process.wait(60) == 0
    os.close(ours)
    assert b"pets> " in shown and b"Rex\\x1b]0;x" in shown and b"\x1b]0;" not in shown


def test_three_lines_from_a_database_to_an_answer(stub: ChatStub) -> None:
    stub.enqueue(completion(NAMES), completion(KINDS))
    with open_default("pets.sqlite", model=stub.url, context=Context(strategy="single")) as database:
        assert database.ask("Which pets are there?")["rows"] == [["Rex"], ["Mia"]]
        assert database.ask("And by kind?")["row_count"] == 2
    assert "Earlier question" in prompts(stub)[1]
    with pytest.raises(InvalidInput, match="is not open"):
        database.ask("Which pets are there?")


async def test_the_same_for_async_callers(stub: ChatStub) -> None:
    stub.enqueue(completion(NAMES), completion(NAMES))
    seen: list[Any] = []

    def decide(query: dict[str, Any]) -> bool:
        seen.append(query["approve"])
        return True

    async with open_default("pets.sqlite", model=stub.url, context=Context(strategy="single", approve=True)) as opened:
        assert (await opened.aask("Which pets are there?", decide=decide))["row_count"] == 2 and seen == [NAMES]
        with pytest.raises(InvalidInput, match="waits for a person: give `decide`"):
            await opened.aask("Which pets are there?")


@pytest.mark.parametrize("decision", [None, {}, [], "", False, "yes", {"a" * 32: True}])
def test_what_is_no_decision_is_refused_and_ends_the_question(stub: ChatStub, decision: Any) -> None:
    stub.enqueue(completion(NAMES), completion(NAMES))
    asked: list[Any] = []

    def decide(query: dict[str, Any]) -> Any:
        asked.append(query)
        assert len(asked) == 1, "asked again"
        return decision

    with open_default("pets.sqlite", model=stub.url, context=Context(strategy="single", approve=True)) as database:
        with pytest.raises(InvalidInput, match="answer with true or"):
            database.ask("Which pets are there?", decide=decide)
        assert database.ask("List all pets.", decide=lambda _: True)["row_count"] == 2


def test_what_can_not_be_opened_says_why() -> None:
    with pytest.raises(DatabaseUnavailable, match="nothing.sqlite"), open_default("nothing.sqlite"):
        pass
    given: Any
    for given in (None, 3, ["pets.sqlite"]):
        with pytest.raises(InvalidInput, match="the database must be a file, a URL or a name"):
            open_default(given)
    for given in (3, ScriptedModel()):
        with pytest.raises(InvalidInput, match="takes any LangChain chat model"):
            open_default("pets.sqlite", model=given)
