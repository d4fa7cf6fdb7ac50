import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest

from route_sql.graph.state import Answer, Candidate, LedgerEntry, Question
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Status
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.run_log import Line

CHAIN = tuple(Path(__file__).parent / name for name in ("tuning", "export", "two_stages", "families"))
"""Folders of tests that need the extra `training`: run by `make training-tests`, skipped where torch is missing."""
FITTING = Path(__file__).parent / "calibration" / "test_calibration_fit.py"
"""The one test file outside those folders that needs the extra."""
HAVE_LIBRARIES = all(find_spec(name) for name in ("torch", "trl", "peft", "datasets"))
NEED_NO_LIBRARIES = {"test_training_configs.py", "test_plan.py"}

# Before anything imports the libraries: they are not to ask a hub, and other programs share the two cores.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    is_test = collection_path.name.startswith("test_") and collection_path.name not in NEED_NO_LIBRARIES
    needs = is_test and is_of_chain(collection_path)
    return True if needs and not HAVE_LIBRARIES else None


def is_of_chain(file: Path) -> bool:
    """Whether `make training-tests` runs a test file."""
    return file.parent in CHAIN or file == FITTING


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # PEFT and TRL use names that transformers is giving up.
    ignored = pytest.mark.filterwarnings("ignore:.*(gradient|activation)_checkpointing:FutureWarning")
    for item in items:
        if is_of_chain(item.path):
            item.add_marker(ignored)
            item.add_marker(pytest.mark.training)


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
    """Answers a question with the SQL of a script, or raises the exception in its place; keeps the questions."""

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
            confidence=0.9,
            calibrated=True,
            doubts=[],
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


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random model; read it only."""
    from support.tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_gguf(tiny_model: Path) -> Path:
    """The same weights as a GGUF file; read it only."""
    from support.tiny_model import write_gguf

    return write_gguf(tiny_model, tiny_model.parent / "tiny.gguf")


@pytest.fixture(scope="session")
def rows_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of two tasks, as the data command lays them out; read it only."""
    from support.made_rows import write_rows

    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder / "text_to_sql.train.jsonl", "text_to_sql", range(48))
    write_rows(folder / "text_to_sql.eval.jsonl", "text_to_sql", range(48, 56))
    write_rows(folder / "schema_linking.train.jsonl", "schema_linking", range(16))
    write_rows(folder / "schema_linking.eval.jsonl", "schema_linking", range(16, 20))
    return folder


@pytest.fixture
def make_run(tiny_model: Path, rows_folder: Path, tmp_path: Path) -> Callable[..., Any]:
    """A short run with a new adapter, with whatever is named otherwise."""
    from route_sql.training.tuning.config import LoRA, SFTRun

    def make(**changes: Any) -> SFTRun:
        settings = {
            "base": str(tiny_model),
            "data": str(rows_folder),
            "tasks": {"text_to_sql": 2.0, "schema_linking": 1.0},
            "out": str(tmp_path / "run"),
            "lora": LoRA(rank=4, alpha=8),
            "lr": 5e-3,
            "max_steps": 6,
            "max_length": 512,
            "dtype": "fp32",
            "log_steps": 1,
            "save_steps": 2,
            "eval_steps": 3,
        }
        return SFTRun(**{**settings, **changes})

    return make
