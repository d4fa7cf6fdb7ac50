"""The options of `eval` and `score` for a gate, a test suite and BIRD's further figures."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.chat_stub import ChatStub, completion

from route_sql.cli import main

GOLD = "SELECT name FROM pet WHERE weight > 0"
DATA = ("--questions", "dev.json", "--databases", "data")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Six questions on pets, all of which have a weight above 0."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data/pets.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE pet (name TEXT, weight REAL)")
        connection.executemany("INSERT INTO pet VALUES (?, ?)", [(f"Pet {n}", n % 4 + 1) for n in range(12)])
    write("dev.json", [{"db_id": "pets", "question": f"Which? {n}", "query": GOLD, "SQL": GOLD} for n in range(6)])
    yield


def write(name: str, value: Any) -> None:
    Path(name).write_text(json.dumps(value))


def predict(name: str, *queries: str) -> None:
    write(name, {str(index): query for index, query in enumerate(queries)})


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def ask(stub: ChatStub, out: str, queries: list[str], *more: str) -> int:
    stub.enqueue(*map(completion, queries))
    return run("eval", *DATA, "--out", out, "--model", stub.url, "--strategy", "single", *more)


def test_the_gate_of_score(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(stub, "before.jsonl", [GOLD] * 6) == 0
    predict("four.json", *[GOLD] * 2, *["SELECT 1"] * 4)
    predict("five.json", *[GOLD], *["SELECT 1"] * 5)
    assert run("score", *DATA, "--predictions", "four.json", "--gate", "before.jsonl") == 0
    assert "gate passed: 2 of 6 right, 6 in the baseline (0 gained, 4 lost" in capsys.readouterr().err
    assert run("score", *DATA, "--predictions", "five.json", "--gate", "before.jsonl", "--json") == 1
    printed = capsys.readouterr()
    assert "gate FAILED, significantly fewer are right: 1 of 6 right" in printed.err and "p = 0.031" in printed.err
    shown = json.loads(printed.out)["gate"]
    assert (shown["passed"], shown["right_before"], shown["right_now"], shown["lost"]) == (False, 6, 1, 5)


def test_the_gate_of_eval(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(stub, "before.jsonl", [GOLD] * 6) == 0
    assert ask(stub, "now.jsonl", ["SELECT 1"] * 5 + [GOLD], "--gate", "before.jsonl") == 1
    assert "gate FAILED" in capsys.readouterr().err
    assert ask(stub, "better.jsonl", [GOLD] * 6, "--gate", "now.jsonl") == 0
    assert "gate passed: 6 of 6 right, 1 in the baseline (5 gained, 0 lost" in capsys.readouterr().err


def test_other_questions_than_the_baselines_are_not_asked(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(stub, "before.jsonl", [GOLD] * 3, "--limit", "3") == 0
    capsys.readouterr()
    assert ask(stub, "now.jsonl", [], "--gate", "before.jsonl") == 2
    assert "of 6 now: 3 not in the baseline. Take the same questions file" in capsys.readouterr().err
    predict("p.json", *[GOLD] * 6)
    assert run("score", *DATA, "--predictions", "p.json", "--gate", "before.jsonl") == 2
    assert run("score", *DATA, "--predictions", "p.json", "--gate", "nothing.jsonl") == 2
    assert "nothing.jsonl can't be read" in capsys.readouterr().err
    assert ask(stub, "before.jsonl", [], "--limit", "3", "--gate", "before.jsonl") == 2


def test_each_line_says_whether_it_is_right_on_the_suite(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    queries = [GOLD, "SELECT name FROM pet", "SELECT 1", GOLD, GOLD, GOLD]
    assert ask(stub, "run.jsonl", queries, "--suite", "clones", "--json") == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert (evaluated["ex"], evaluated["suite_ex"]) == (5 / 6, 4 / 6)
    lines = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert [line["correct_on_suite"] for line in lines] == [True, False, False, True, True, True]
    assert len(list(Path("clones/pets").glob("*.sqlite"))) == 20
    # Lines of a run without a suite are read as before, and with one they get it.
    for line in lines:
        del line["correct_on_suite"]
    Path("old.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run("score", *DATA, "--predictions", "old.jsonl") == 0
    assert "suite" not in capsys.readouterr().out
    assert run("score", *DATA, "--predictions", "old.jsonl", "--suite", "clones") == 0
    shown = capsys.readouterr().out
    assert "suite" in shown and "66.7" in shown
    assert ask(stub, "run.jsonl", []) == 2
    assert "suite was true, is null" in capsys.readouterr().err


def test_what_is_withheld_is_given_by_choice(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    one = ("--strategy", "adaptive", "--limit", "1", "--json")
    decline = "unanswerable: no column for colour"
    assert ask(stub, "withheld.jsonl", [decline], *one) == 0
    assert json.loads(capsys.readouterr().out)["coverage"] == 0
    assert ask(stub, "given.jsonl", [decline, *[GOLD] * 3], *one, "--no-withhold") == 0
    assert json.loads(capsys.readouterr().out)["ex"] == 1
    assert ask(stub, "given.jsonl", [], *one) == 2
    assert "withhold was false, is null" in capsys.readouterr().err
    assert ask(stub, "given.jsonl", [], *one, "--no-withhold", "--withhold-from", "0.5") == 2
    assert "give --withhold-from or --no-withhold, not both" in capsys.readouterr().err
    assert ask(stub, "withheld.jsonl", [], *one, "--withhold-from", "0.5") == 2
    assert "withhold_from was null, is 0.5" in capsys.readouterr().err


def test_birds_further_figures(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT name FROM pet, "
    slow += "(SELECT count(*) AS c FROM n) WHERE weight > 0 AND c > 0"
    predict("p.json", GOLD, slow, "SELECT 1", "SELECT weight FROM pet", "SELECT nothing", "SELECT name, 1 FROM pet")
    bird = ("--layout", "bird", "--predictions", "p.json", "--json")
    assert run("score", *DATA, *bird) == 0
    plain = json.loads(capsys.readouterr().out)
    # 1, 1, 0, 0, 0 and 2/3: the column too many halves the precision.
    assert plain["soft_f1"] == pytest.approx((1 + 1 + 2 / 3) / 6)
    assert "r_ves" not in plain
    assert run("score", *DATA, *bird, "--r-ves", "3") == 0
    timed = json.loads(capsys.readouterr().out)["r_ves"]
    # The first takes about as long as the gold, the second much longer, the others are wrong.
    assert 50 + 50 <= round(6 * timed, 6) <= 112 + 50
    assert run("score", *DATA, "--predictions", "p.json", "--r-ves", "3") == 2
    assert "--layout bird" in capsys.readouterr().err


@pytest.mark.parametrize("old", [("--format", "bird"), ("--format=bird",)])
def test_the_old_name_of_the_layout_works_and_warns(capsys: pytest.CaptureFixture[str], old: tuple[str, ...]) -> None:
    predict("p.json", *[GOLD] * 6)
    assert run("score", *DATA, *old, "--predictions", "p.json", "--json") == 0
    printed = capsys.readouterr()
    assert "soft_f1" in json.loads(printed.out)
    assert "warning: --format is now --layout" in printed.err


@pytest.mark.parametrize("command", ["eval", "score", "compare", "train data", "train calibrate"])
def test_commands_on_data_sets_have_a_layout_and_no_format(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run(*command.split(), "--help") == 0
    shown = capsys.readouterr().out
    assert "--layout" in shown and "--format" not in shown


def test_a_layout_that_does_not_exist_is_refused_by_its_new_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("score", *DATA, "--format", "csv", "--predictions", "p.json") == 2
    assert "Invalid value for '--layout'" in capsys.readouterr().err


def test_any_of_several_queries_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    write("dev.json", [{"db_id": "pets", "question": "?", "query": [GOLD, "SELECT name, weight FROM pet"]}] * 2)
    predict("p.json", "SELECT name, weight FROM pet", "SELECT weight FROM pet")
    assert run("score", *DATA, "--predictions", "p.json", "--suite", "clones", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["ex"], summary["suite_ex"]) == (0.5, 0.5)


def test_nothing_is_asked_if_no_suite_can_be_made(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect("data/pets.sqlite")) as connection, connection:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
    assert ask(stub, "run.jsonl", [], "--suite", "clones") == 2
    assert "words is a virtual table; leave --suite out" in capsys.readouterr().err
    assert not Path("run.jsonl").exists()
    duck = pytest.importorskip("duckdb")
    duck.connect("shop.duckdb").close()
    Path("databases.toml").write_text('[databases.shop]\nurl = "shop.duckdb"\n')
    Path("log.jsonl").write_text(json.dumps({"database": "shop", "question": "?", "sql": "SELECT 1"}))
    predict("p.json", "SELECT 1")
    data = ("--layout", "log", "--questions", "log.jsonl", "--databases", "databases.toml", "--predictions", "p.json")
    assert run("score", *data, "--suite", "clones") == 2
    assert "'shop' is not (it is duckdb); leave --suite out" in capsys.readouterr().err


def test_a_suite_of_a_database_without_rows_proves_nothing_and_says_so(
    stub: ChatStub, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect("data/pets.sqlite")) as connection, connection:
        connection.execute("DELETE FROM pet")
    stub.enqueue(*[completion("SELECT weight FROM pet")] * 6)
    assert (
        run("eval", *DATA, "--out", "run.jsonl", "--model", stub.url, "--strategy", "single", "--suite", "suite") == 0
    )
    assert "6 right answers count as right on the suite by the original database alone" in capsys.readouterr().err


def test_a_count_over_a_database_without_rows_proves_nothing_either(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect("data/pets.sqlite")) as connection, connection:
        connection.execute("DELETE FROM pet")
    count = "SELECT count(*) FROM pet"
    write("dev.json", [{"db_id": "pets", "question": "How many?", "query": count}])
    predict("p.json", "SELECT count(*) FROM pet WHERE weight > 2")
    assert run("score", *DATA, "--predictions", "p.json", "--suite", "clones") == 0
    assert "1 right answer counts as right on the suite by the original database alone" in capsys.readouterr().err


def test_a_database_without_clones_leaves_the_suite_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect("data/docs.sqlite")) as connection, connection:
        connection.executescript("CREATE TABLE doc (id INT); CREATE VIRTUAL TABLE words USING fts5(text)")
    docs = {"db_id": "docs", "question": "Which?", "query": "SELECT id FROM doc"}
    write("dev.json", [docs, *json.loads(Path("dev.json").read_text())[:2]])
    predict("p.json", "SELECT id FROM doc", GOLD, "SELECT name FROM pet")
    for _ in range(2):  # making the clones, and with the clones that are there
        assert run("score", *DATA, "--predictions", "p.json", "--suite", "clones", "--json") == 0
        printed = capsys.readouterr()
        summary = json.loads(printed.out)
        assert (summary["ex"], summary["suite_ex"], summary["suite_alone"]) == (1.0, 2 / 3, 1)
        assert "docs.sqlite can be made: words is a virtual table; for the questions on 'docs' the suite" in printed.err


def test_gold_that_fails_is_counted_and_said(stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    write("dev.json", [{"db_id": "pets", "question": f"Which? {n}", "query": "SELECT gone FROM pet"} for n in range(6)])
    assert ask(stub, "run.jsonl", [GOLD] * 6) == 0
    assert "6 of 6 count as wrong because their gold query fails" in capsys.readouterr().err
    assert ask(stub, "now.jsonl", [GOLD] * 6, "--gate", "run.jsonl") == 2
    assert "the gate has nothing to compare" in capsys.readouterr().err


def test_one_question_without_gold_or_prediction_is_said_in_the_singular(capsys: pytest.CaptureFixture[str]) -> None:
    questions = json.loads(Path("dev.json").read_text())[:2]
    write("dev.json", [{**questions[0], "query": "SELECT gone FROM pet"}, questions[1]])
    predict("p.json", GOLD)
    assert run("score", *DATA, "--predictions", "p.json") == 0
    said = capsys.readouterr().err
    assert "1 of 2 questions has no prediction: it is in no figure" in said
    assert "1 of 1 counts as wrong because its gold query fails" in said
