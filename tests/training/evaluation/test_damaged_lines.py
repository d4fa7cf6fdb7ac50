"""Damaged lines of a run: each command that reads them names the file, the line and the wrong value."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from route_sql.cli import main
from route_sql.training.evaluation.run_log import Line, read_run

DATA = ("--questions", "dev.json", "--databases", "data")
QUESTIONS = [{"db_id": "shop", "question": f"Question {n}?", "query": "SELECT 1"} for n in range(3)]
READERS = {
    "reliability": ("reliability", "run.jsonl"),
    "compare": ("compare", "whole.jsonl", "run.jsonl"),
    "merge": ("merge", "run.jsonl", "whole.jsonl", "--out", "new.jsonl"),
    "eval --gate": ("eval", *DATA, "--out", "new.jsonl", "--gate", "run.jsonl"),
    "score --gate": ("score", *DATA, "--predictions", "whole.jsonl", "--gate", "run.jsonl"),
    "score": ("score", *DATA, "--predictions", "run.jsonl"),
}
WRONG: dict[str, tuple[Any, str]] = {
    "text for a number": ({"confidence": "high"}, 'confidence should be a valid number, but is "high"'),
    "null for a number": ({"confidence": None}, "confidence should be a valid number, but is null"),
    "NaN": ({"confidence": float("nan")}, "confidence should be a finite number, but is NaN"),
    "a confidence of 2": ({"confidence": 2.0}, "confidence should be less than or equal to 1, but is 2.0"),
    "text for a truth": ({"correct": "yes"}, 'correct should be a valid boolean, but is "yes"'),
    "a truth for a number": ({"index": True}, "index should be a valid integer, but is true"),
    "a candidate without SQL": ({"candidates": [{"agent": "draft", "status": "ok"}]}, "candidates.0.sql is missing"),
}


@pytest.fixture
def whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, databases: Path, make_line: Callable[..., Line]
) -> list[str]:
    """The lines of a run, which are in `whole.jsonl`; all paths are of the folder that we are in."""
    monkeypatch.chdir(tmp_path)
    databases.rename("data")
    Path("dev.json").write_text(json.dumps(QUESTIONS))
    lines = [json.dumps(make_line(index, confidence=0.5)) for index in range(3)]
    Path("whole.jsonl").write_text("\n".join(lines) + "\n")
    return lines


def refused(capsys: pytest.CaptureFixture[str], reader: str) -> str:
    """The error of the command, on one line."""
    with pytest.raises(SystemExit) as ended:
        main([*READERS[reader]])
    printed = capsys.readouterr()
    assert ended.value.code == 2 and "nan" not in printed.out
    return " ".join(printed.err.split())


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("changes", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_named(
    whole: list[str], capsys: pytest.CaptureFixture[str], reader: str, changes: dict[str, Any], said: str
) -> None:
    whole[1] = json.dumps({**json.loads(whole[1]), **changes})
    Path("run.jsonl").write_text("\n".join(whole) + "\n")
    assert f"run.jsonl, line 2 is not a line of a run: {said}; correct it" in refused(capsys, reader)


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader != "score"])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1]", "it should be a JSON object"),
        ('{"index": 1}', "database is missing"),
        ('{"index": 1, "data', "it is not whole JSON (Unterminated string"),
        ("[" * 200_000, "it is not whole JSON (maximum recursion"),
    ],
)
def test_a_line_that_is_no_object_is_named(
    whole: list[str], capsys: pytest.CaptureFixture[str], reader: str, line: str, said: str
) -> None:
    Path("run.jsonl").write_text("\n".join([whole[0], line, whole[2]]) + "\n")
    assert f"run.jsonl, line 2 is not a line of a run: {said}" in refused(capsys, reader)


@pytest.mark.parametrize(("line", "said"), [("[1]", "has no text or null under 'sql'"), ("[" * 200_000, "is not JSON")])
def test_predictions_that_are_no_objects_are_named(
    whole: list[str], capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    Path("run.jsonl").write_text("\n".join([whole[0], line, whole[2]]) + "\n")
    assert f"run.jsonl, line 2 {said}" in refused(capsys, "score")


def test_a_last_line_that_was_cut_off_is_named_and_a_whole_one_counts(
    whole: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("run.jsonl").write_text("\n".join(whole))
    assert [line["index"] for line in read_run(Path("run.jsonl"))] == [0, 1, 2]
    Path("run.jsonl").write_text("\n".join(whole)[:-30])
    said = refused(capsys, "reliability")
    assert "line 3" in said and "where a run was stopped, the same `eval` command asks this question again" in said
