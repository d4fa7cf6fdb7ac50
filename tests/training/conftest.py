import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from route_sql.graph.state import Answer, Candidate, LedgerEntry, Question
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Status
from route_sql.tools.database.sqlite import SQLiteDatabase
from route_sql.training.datasets import Example
from route_sql.training.run_log import Line

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, price REAL);
CREATE TABLE sale (id INTEGER PRIMARY KEY, customer_id INTEGER, product_id INTEGER, pieces INTEGER);
INSERT INTO customer VALUES (1, 'Ada', 'Bern'), (2, 'Bo', 'Bern'), (3, 'Cy', 'Ulm'), (4, 'Di', NULL);
INSERT INTO product VALUES (1, 'lamp', 20.0), (2, 'desk', 150.5), (3, 'chair', 20.0);
INSERT INTO sale VALUES (1, 1, 1, 2), (2, 1, 2, 1), (3, 2, 1, 5), (4, 3, 3, 1);
"""


@pytest.fixture
def databases(tmp_path: Path) -> Path:
    """A folder in the data sets' layout with one database, `shop`."""
    folder = tmp_path / "database"
    (folder / "shop").mkdir(parents=True)
    with sqlite3.connect(folder / "shop" / "shop.sqlite") as connection:
        connection.executescript(SHOP)
    connection.close()
    return folder


@pytest.fixture
async def catalog(databases: Path) -> AsyncIterator[Catalog]:
    file = databases / "shop" / "shop.sqlite"
    async with Catalog({"shop": SQLiteDatabase("shop", file)}) as catalog:
        yield catalog


@pytest.fixture
def examples() -> list[Example]:
    """Six questions with gold over 1, 1, 1, 2, 2 and 3 tables; place 2 of the questions file was left out."""
    gold = [
        ("How many customers are there?", "SELECT count(*) FROM customer"),
        ("Which cities have customers?", "SELECT DISTINCT city FROM customer WHERE city IS NOT NULL"),
        ("Products from cheap to dear", "SELECT name FROM product ORDER BY price, name"),
        (
            "Who bought something?",
            "SELECT DISTINCT c.name FROM customer c JOIN sale s ON s.customer_id = c.id",
        ),
        ("Who bought nothing?", "SELECT name FROM customer WHERE id NOT IN (SELECT customer_id FROM sale)"),
        (
            "Who bought a desk?",
            "SELECT c.name FROM customer c JOIN sale s ON s.customer_id = c.id "
            "JOIN product p ON p.id = s.product_id WHERE p.name = 'desk'",
        ),
    ]
    return [
        Example(index, "shop", question, "", sql)
        for index, (question, sql) in zip([0, 1, 3, 4, 5, 6], gold, strict=True)
    ]


Script = Mapping[str, str | None | Exception]


class ScriptedAsk:
    """Answers a question with the SQL of a script, or raises what stands there; keeps what it was asked."""

    def __init__(self, script: Script, status: Status = "ok") -> None:
        self.asked: list[Question] = []
        self.at_once = 0
        self.most_at_once = 0
        self._script = script
        self._status = status

    async def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0.001)
        finally:
            self.at_once -= 1
        sql = self._script[question["question"]]
        if isinstance(sql, Exception):
            raise sql
        return self._answer(sql)

    def _answer(self, sql: str | None) -> Answer:
        candidate = Candidate(
            agent="generate", sql=sql or "", status=self._status, error=None, row_count=1, seconds=0.1
        )
        call = LedgerEntry(node="generate", prompt_tokens=100, cached_tokens=75, completion_tokens=10, seconds=0.5)
        return Answer(
            sql=sql,
            status=self._status if sql else "error",
            columns=["a"],
            rows=[[1]],
            row_count=1,
            truncated=False,
            error=None if sql else "no agent wrote SQL",
            notes=[],
            candidates=[candidate] if sql else [],
            ledger=[call, call],
        )


@pytest.fixture
def scripted() -> type[ScriptedAsk]:
    return ScriptedAsk


@pytest.fixture
def gold_script(examples: list[Example]) -> dict[str, str | None | Exception]:
    """The gold SQL as the reply to each question."""
    return {example.question: example.sql for example in examples}


@pytest.fixture
def make_line() -> Callable[..., Line]:
    """A right line that cost one call, with whatever is named otherwise."""

    def make(index: int, **changes: Any) -> Line:
        line = Line(
            index=index,
            database="shop",
            question=f"Question {index}?",
            sql="SELECT 1",
            status="ok",
            error=None,
            correct=True,
            reason=None,
            gold_fault=False,
            tables=1,
            difficulty=None,
            calls=1,
            prompt_tokens=100,
            cached_tokens=0,
            completion_tokens=10,
            seconds=1.0,
            asked=[],
            candidates=[],
        )
        return cast(Line, {**line, **changes})

    return make
