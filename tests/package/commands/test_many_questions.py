"""`ask --questions FILE.csv --out FILE`: a line for each row, resumed after a kill, whatever the rows hold."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.chat_stub import ChatStub, completion, failure, hanging
from support.documented import ROOT, commands
from support.evaluation_runs import names_server, run

from route_sql.demo.database import build_demo_database
from route_sql.many_answers import AnswerFile
from route_sql.tools.errors import InvalidInput

HEADER = "id,question,database\n"
MANY = HEADER + "".join(f"{n},Which pets? {n},{'pets' if n % 2 else 'farm'}\n" for n in range(1, 7))


@pytest.fixture(autouse=True)
def databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pets", "farm"):
        with closing(sqlite3.connect(f"{name}.sqlite")) as connection, connection:
            connection.executescript(f"CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex of {name}');")
    Path("databases.toml").write_text(
        "".join(f'[databases.{name}]\nurl = "sqlite:///{name}.sqlite"\n' for name in ("pets", "farm"))
    )


@pytest.fixture
def server() -> Any:
    with names_server() as stub:
        yield stub


def options(server: ChatStub, *more: object) -> list[str]:
    given = ("--questions", "q.csv", "--out", "a.jsonl", "--model", server.url, "--strategy", "single")
    return ["ask", *map(str, given), *map(str, more)]


def answered(server: ChatStub, text: str | bytes, *more: object) -> int:
    Path("q.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return run(*options(server, *more))


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]


def rows_of(found: list[dict[str, Any]]) -> list[Any]:
    return [line["answer"]["rows"] for line in found]


@pytest.mark.parametrize("at_once", [1, 4])
def test_each_row_has_its_answer_in_the_order_of_the_rows(server: ChatStub, at_once: int) -> None:
    assert answered(server, MANY, "--concurrency", at_once) == 0
    found = lines()
    assert [line["row"] for line in found] == [2, 3, 4, 5, 6, 7]
    assert [line["given"]["id"] for line in found] == ["1", "2", "3", "4", "5", "6"]
    assert rows_of(found) == [[[f"Rex of {line['database']}"]] for line in found]
    assert found[0]["answer"]["sql"] == "SELECT name FROM pet" and found[0]["question"] == "Which pets? 1"
    asked = len(server.bodies)
    assert run(*options(server)) == 0, "nothing is left"
    assert len(server.bodies) == asked == 6 and lines() == found


def test_lines_that_were_written_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    path, rows = tmp_path / "answers.jsonl", [{"row": 2}, {"row": 3}]
    path.write_text('{"row": 3}\n{"row": 2}\n')
    assert AnswerFile(path, {row["row"]: row for row in rows}).in_order() == rows
    assert path.read_text() == '{"row": 2}\n{"row": 3}\n'


def test_a_disk_that_is_full_at_the_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "answers.jsonl").touch()
    monkeypatch.setattr("route_sql.many_answers.write_whole", full)
    with pytest.raises(InvalidInput, match="can't be written: No space left on device; the same command resumes"):
        AnswerFile(tmp_path / "answers.jsonl", {2: {"row": 2}}).in_order()


def test_one_database_needs_no_column(server: ChatStub) -> None:
    assert answered(server, "question\nWhich pets?\n", "--db", "farm.sqlite") == 0
    assert rows_of(lines()) == [[["Rex of farm"]]]


def test_a_killed_run_is_resumed_and_loses_nothing(server: ChatStub) -> None:
    Path("q.csv").write_text(MANY)
    server.enqueue(*[completion("SELECT name FROM pet")] * 3, hanging)
    running = subprocess.Popen([sys.executable, "-m", "route_sql", *options(server)])
    end = time.monotonic() + 240
    while len(server.bodies) < 4 and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    before = lines()
    assert [line["row"] for line in before] == [2, 3, 4]
    with Path("a.jsonl").open("ab") as file:
        file.write(b'{"row": 5, "questi')  # a line that the kill has cut
    assert run(*options(server)) == 0
    assert lines()[:3] == before and [line["row"] for line in lines()] == [2, 3, 4, 5, 6, 7]
    assert len(server.bodies) == 4 + 3


def test_a_model_server_that_fails_stops_the_run_which_resumes(server: ChatStub) -> None:
    server.enqueue(completion("SELECT name FROM pet"))
    working, server.otherwise = server.otherwise, failure(401, "no key")
    assert answered(server, MANY) != 0
    assert len(lines()) == 1
    server.otherwise = working
    assert run(*options(server)) == 0
    assert len(lines()) == 6


def test_bad_rows_get_the_reason_and_the_others_an_answer(server: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    text = HEADER + (
        "1,Which pets?,pets\n"
        "2,,pets\n"
        "\n"
        "3,Which pets? 3,nowhere\n"
        "4,Which pets, and owners?,pets\n"
        "5,Which pets? 5\n"
        "6,'; DROP TABLE pet; --,farm\n"
        '7,"Which\npets? \x00 \u202e 7",farm\n'
    )
    assert answered(server, text) == 1
    assert "row 3, 5, 6, 7;" in " ".join(capsys.readouterr().err.split())
    reasons = {line["row"]: line["answer"]["error"] or "" for line in lines()}
    assert [*reasons] == [2, 3, 5, 6, 7, 8, 9]
    assert "no question" in reasons[3] and "no database 'nowhere'; there are: pets, farm" in reasons[5]
    assert "4 cells for 3 columns" in reasons[6] and "names no database" in reasons[7]
    assert not reasons[2] and not reasons[8] and not reasons[9] and len(server.bodies) == 3
    assert json.loads(json.dumps(lines()[-1]))["question"].startswith("Which\npets?")


def test_a_database_that_can_not_be_read_costs_its_own_rows(server: ChatStub) -> None:
    Path("farm.sqlite").write_bytes(b"no database at all" * 100)
    assert answered(server, MANY) == 1
    assert [line["answer"]["status"] for line in lines()] == ["ok", "error"] * 3


def test_the_same_question_is_asked_once(server: ChatStub) -> None:
    text = HEADER + "1,Which pets?,pets\n2,Which pets?,pets\n3,Which pets?,farm\n4, Which pets? ,pets\n"
    assert answered(server, text) == 0
    assert len(server.bodies) == 2
    assert [line["given"]["id"] for line in lines()] == ["1", "2", "3", "4"]
    assert rows_of(lines()) == [[["Rex of pets"]], [["Rex of pets"]], [["Rex of farm"]], [["Rex of pets"]]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_spreadsheets_are_read(server: ChatStub, encoding: str, separator: str, end: str) -> None:
    text = end.join([separator.join(("Question", "Database", "Größe")), separator.join(("Où?", "pets", "ß")), ""])
    assert answered(server, text.encode(encoding)) == 0
    assert [(line["question"], line["given"]) for line in lines()] == [("Où?", {"Größe": "ß"})]


def test_a_separator_in_the_name_of_a_column_separates_nothing(server: ChatStub) -> None:
    assert answered(server, b'question;database;"a,b,c,d"\nWhich pets?;pets;x\n') == 0
    assert [(line["question"], line["given"]) for line in lines()] == [("Which pets?", {"a,b,c,d": "x"})]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the first row must name the columns"),
        (b"text,database\nWhich?,pets\n", "one must be called question"),
        (b"question,question\na,b\n", "each once"),
        (b"question\n", "has no question below"),
        ("question\nGrüße?\n".encode("cp1252"), "not UTF-8 text"),
        (b'question,database\n"Which pets?,pets\n', "no CSV file, see row 2"),
        (b"question\n" + b"x" * 200_000 + b"\n", "no CSV file, see row 2"),
    ],
)
def test_a_file_that_can_not_be_read_is_an_error(
    server: ChatStub, capsys: pytest.CaptureFixture[str], data: bytes, said: str
) -> None:
    assert answered(server, data) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not Path("a.jsonl").exists() and not server.bodies


def test_other_questions_or_settings_are_not_mixed_in(server: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert answered(server, MANY) == 0
    for text, more, said in [
        (MANY, ("--max-tokens", 99), "max_tokens was null, is 99"),
        (MANY + "7,Which?,pets\n", (), "rows was 6, is 7"),
    ]:
        assert answered(server, text, *more) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert answered(server, MANY) == 0
    Path("a.jsonl").write_text('{"row": 2}\nnothing\n')
    assert answered(server, MANY) == 2
    assert "is damaged" in " ".join(capsys.readouterr().err.split())
    Path("a.jsonl.meta.json").unlink()
    assert answered(server, MANY) == 2
    assert "name another file" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "more", [("Which pets?",), ("--json",), ("--sql-only",), ("--report", "r.html"), ("--evidence", "x")]
)
def test_options_for_one_question_are_refused(
    server: ChatStub, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    assert answered(server, MANY, *more) == 2
    assert "--questions and --out go together" in " ".join(capsys.readouterr().err.split())


def test_the_documented_file_and_command_work(server: ChatStub) -> None:
    page = ROOT / "docs" / "many_questions.md"
    (command,) = commands(page)
    Path("questions.csv").write_text(page.read_text().split("```text\n")[1].split("```")[0])
    build_demo_database(Path(".demo/clinic.sqlite"))
    assert run(*command.words[1:], "--model", server.url, "--strategy", "single") == 1, "the clinic has no pets"
    found = [json.loads(line) for line in Path("answered.jsonl").read_text().splitlines()]
    assert [line["given"] for line in found] == [{"topic": "staff"}, {"topic": "pharmacy"}]
    assert [line["row"] for line in found] == [2, 3]


def test_the_answers_are_json_lines(server: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert answered(server, MANY, "--out", "a.csv") == 2
    assert "a.jsonl" in capsys.readouterr().err
    assert run("ask", "--questions", "q.csv") == 2 and run("ask", "--out", "a.jsonl") == 2
