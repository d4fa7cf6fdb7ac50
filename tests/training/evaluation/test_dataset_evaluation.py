import json
from pathlib import Path
from typing import Any

import pytest

from route_sql.graph.asking import Ask
from route_sql.tools.database.catalog import Catalog
from route_sql.training.datasets.data_set import DataSet
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import DatasetError, EvaluationError
from route_sql.training.evaluation.figures.summary import summarise
from route_sql.training.evaluation.on_dataset import evaluate_dataset, score_dataset
from route_sql.training.evaluation.run_log import meta_path, read_run

Script = dict[str, str | None | Exception]


@pytest.fixture
def questions(tmp_path: Path, examples: list[Example]) -> Path:
    """A Spider questions file of seven entries, of which place 2 is to be left out."""
    entries = {
        example.index: {"db_id": "shop", "question": example.question, "query": example.sql} for example in examples
    }
    left_out = {"db_id": "shop", "question": "Left out?", "query": "SELECT 1"}
    path = tmp_path / "dev.json"
    path.write_text(json.dumps([entries.get(place, left_out) for place in range(7)]))
    path.with_name("EXCLUDED.json").write_text(json.dumps({"dev.json": [2]}))
    return path


async def test_a_data_set_is_evaluated_and_scored_alike(
    scripted: Any, gold_script: Script, questions: Path, databases: Path, tmp_path: Path
) -> None:
    gold_script["Who bought nothing?"] = "SELECT name FROM customer"
    out = tmp_path / "run.jsonl"

    def ask_on(catalog: Catalog) -> Ask:
        assert catalog.get("shop").dialect == "sqlite"
        ask: Ask = scripted(gold_script)
        return ask

    summary = await evaluate_dataset(
        ask_on, DataSet("spider", questions, databases), out, settings={"strategy": "single"}
    )
    assert summary["n"] == 6
    assert summary["ex"] == pytest.approx(5 / 6)
    lines = await score_dataset(DataSet("spider", questions, databases), out)
    assert summarise(lines) == summary


async def test_a_sample_is_drawn_and_its_settings_are_kept(
    scripted: Any, gold_script: Script, questions: Path, databases: Path, tmp_path: Path
) -> None:
    async def run(seed: int, limit: int) -> list[int]:
        out = tmp_path / "run.jsonl"
        await evaluate_dataset(
            lambda catalog: scripted(gold_script),
            DataSet("spider", questions, databases, limit=limit, seed=seed),
            out,
            settings={},
        )
        return [line["index"] for line in read_run(out)]

    drawn = await run(seed=1, limit=3)
    assert len(drawn) == 3
    assert await run(seed=1, limit=3) == drawn
    settings = json.loads(meta_path(tmp_path / "run.jsonl").read_text())["settings"]
    assert settings == {
        "layout": "spider",
        "questions": "dev.json",
        "limit": 3,
        "seed": 1,
        "metric": "spider",
        "keep_distinct": False,
    }
    with pytest.raises(EvaluationError, match="seed was 1, is 2"):
        await run(seed=2, limit=3)


async def test_text_predictions_may_cover_the_whole_file_or_what_is_left(
    questions: Path, databases: Path, examples: list[Example], tmp_path: Path
) -> None:
    by_place = {example.index: example.sql for example in examples}
    whole = [by_place.get(place, "SELECT 'left out'") for place in range(7)]
    for queries in (whole, list(by_place.values())):
        path = tmp_path / "predictions.sql"
        path.write_text("\n".join(queries) + "\n")
        lines = await score_dataset(DataSet("spider", questions, databases), path)
        assert [line["correct"] for line in lines] == [True] * 6


async def test_bird_is_scored_by_its_own_rule(databases: Path, tmp_path: Path) -> None:
    questions, predictions = tmp_path / "bird.json", tmp_path / "p.sql"
    entry = {
        "db_id": "shop",
        "question": "?",
        "SQL": "SELECT name, city FROM customer",
        "difficulty": "simple",
    }
    questions.write_text(json.dumps([entry]))
    predictions.write_text("SELECT city, name FROM customer\n")
    bird = DataSet("bird", questions, databases)
    assert summarise(await score_dataset(bird, predictions))["by_difficulty"] == {"simple": {"n": 1, "ex": 0.0}}
    assert summarise(await score_dataset(bird, predictions, metric="spider"))["ex"] == 1.0


async def test_a_folder_without_the_databases(questions: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"1 of 1 databases are not in .*: shop; name the folder"):
        await score_dataset(DataSet("spider", questions, tmp_path), tmp_path / "p.sql")


async def test_a_published_schema_is_no_database_to_run_answers_on(tmp_path: Path) -> None:
    questions = tmp_path / "dev.json"
    questions.write_text(json.dumps([{"db_id": "shop", "question": "?", "SQL": "SELECT name FROM customer"}]))
    schema = {
        "db_id": "shop",
        "table_names_original": ["customer"],
        "table_names": ["customer"],
        "column_names_original": [[-1, "*"], [0, "name"]],
        "column_names": [[-1, "*"], [0, "name"]],
        "column_types": ["text", "text"],
        "primary_keys": [],
        "foreign_keys": [],
    }
    questions.with_name("dev_tables.json").write_text(json.dumps([schema]))
    with pytest.raises(DatasetError, match=r"1 databases are not in .*: shop; answers are run.*name the folder"):
        await score_dataset(DataSet("bird", questions, tmp_path), tmp_path / "p.sql")


@pytest.fixture
def misspelt(questions: Path) -> Path:
    """The same file with one `db_id` that no database has."""
    entries = json.loads(questions.read_text())
    entries[1]["db_id"] = "../shpo"
    questions.write_text(json.dumps(entries))
    return questions


async def test_a_misspelt_database_is_one_wrong_answer(
    scripted: Any, gold_script: Script, misspelt: Path, databases: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.jsonl"
    summary = await evaluate_dataset(
        lambda catalog: scripted(gold_script), DataSet("spider", misspelt, databases), out, settings={}
    )
    assert summary["n"] == 6
    assert summary["ex"] == pytest.approx(5 / 6)
    assert (summary["gold_faults"], summary["wrong_databases"]) == (1, {"there is no '../shpo'": 1})
    assert [line["asked"] for line in read_run(out) if not line["correct"]] == [[]]
    lines = await score_dataset(DataSet("spider", misspelt, databases), out)
    assert summarise(lines) == summary
