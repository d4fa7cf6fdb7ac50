"""A run is not resumed on databases that have changed since it began."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.database_digests import BLOCK, BLOCKS, database_digests
from route_sql.training.evaluation.evaluate import evaluate_examples
from route_sql.training.evaluation.run_log import JSON, meta_path

SETTINGS: dict[str, JSON] = {"strategy": "single"}


def make(path: Path, *names: str) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE customer (name TEXT)")
        connection.executemany("INSERT INTO customer VALUES (?)", [(name,) for name in names])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    make(tmp_path / "shop.sqlite", "Ida", "Ole")
    return tmp_path / "shop.sqlite"


async def evaluated(scripted: Any, shop: Path, out: Path, name: str = "shop") -> float:
    gold = "SELECT name FROM customer"
    examples = [Example(0, name, "Who are the customers?", "", gold)]
    catalog, _ = Catalog.from_url(shop)
    async with catalog:
        ask = scripted({examples[0].question: gold})
        return (await evaluate_examples(ask, examples, catalog, out, settings=SETTINGS))["ex"]


async def test_it_says_which_database_has_changed(scripted: Any, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.jsonl"
    assert await evaluated(scripted, shop, out) == 1.0
    before = out.read_bytes()
    make(shop, "Ida", "Una")
    with pytest.raises(EvaluationError, match="the database shop has changed. Take the same .*, or name another file"):
        await evaluated(scripted, shop, out)
    assert out.read_bytes() == before


async def test_a_copy_is_the_same_database(scripted: Any, shop: Path, tmp_path: Path) -> None:
    out, copy = tmp_path / "run.jsonl", tmp_path / "elsewhere" / "shop.sqlite"
    await evaluated(scripted, shop, out)
    copy.parent.mkdir()
    copy.write_bytes(shop.read_bytes())
    assert await evaluated(scripted, copy, out) == 1.0


async def test_a_database_that_was_missing_is_another_one(scripted: Any, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.jsonl"
    assert await evaluated(scripted, shop, out, name="depot") == 0.0
    make(tmp_path / "depot.sqlite", "Ida")
    with pytest.raises(EvaluationError, match="the database depot has changed"):
        await evaluated(scripted, tmp_path / "depot.sqlite", out, name="depot")


async def test_a_run_of_an_older_version_is_resumed(scripted: Any, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.jsonl"
    await evaluated(scripted, shop, out)
    meta = json.loads(meta_path(out).read_text())
    assert list(meta.pop("databases")) == ["shop"]
    meta_path(out).write_text(json.dumps(meta))
    make(shop, "Ida", "Una")
    assert await evaluated(scripted, shop, out) == 1.0


class File:
    """A database in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2 * BLOCKS * BLOCK + 1)
    first = database_digests(lambda name: File(path), ["large"])
    for place in (0, 2 * BLOCKS * BLOCK):
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"x")
        now = database_digests(lambda name: File(path), ["large"])
        assert now != first
        first = now
    assert database_digests(lambda name: object(), ["on a server"]) == {}
