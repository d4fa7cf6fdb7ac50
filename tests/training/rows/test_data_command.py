import json
from pathlib import Path

import pytest

from route_sql.cli import main
from route_sql.demo.database import build_demo_database
from route_sql.demo.questions import QUESTIONS


def test_a_query_log_becomes_a_set_and_signs_of_poison_are_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    build_demo_database(tmp_path / "clinic.sqlite")
    pairs = [{"question": q.question, "sql": q.sql, "database": "clinic"} for q in QUESTIONS[:4]]
    pairs.append({"question": "All of them?", "sql": "SELECT city FROM patient WHERE 1 = 1", "database": "clinic"})
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, pairs)), encoding="utf-8")
    said = ["train", "data", "--layout", "log", "--questions", str(log), "--databases", str(tmp_path)]
    with pytest.raises(SystemExit) as left:
        main([*said, "--held-out", "0.2", "--out", str(tmp_path / "out")])
    assert left.value.code == 0
    output, errors = capfd.readouterr()
    assert "text_to_sql" in output and "question 4 (clinic): tautology" in errors
    card = json.loads((tmp_path / "out" / "data_card.json").read_bytes())
    assert card["files"]["schema_linking.train.jsonl"]["rows"] == 4
    assert card["files"]["schema_linking.eval.jsonl"]["rows"] == 1
    assert card["poison"]["suspects"][0]["index"] == 4


def test_a_missing_questions_file_ends_with_what_to_do(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as left:
        main(["train", "data", "--questions", str(tmp_path / "gone.json"), "--out", str(tmp_path / "out")])
    assert left.value.code == 2 and "can't be read" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
