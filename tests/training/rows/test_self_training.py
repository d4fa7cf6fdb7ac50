"""Rows of a model's own replies: right ones in other words, pairs, and questions that were always right."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from route_sql.cli import main
from route_sql.training.datasets.data_set import DataSet, OpenDataSet, open_data_set
from route_sql.training.rows.building import TASKS, Recipe, build_data
from route_sql.training.rows.training_example import ExamplePreparer
from route_sql.training.tasks import pair_choice
from route_sql.training.tasks.task import Row

BERN = "SELECT name FROM customer WHERE city = 'Bern'"
IN_OTHER_WORDS = "SELECT name FROM customer WHERE city IN ('Bern')"
WRONG = "SELECT name FROM customer WHERE city = 'Ulm'"


@pytest.fixture
async def source(databases: Path, tmp_path: Path) -> AsyncIterator[OpenDataSet]:
    pairs = [
        ("Who lives in Bern?", BERN),
        ("Who lives in Rome?", "SELECT name FROM customer WHERE city = 'Rome'"),
        ("How many products?", "SELECT COUNT(*) FROM product"),
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(json.dumps({"database": "shop", "question": q, "sql": sql}) for q, sql in pairs), "utf-8")
    async with open_data_set(DataSet("log", log, databases)) as opened:
        yield opened


async def built(source: OpenDataSet, folder: Path, replies: Mapping[int, Sequence[str]]) -> list[Row]:
    """The rows of the question about Bern."""
    await build_data(source, folder, Recipe(held_out=0, self_training=True), replies=replies)
    lines = [line for file in folder.glob("*.jsonl") for line in file.read_text("utf-8").splitlines()]
    return [row for row in map(json.loads, lines) if row["index"] == 0]


async def test_a_right_reply_in_other_words_is_learned_next_to_the_gold(source: OpenDataSet, tmp_path: Path) -> None:
    rows = await built(source, tmp_path / "rows", {0: [IN_OTHER_WORDS, WRONG]})
    replies = {row["kind"]: row["completion"][0]["content"] for row in rows if row["task"] == "text_to_sql"}
    assert replies["full"] == BERN
    assert replies["own:full"] == replies["own:linked"] == IN_OTHER_WORDS


@pytest.mark.parametrize(
    "again", ["SELECT name FROM customer WHERE 'Bern' = city", BERN.lower().replace("bern", "Bern")]
)
async def test_the_gold_in_another_order_is_not_learned_twice(source: OpenDataSet, tmp_path: Path, again: str) -> None:
    rows = await built(source, tmp_path / "rows", {0: [again, WRONG]})
    assert not any(row["kind"].startswith("own") for row in rows)


async def test_a_reply_that_is_right_by_chance_is_not_learned(source: OpenDataSet, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    await built(source, folder, {1: ["SELECT name FROM product WHERE price < 0", WRONG]})
    assert '"own:' not in (folder / "text_to_sql.train.jsonl").read_text("utf-8")


async def test_rows_of_a_question_that_is_always_right_are_marked(source: OpenDataSet, tmp_path: Path) -> None:
    rows = await built(source, tmp_path / "rows", {0: [BERN, IN_OTHER_WORDS]})
    kinds = {row["kind"] for row in rows if row["task"] == "text_to_sql"}
    assert kinds == {"easy:full", "easy:linked", "own:full", "own:linked"}
    assert all(row["kind"].startswith(("easy:", "own:")) for row in rows)


@pytest.mark.parametrize("reply", ["unanswerable: no column for city", WRONG, "SELECT nothing"])
async def test_one_reply_that_is_not_right_makes_a_question_hard(
    source: OpenDataSet, tmp_path: Path, reply: str
) -> None:
    rows = await built(source, tmp_path / "rows", {0: [BERN, reply]})
    assert not any(row["kind"].startswith("easy:") for row in rows)


async def test_a_pair_shows_both_results_and_names_the_right_query(source: OpenDataSet, tmp_path: Path) -> None:
    rows = await built(source, tmp_path / "rows", {0: [WRONG]})
    [pair] = [row for row in rows if row["kind"].startswith("pair")]
    shown = pair["prompt"][-1]["content"]
    choice = pair_choice.parse(pair["completion"][0]["content"])
    assert choice == pair["kind"].removeprefix("pair:")
    assert (shown.index(BERN) < shown.index(WRONG)) == (choice == "first")
    assert "Ada" in shown and "Cy" in shown
    assert "name: customer, product" in shown


async def test_each_completion_scores_one_and_the_wrong_choice_none(source: OpenDataSet, tmp_path: Path) -> None:
    rows = await built(source, tmp_path / "rows", {0: [IN_OTHER_WORDS, WRONG]})
    judge = ExamplePreparer(source, 0, {}).judge
    for row in rows:
        assert await TASKS[row["task"]].score(row["completion"][0]["content"], row, judge) == 1.0, row
    pair = next(row for row in rows if row["kind"].startswith("pair"))
    other = "second" if pair["kind"] == "pair:first" else "first"
    assert await TASKS["noise_correction"].score(f"verdict: {other}", pair, judge) == 0.0


def test_the_command_asks_for_replies(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as left:
        main(["train", "data", "--questions", str(tmp_path / "log.json"), "--self-training", "--out", str(out)])
    assert left.value.code == 2 and "--replies" in capfd.readouterr().err
    assert not out.exists()
