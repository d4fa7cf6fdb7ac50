"""Right answers become a query log that `train data` and `eval` read."""

import io
import json
import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import chdir, closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from support.chat_stub import ChatStub, completion

from route_sql import Catalog, Context, InvalidInput, build_graph, save_answer
from route_sql.cli import main
from route_sql.graph.asking import no_answer
from route_sql.testing import ScriptedModel
from route_sql.training.datasets.query_log import load_query_log
from route_sql.training.errors import DatasetError

NAMES = "SELECT name FROM pet"
DOGS = "SELECT name FROM pet\nWHERE kind = 'dog'"
QUESTION = {"question": "Which pets are there?", "database": "pets"}
THREAD: Any = {"configurable": {"thread_id": "1"}}


@pytest.fixture
def pets(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pets.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE pet (name TEXT, kind TEXT); INSERT INTO pet VALUES ('Rex', 'dog'), ('Mia', 'cat');"
        )
    with chdir(tmp_path):
        yield path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def pairs(log: Path) -> list[tuple[str, str, str, str]]:
    return [(each.question, each.sql, each.database, each.evidence) for each in load_query_log(log)]


@pytest.mark.parametrize(
    ("decision", "sql"), [(True, NAMES), ({"type": "edit", "sql": DOGS}, DOGS), ({"type": "reject"}, None)]
)
async def test_what_a_person_decided_is_saved_from_the_thread(pets: Path, decision: object, sql: str | None) -> None:
    catalog, _ = Catalog.from_url(pets)
    async with catalog:
        graph: Any = build_graph(ScriptedModel(history=[]).enqueue("sql", NAMES), catalog, checkpointer=InMemorySaver())
        asked = {**QUESTION, "evidence": "pets are animals"}
        await graph.ainvoke(asked, THREAD, context=Context(strategy="single", approve=True))
        answer = await graph.ainvoke(Command(resume=decision), THREAD)
        values = (await graph.aget_state(THREAD)).values
    log = pets.with_name("log.jsonl")
    for question, given in ((asked, answer), (values, values)):
        if sql is None:
            with pytest.raises(InvalidInput, match="status 'refused' is not an example"):
                save_answer(log, question, given)
        else:
            save_answer(log, question, given)
    saved = [("Which pets are there?", sql, "pets", "pets are animals")] if sql else []
    assert (pairs(log) if log.exists() else []) == saved, "both are the same pair"


def test_a_saved_log_is_evaluated_and_learned_from(pets: Path, stub: ChatStub) -> None:
    for number in range(4):
        assert save_answer("log.jsonl", {**QUESTION, "question": f"Which pets are there, asked {number}?"}, NAMES)
    stub.enqueue(*[completion(NAMES)] * 4)
    data = ("--layout", "log", "--questions", "log.jsonl", "--databases", ".")
    assert run("eval", *data, "--model", stub.url, "--strategy", "single", "--out", "run.jsonl") == 0
    lines = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert [each["correct"] for each in lines if "correct" in each] == [True] * 4
    assert run("train", "data", *data, "--out", "rows", "--held-out", "0") == 0
    assert len(Path("rows/text_to_sql.train.jsonl").read_text().splitlines()) >= 4


def test_any_text_comes_back_and_no_pair_twice(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({**QUESTION, "sql": NAMES}))  # a line without its end
    texts = ['Wer heißt "Rex\\"?\n\u2028Wie?', "日本語\r\n", "=1+1", '{"question": 1}']
    for text in [*texts, *texts]:
        save_answer(log, {**QUESTION, "question": text}, f" {DOGS} ")
    assert not save_answer(str(log), QUESTION, NAMES)
    assert pairs(log) == [(QUESTION["question"], NAMES, "pets", ""), *((text, DOGS, "pets", "") for text in texts)]
    assert save_answer(log, {**QUESTION, "evidence": "all of them"}, NAMES)


