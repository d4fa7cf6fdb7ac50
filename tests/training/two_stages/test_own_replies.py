"""`route-sql train replies`: a model's own replies to the questions of a training set."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_rows import row

from route_sql.cli import main
from route_sql.training.datasets.query_log import load_replies
from route_sql.training.errors import EvaluationError, TrainingError
from route_sql.training.two_stages.own_replies import ReplyPlan, draw_replies


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A set with five questions on each of two databases, and rows that are not asked."""
    rows: list[dict[str, Any]] = [{**row("text_to_sql", index), "database": "ab"[index % 2]} for index in range(10)]
    folder = tmp_path / "data"
    folder.mkdir()
    linked = [{**made, "kind": "linked", "index": 99} for made in rows]
    text = "".join(json.dumps(made) + "\n" for made in [*linked, *rows])
    (folder / "text_to_sql.train.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def plan(data: Path, tiny_model: Path) -> ReplyPlan:
    return ReplyPlan(data, tiny_model, replies=3, max_new_tokens=8)


def drawn(plan: ReplyPlan, out: Path) -> list[dict[str, Any]]:
    draw_replies(plan, out, lambda *_: None)
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_each_question_gets_its_replies_and_a_resumed_run_the_same(plan: ReplyPlan, tmp_path: Path):
    whole = tmp_path / "whole.jsonl"
    lines = drawn(plan, whole)
    assert Counter(line["index"] for line in lines) == dict.fromkeys(range(10), 3)
    stopped = tmp_path / "stopped.jsonl"
    drawn(plan, stopped)
    of_first = [line for line in lines if line["database"] == "a"]
    begun = [*of_first, *[line for line in lines if line["database"] == "b"][:4]]
    stopped.write_text("".join(json.dumps(line) + "\n" for line in begun) + '{"index": 7, "da', encoding="utf-8")
    assert drawn(plan, stopped) == lines


def test_progress_counts_questions(plan: ReplyPlan, tmp_path: Path):
    seen: list[tuple[int, int]] = []
    draw_replies(plan, tmp_path / "replies.jsonl", lambda done, total: seen.append((done, total)))
    assert seen == [(0, 10), (5, 10), (10, 10)]
    draw_replies(plan, tmp_path / "replies.jsonl", lambda *_: pytest.fail("all replies are there"))


def test_a_reply_that_was_cut_has_no_sql(plan: ReplyPlan, tmp_path: Path):
    lines = drawn(replace(plan, max_new_tokens=1), tmp_path / "replies.jsonl")
    assert {line["sql"] for line in lines} == {None}
    assert load_replies(tmp_path / "replies.jsonl") == {}


def test_another_run_is_not_written_into(plan: ReplyPlan, data: Path, tmp_path: Path):
    out = tmp_path / "replies.jsonl"
    drawn(plan, out)
    with pytest.raises(EvaluationError, match="temperature was 0.7, is 0.9"):
        drawn(replace(plan, temperature=0.9), out)
    with (data / "text_to_sql.train.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row("text_to_sql", 11)) + "\n")
    with pytest.raises(EvaluationError, match="questions_digest was"):
        drawn(plan, out)


def test_a_file_of_something_else_is_left_as_it_is(plan: ReplyPlan, tmp_path: Path):
    out = tmp_path / "answers.jsonl"
    out.write_text('{"database": "c", "question": "Who?"}\n', encoding="utf-8")
    with pytest.raises(EvaluationError, match="exists without answers.jsonl.meta.json"):
        draw_replies(plan, out, lambda *_: None)
    assert out.read_text(encoding="utf-8") == '{"database": "c", "question": "Who?"}\n'


def test_settings_and_sets_without_sense_are_refused(plan: ReplyPlan, tmp_path: Path):
    with pytest.raises(TrainingError, match="ask for one reply"):
        replace(plan, temperature=0)
    with pytest.raises(TrainingError, match="make it with route-sql train data"):
        drawn(replace(plan, data=tmp_path / "none"), tmp_path / "replies.jsonl")


def test_the_command_asks_a_part_of_each_database(data: Path, tiny_model: Path, tmp_path: Path):
    out = tmp_path / "replies.jsonl"
    options = ["--replies", "1", "--temperature", "0", "--per-database", "2"]
    with pytest.raises(SystemExit) as ended:
        main(["train", "replies", "--data", str(data), "--base", str(tiny_model), *options, "--out", str(out)])
    assert not ended.value.code
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert Counter(line["database"] for line in lines) == {"a": 2, "b": 2}
