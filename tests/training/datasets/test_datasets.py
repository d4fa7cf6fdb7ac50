import json
import os
from pathlib import Path
from typing import Any

import pytest

from route_sql.training.datasets.examples import Example, PublishedLayout, load_examples, sample
from route_sql.training.errors import DatasetError

SPIDER = [{"db_id": "shop", "question": f"Question {i}?", "query": f"SELECT {i}"} for i in range(5)]


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_spider_layout(tmp_path: Path) -> None:
    examples = load_examples(write(tmp_path / "dev.json", SPIDER), "spider")
    assert examples[1] == Example(1, "shop", "Question 1?", "", "SELECT 1")
    assert len(examples) == 5


def test_spider_syn_asks_the_synonym_question(tmp_path: Path) -> None:
    entry = {
        "db_id": "shop",
        "SpiderQuestion": "How many clients?",
        "SpiderSynQuestion": "How many patrons?",
        "query": "SELECT 1",
    }
    assert load_examples(write(tmp_path / "dev_syn.json", [entry]), "spider")[0].question == "How many patrons?"


def test_bird_layout(tmp_path: Path) -> None:
    entries = [
        {
            "question_id": 7,
            "db_id": "shop",
            "question": "Who?",
            "evidence": "who means name",
            "SQL": "SELECT name FROM customer",
            "difficulty": "simple",
        },
        {"db_id": "shop", "question": "What?", "evidence": None, "SQL": "SELECT 2"},
    ]
    first, second = load_examples(write(tmp_path / "dev.json", entries), "bird")
    assert first == Example(0, "shop", "Who?", "who means name", "SELECT name FROM customer", "simple")
    assert (second.evidence, second.difficulty) == ("", None)


def test_exclusions_go_by_the_file_name_and_keep_the_index(tmp_path: Path) -> None:
    path = write(tmp_path / "dev.json", SPIDER)
    write(tmp_path / "EXCLUDED.json", {"reason": {"x": "empty"}, "dev.json": [1, 3], "train.json": [0]})
    assert [example.index for example in load_examples(path, "spider")] == [0, 2, 4]
    assert len(load_examples(path, "spider", exclude=False)) == 5
    other = write(tmp_path / "other.json", SPIDER)
    assert len(load_examples(other, "spider")) == 5


@pytest.mark.parametrize(
    ("content", "layout", "reported"),
    [
        ("[", "spider", "not JSON"),
        ('{"a": 1}', "spider", "no list"),
        ("[3]", "spider", "entry 0 is not an object"),
        (
            '[{"db_id": "a", "question": "q", "query": "SELECT 1"}, {"db_id": "a"}]',
            "spider",
            "entry 1 lacks question, query",
        ),
        ('[{"db_id": "a", "question": "q", "query": "SELECT 1"}]', "bird", "entry 0 lacks SQL"),
        ('[{"db_id": 3, "question": "q", "query": "SELECT 1"}]', "spider", "entry 0 lacks db_id"),
    ],
)
def test_what_is_wrong_is_reported(tmp_path: Path, content: str, layout: PublishedLayout, reported: str) -> None:
    path = tmp_path / "dev.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=reported) as raised:
        load_examples(path, layout)
    assert str(path) in str(raised.value)


def test_missing_file_and_wrong_encoding(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="can't be read"):
        load_examples(tmp_path / "none.json", "spider")
    (tmp_path / "latin.json").write_bytes(b'["\xe9"]')
    with pytest.raises(DatasetError, match="not JSON"):
        load_examples(tmp_path / "latin.json", "spider")


@pytest.mark.parametrize("exclusions", [[1], {"dev.json": 1}, {"dev.json": ["1"]}])
def test_malformed_exclusions(tmp_path: Path, exclusions: Any) -> None:
    write(tmp_path / "EXCLUDED.json", exclusions)
    with pytest.raises(DatasetError, match=r"EXCLUDED\.json must be"):
        load_examples(write(tmp_path / "dev.json", SPIDER), "spider")


def test_sample_is_the_same_for_a_seed_and_in_order(examples: list[Example]) -> None:
    drawn = sample(examples, 3, seed=5)
    assert drawn == sample(examples, 3, seed=5)
    assert len(drawn) == 3
    assert [example.index for example in drawn] == sorted({example.index for example in drawn})
    assert {tuple(sample(examples, 3, seed)) for seed in range(20)} != {tuple(drawn)}


def test_sample_of_everything(examples: list[Example]) -> None:
    assert sample(examples, None, 0) == sample(examples, 99, 0) == examples
    with pytest.raises(DatasetError, match="limit of 1 or more"):
        sample(examples, 0, 0)


@pytest.mark.skipif("ROUTE_SQL_SPIDER" not in os.environ, reason="ROUTE_SQL_SPIDER names no Spider folder")
def test_the_real_spider() -> None:
    folder = Path(os.environ["ROUTE_SQL_SPIDER"])
    everything = load_examples(folder / "dev.json", "spider", exclude=False)
    assert len(everything) == 1034
    assert len({example.database for example in everything}) == 20