def test_many_writers_lose_no_pair(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"

    def write(writer: int) -> None:
        for number in range(20):
            save_answer(log, {**QUESTION, "question": f"{writer} {number}"}, NAMES)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(pairs(log)) == 100


@pytest.mark.parametrize(
    ("log", "question", "answer", "error", "says"),
    [
        ("log.csv", QUESTION, NAMES, InvalidInput, "ends in .jsonl"),
        ("nowhere/log.jsonl", QUESTION, NAMES, InvalidInput, "can't be written: No such file"),
        (".jsonl", QUESTION, NAMES, InvalidInput, "ends in .jsonl"),
        ("log.jsonl", QUESTION, " ", InvalidInput, "the sql to save"),
        ("log.jsonl", {**QUESTION, "question": ""}, NAMES, InvalidInput, "the question to save"),
        ("log.jsonl", {"question": "Which?"}, NAMES, InvalidInput, "the database to save"),
        ("log.jsonl", {**QUESTION, "evidence": 3}, NAMES, InvalidInput, "the evidence to save"),
        ("log.jsonl", QUESTION, no_answer("no such table"), InvalidInput, "status 'error' is not an example"),
        ("log.jsonl", QUESTION, {"rows": []}, InvalidInput, "status None is not an example"),
        ("notes.jsonl", QUESTION, NAMES, DatasetError, "line 1 is not JSON"),
    ],
)
def test_what_is_no_pair_is_refused(
    tmp_path: Path, log: str, question: Any, answer: Any, error: type[Exception], says: str
) -> None:
    (tmp_path / "notes.jsonl").write_text("notes\n")
    with pytest.raises(error, match=says):
        save_answer(tmp_path / log, question, answer)
    assert (tmp_path / "notes.jsonl").read_text() == "notes\n"
    assert not (tmp_path / "log.jsonl").exists()


def test_a_disk_that_becomes_full_leaves_no_half_of_a_line(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    assert save_answer(log, QUESTION, NAMES)
    whole = log.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, limits[1]))
    try:
        with pytest.raises(InvalidInput, match="can't be written: No space left"):
            save_answer(log, QUESTION, DOGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert log.read_bytes() == whole
    assert save_answer(log, QUESTION, DOGS) and len(load_query_log(log)) == 2


def test_save_keeps_sql_that_runs(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("save", QUESTION["question"], NAMES, "--db", pets, "--to", "log.jsonl") == 0
    assert run("save", QUESTION["question"], NAMES, "--db", pets, "--to", "log.jsonl") == 0
    assert capsys.readouterr().out == "saved in log.jsonl\nlog.jsonl has this pair already\n"
    for sql, reason in (("SELECT nam FROM pet", "nam"), ("DELETE FROM pet", "DELETE"), ("", "")):
        assert run("save", "Which?", sql, "--db", pets, "--to", "log.jsonl") == 1
        assert reason in (complained := capsys.readouterr().err) and "not saved" in complained
    assert pairs(pets.with_name("log.jsonl")) == [(QUESTION["question"], NAMES, "pets", "")]


@pytest.mark.parametrize(
    ("typed", "saved"),
    [("y\n", NAMES), (" Yes \n", NAMES), ("\n", None), ("n\n", None), ("", None), ("no such thing\n", None),
     ("DROP TABLE pet\n", None), (f"{DOGS.replace(chr(10), ' ')}\n", DOGS.replace("\n", " "))],
)  # fmt: skip
@pytest.mark.parametrize("form", ["--json", None])
def test_an_answer_is_rated(
    pets: Path,
    stub: ChatStub,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    saved: str | None,
    form: str | None,
) -> None:
    stub.enqueue(completion(NAMES))
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    options = ("--model", stub.url, "--strategy", "single", "--evidence", "all", *([form] if form else []))
    assert run("ask", QUESTION["question"], "--db", pets, *options, "--save", "log.jsonl") == 0
    printed = capsys.readouterr()
    assert "Is it right?" in printed.err and ("saved in log.jsonl" in printed.err) is (saved is not None)
    if form:
        assert json.loads(printed.out)["sql"] == NAMES
    log = pets.with_name("log.jsonl")
    assert (pairs(log) if log.exists() else []) == ([(QUESTION["question"], saved, "pets", "all")] if saved else [])


@pytest.mark.parametrize(("log", "said"), [("log.csv", "ends in .jsonl"), ("nowhere/log.jsonl", "can't be written")])
def test_a_log_that_can_not_be_saved_to_is_said_before_the_question_is_asked(
    pets: Path, stub: ChatStub, capsys: pytest.CaptureFixture[str], log: str, said: str
) -> None:
    assert run("ask", QUESTION["question"], "--db", pets, "--model", stub.url, "--save", log) == 2
    assert said in capsys.readouterr().err and not stub.bodies
