"""`route-sql eval` with a model server that always writes the same query, and the lines of its runs."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.chat_stub import ChatStub, completion

from route_sql.cli import main

DATA = ("--questions", "dev.json", "--databases", "data", "--strategy", "single")


def write_pets_and_farm(folder: Path, questions: int, on_pets: int) -> None:
    """Write two databases below `data`, and `dev.json` with questions on both, those on `pets` first."""
    (folder / "data").mkdir()
    for name in ("pets", "farm"):
        with closing(sqlite3.connect(folder / f"data/{name}.sqlite")) as connection, connection:
            connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex'), ('Mia');")
    entries = [
        {"db_id": "pets" if n < on_pets else "farm", "question": f"Which? {n}", "query": "SELECT name FROM pet"}
        for n in range(questions)
    ]
    (folder / "dev.json").write_text(json.dumps(entries))


@contextmanager
def names_server() -> Iterator[ChatStub]:
    stub = ChatStub(otherwise=completion("SELECT name FROM pet"))
    yield stub
    stub.close()


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def evaluate(server: ChatStub, out: str, *more: str) -> int:
    return run("eval", *DATA, "--model", server.url, "--out", out, *more)


def lines(file: str) -> list[dict[str, Any]]:
    """Lines of a run without their times."""
    found = [json.loads(line) for line in Path(file).read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]
