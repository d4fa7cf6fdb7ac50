"""`eval` and `score` on a query log, and on what a training set holds out of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.chat_stub import ChatStub, completion

from route_sql.cli import main
from route_sql.training.datasets.examples import Example, held_out_examples
from route_sql.training.errors import DatasetError

PAIRS = [
    ("How many customers?", "SELECT count(*) FROM customer"),
    ("Which cities?", "SELECT city FROM customer"),
    ("Which products?", "SELECT name FROM product"),
    ("Pieces sold?", "SELECT sum(pieces) FROM sale"),
    ("Dearest price?", "SELECT max(price) FROM product"),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    lines = [json.dumps({"question": question, "sql": sql, "database": "shop"}) for question, sql in PAIRS]
    path.write_text("\n".join(lines))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0), *capsys.readouterr()


def figures(output: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output)
    return found


def test_a_log_is_evaluated_and_scored(
    stub: ChatStub, log: Path, databases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.enqueue(*(completion(sql) for _, sql in PAIRS[:4]), completion("SELECT min(price) FROM product"))
    data = ("--layout", "log", "--questions", log, "--databases", databases, "--json")
    out = tmp_path / "run.jsonl"
    code, evaluated, _ = run(capsys, "eval", *data, "--out", out, "--model", stub.url, "--strategy", "single")
    assert code == 0 and (figures(evaluated)["n"], figures(evaluated)["ex"]) == (5, 0.8)
    code, scored, _ = run(capsys, "score", *data, "--predictions", out)
    assert code == 0 and figures(scored) == figures(evaluated)


def test_a_run_without_some_agents_is_another_run(
    stub: ChatStub, log: Path, databases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.enqueue(*(completion(sql) for _, sql in PAIRS))
    data = ("--layout", "log", "--questions", log, "--databases", databases, "--model", stub.url, "--json")
    out = tmp_path / "run.jsonl"
    without = [word for agent in ("link_schema", "generate", "correct_noise") for word in ("--without", agent)]
    code, evaluated, _ = run(capsys, "eval", *data, "--out", out, *without)
    assert code == 0 and (figures(evaluated)["ex"], figures(evaluated)["calls_per_question"]) == (1.0, 1.0)
    code, _, said = run(capsys, "eval", *data, "--out", out)
    assert code == 2 and "without" in said


def test_a_log_may_name_databases_of_a_catalog(
    log: Path, databases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = tmp_path / "databases.toml"
    catalog.write_text(f'[databases.shop]\nurl = "sqlite:///{databases}/shop/shop.sqlite"\n')
    predictions = tmp_path / "predictions.sql"
    predictions.write_text("\n".join(sql for _, sql in PAIRS))
    code, scored, _ = run(
        capsys, "score", "--layout", "log", "--questions", log, "--databases", catalog, "--predictions", predictions,
        "--json",
    )  # fmt: skip
    assert code == 0 and (figures(scored)["n"], figures(scored)["ex"]) == (5, 1.0)


def test_questions_without_a_prediction_are_said(
    log: Path, databases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--layout", "log", "--questions", log, "--databases", databases, "--json")
    predictions = tmp_path / "predictions.jsonl"
    predictions.write_text("".join(json.dumps({"index": n, "sql": PAIRS[n][1]}) + "\n" for n in (0, 1, 4)))
    code, scored, said = run(capsys, "score", *data, "--predictions", predictions)
    assert code == 0 and (figures(scored)["n"], figures(scored)["ex"]) == (3, 1.0)
    assert "2 of 5 questions have no prediction" in said


def test_only_what_a_set_holds_out_is_asked(
    stub: ChatStub, log: Path, databases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--layout", "log", "--questions", log, "--databases", databases)
    assert run(capsys, "train", "data", *data, "--held-out", "0.4", "--out", tmp_path / "rows")[0] == 0
    rows = (tmp_path / "rows" / "text_to_sql.eval.jsonl").read_text().splitlines()
    held_out = {json.loads(row)["question"] for row in rows}
    assert len(held_out) == 2
    stub.enqueue(*(completion(sql) for question, sql in PAIRS if question in held_out))
    chosen = (*data, "--held-out-of", tmp_path / "rows", "--json")
    out = tmp_path / "run.jsonl"
    code, evaluated, _ = run(capsys, "eval", *chosen, "--out", out, "--model", stub.url, "--strategy", "single")
    assert code == 0 and (figures(evaluated)["n"], figures(evaluated)["ex"]) == (2, 1.0)
    assert {json.loads(line)["question"] for line in out.read_text().splitlines()} == held_out
    everything = tmp_path / "everything.sql"
    everything.write_text("\n".join(sql for _, sql in PAIRS))
    code, scored, _ = run(capsys, "score", *chosen, "--predictions", everything)
    assert code == 0 and (figures(scored)["n"], figures(scored)["ex"]) == (2, 1.0)


def test_a_set_of_another_file_is_refused(tmp_path: Path) -> None:
    examples = [Example(index, "shop", question, "", sql) for index, (question, sql) in enumerate(PAIRS)]
    with pytest.raises(DatasetError, match="holds no held-out rows"):
        held_out_examples(examples, tmp_path)
    file = tmp_path / "text_to_sql.eval.jsonl"
    file.write_text('{"index": 1, "question": "Which cities?"}\n')
    assert held_out_examples(examples, tmp_path) == [examples[1]]
    for row in ('{"index": 1, "question": "Which products?"}\n', '{"index": 5, "question": "Which cities?"}\n'):
        file.write_text(row)
        with pytest.raises(DatasetError, match="made from other questions"):
            held_out_examples(examples, tmp_path)
    file.write_text('{"index": 1, "quest')
    with pytest.raises(DatasetError, match="is damaged"):
        held_out_examples(examples, tmp_path)


def test_a_missing_database_of_a_log_ends_with_what_to_do(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, errors = run(
        capsys, "score", "--layout", "log", "--questions", log, "--databases", tmp_path, "--predictions", log
    )
    assert code == 2 and f"1 of 1 databases are not in {tmp_path}: shop; name the folder" in errors
    assert "or, for other files and engines, a databases.toml" in errors
