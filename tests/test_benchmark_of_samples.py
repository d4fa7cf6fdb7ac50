"""The benchmark of samples from end to end: a server that is asked, then the same table from the replies alone."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.chat_stub import ChatStub, completion, models

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "samples.py"
ALL, CITIES = "SELECT name FROM customer", "SELECT city FROM customer"
NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"


@pytest.fixture
def stub() -> Iterator[ChatStub]:
    server = ChatStub()
    server.models.append(models("route-sql"))
    server.enqueue(*[_reply] * 40)
    yield server
    server.close()


def _reply(handler: Any, stub: ChatStub) -> None:
    """A draft and a second opinion that differ, a verdict without a correction, and samples that agree."""
    body = stub.bodies[-1]
    is_sql = [each for each in stub.bodies if "text to SQL" in str(each["messages"]) and each["temperature"] == 0]
    text = ALL if len(is_sql) % 2 else CITIES
    text = "verdict: right" if "noise correction" in str(body["messages"]) else text
    text = NAMES if body["temperature"] else text
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    choices = [{"index": place, **choice} for place in range(body.get("n", 1))]
    completion("", choices=choices, usage={"prompt_tokens": 40, "completion_tokens": 6 * len(choices)})(handler, stub)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One database and two questions in Spider's layout."""
    place = tmp_path / "database" / "shop"
    place.mkdir(parents=True)
    with closing(sqlite3.connect(place / "shop.sqlite")) as connection:
        connection.executescript(
            "CREATE TABLE customer (name TEXT, city TEXT);"
            "INSERT INTO customer VALUES ('Ida', 'Bergen'), ('Ole', 'Oslo'), ('Una', 'Bergen')"
        )
    asked = ("Who lives in Bergen?", "Which customers are from Bergen?")
    questions = [{"db_id": "shop", "question": question, "query": NAMES} for question in asked]
    (tmp_path / "dev.json").write_text(json.dumps(questions))
    return tmp_path


def run(folder: Path, *options: str) -> str:
    data = ["--questions", str(folder / "dev.json"), "--databases", str(folder / "database")]
    places = ["--out", str(folder / "out"), "--table", str(folder / "table.md"), "--samples", "0", "2", "4"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *data, *places, *options], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return (folder / "table.md").read_text()


def without_time(table: str) -> list[str]:
    """The rows of the tables without the seconds, which are the last cell."""
    return [line.rpartition(" | ")[0] for line in table.splitlines() if re.match(r"\| \d", line)]


def test_the_table_of_a_server_is_made_again_from_its_replies(stub: ChatStub, folder: Path) -> None:
    table = run(folder, "--model", stub.url)
    assert "Of these questions 2 were in doubt and got samples:" in table
    assert "| 0 | 0 of 2 | 3.00 |" in table
    assert "| 2 | 2 of 2 | 5.00 |" in table and "| 4 | 2 of 2 | 5.00 |" in table
    assert "only 2 samples 2, only 0 samples 0" in table
    # Draft, second opinion and verdict of a question are asked once for all three numbers of samples.
    calls = len(stub.bodies)
    assert sum(body["temperature"] == 0 for body in stub.bodies) == 6

    lines = [(folder / "out" / f"samples_{samples}.jsonl") for samples in (0, 2, 4)]
    lines[1].write_text(lines[1].read_text().splitlines(keepends=True)[0])  # a run that was stopped
    lines[2].unlink()
    assert without_time(run(folder, "--replay", "--model", stub.url)) == without_time(table)
    assert len(stub.bodies) == calls


def test_a_replay_without_replies_says_what_to_do(folder: Path) -> None:
    with pytest.raises(AssertionError, match="holds no replies; run once with a model"):
        run(folder, "--replay")
