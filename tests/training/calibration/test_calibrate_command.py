"""`train calibrate --unanswerable`, from a log of questions to a calibration and its figures."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.chat_stub import ChatStub, completion

pytest.importorskip("sklearn")

from route_sql.calibration_file import read_calibration_file
from route_sql.cli import main

REPLY = "SELECT count(*) FROM person WHERE pay > 5"
WORDS = ("", "in all", "as far as we know", "of those that we have in the books")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Eighty questions on two databases, to half of which the reply is right."""
    pairs = []
    for name in ("office", "works"):
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as connection:
            connection.executescript(
                "CREATE TABLE person (id INTEGER PRIMARY KEY, pay REAL);"
                + "".join(f"INSERT INTO person VALUES ({n}, {n});" for n in range(10))
            )
        for n in range(40):
            question = f"How many people have a pay of more than 5, {WORDS[n % 4]}? ({n})"
            pairs.append({"question": question, "sql": REPLY.replace("5", "57"[n % 2]), "database": name})
    file = tmp_path / "log.jsonl"
    file.write_text("\n".join(map(json.dumps, pairs)))
    return file


def test_questions_are_asked_at_the_same_time_and_thresholds_are_shown_with_their_effect(
    stub: ChatStub, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.otherwise = completion(REPLY, seconds=0.01)
    out = tmp_path / "calibration.json"
    given = ["--questions", str(log), "--databases", str(tmp_path), "--model", stub.url, "--out", str(out)]
    with pytest.raises(SystemExit) as ended:
        main(["train", "calibrate", *given, "--unanswerable", "--concurrency", "8"])
    printed = capsys.readouterr().out
    assert not ended.value.code and 3 <= stub.most_at_once <= 8
    assert read_calibration_file(out)
    assert "80 first answers, 50.0 % right" in printed
    assert "withhold_from  answerable  hidden column  other database" in printed
    # Every query on a hidden column names a column that the database lacks, and no other query does.
    assert "0.0          100.0             0.0" in printed and "AUROC of 1.000" in printed
