"""The query log and the tutorial that trains on it: every pair runs on the demo database, every command exists."""

import json
import re
import shlex
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
import sqlglot
from sqlglot import exp
from typer.main import get_command

from route_sql.cli import app, main
from route_sql.demo.database import build_demo_database
from route_sql.demo.questions import QUESTIONS
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.training.datasets.examples import Example
from route_sql.training.datasets.query_log import load_query_log
from route_sql.training.rows.building import Recipe, split_examples
from route_sql.training.rows.poison import check_for_poison, finds_nothing
from route_sql.training.tasks.task import TaskName
from route_sql.training.tuning.config import load_run

LOG = Path(__file__).parents[3] / "examples" / "clinic_query_log.csv"
TUTORIAL = LOG.with_name("train_on_your_own_queries.md").read_text(encoding="utf-8")

NOTHING_FOUND = {
    "Do we have any appointments at the weekend? List their ids.",
    "Is there a completed appointment that was never billed?",
    "Is there a doctor without any specialty? List the names.",
    "Was any invoice paid before it was issued? Invoice ids, please.",
}
"""Questions that are asked in the hope of an empty answer."""


@pytest.fixture(scope="module")
def pairs() -> list[Example]:
    return load_query_log(LOG)


def shape(sql: str) -> str:
    """The query with every literal taken out."""
    tree = sqlglot.parse_one(sql, read="sqlite")
    return tree.transform(lambda node: exp.Placeholder() if isinstance(node, exp.Literal) else node).sql("sqlite")


async def test_every_pair_runs_and_only_the_listed_ones_find_nothing(pairs: list[Example], tmp_path: Path) -> None:
    database = SQLiteDatabase("clinic", build_demo_database(tmp_path / "clinic.sqlite"))
    found = {pair.question: await database.execute(pair.sql) for pair in pairs}
    await database.close()
    failed = {question: outcome["error"] for question, outcome in found.items() if outcome["error"]}
    assert not failed
    assert {question for question, outcome in found.items() if outcome["status"] == "empty"} == NOTHING_FOUND
    assert {outcome["status"] for outcome in found.values()} == {"ok", "empty"}
    nulls = [question for question, outcome in found.items() if outcome["rows"] and outcome["rows"] == [[None]]]
    assert not nulls and not any(outcome["truncated"] for outcome in found.values())


def test_there_are_200_questions_on_one_database_and_none_twice(pairs: list[Example]) -> None:
    words = {" ".join(pair.question.casefold().split()) for pair in pairs}
    assert len(pairs) == len(words) == 200
    assert {pair.database for pair in pairs} == {"clinic"}


def test_the_questions_of_the_demo_are_not_learned(pairs: list[Example]) -> None:
    demo_questions = {demo.question.casefold() for demo in QUESTIONS}
    demo_sql = {sqlglot.parse_one(demo.sql, read="sqlite").sql("sqlite") for demo in QUESTIONS}
    assert not demo_questions & {pair.question.casefold() for pair in pairs}
    assert not demo_sql & {sqlglot.parse_one(pair.sql, read="sqlite").sql("sqlite") for pair in pairs}


def test_nothing_in_it_looks_like_poison(pairs: list[Example]) -> None:
    report = check_for_poison(pairs)
    assert report["examined"] == 200 and finds_nothing(report)


def test_no_query_stands_in_more_than_four_with_another_value(pairs: list[Example]) -> None:
    shapes = Counter(shape(sql) for sql in {pair.sql for pair in pairs})
    assert max(shapes.values()) <= 4


def test_about_a_fifth_says_again_what_another_asks(pairs: list[Example]) -> None:
    times = Counter(pair.sql for pair in pairs)
    assert 35 <= sum(count for count in times.values() if count > 1) <= 55
    assert len(pairs) - len(times) >= 20


def test_every_table_and_kind_of_query_is_there(pairs: list[Example]) -> None:
    trees = [sqlglot.parse_one(pair.sql, read="sqlite") for pair in pairs]
    assert {table.name for tree in trees for table in tree.find_all(exp.Table)} == {
        "appointment", "condition", "department", "diagnosis", "doctor", "doctor_specialty", "insurer", "invoice",
        "medication", "patient", "prescription", "specialty", "unpaid_invoice",
    }  # fmt: skip
    kinds = (exp.Join, exp.Group, exp.Having, exp.Order, exp.Limit, exp.Distinct, exp.Is, exp.Like, exp.In, exp.Case)
    assert all(sum(tree.find(kind) is not None for tree in trees) >= 1 for kind in kinds)
    assert all(any(isinstance(tree, kind) for tree in trees) for kind in (exp.Union, exp.Except, exp.Intersect))
    assert sum(len({table.name for table in tree.find_all(exp.Table)}) >= 3 for tree in trees) >= 30


def test_paraphrases_are_held_out_together(pairs: list[Example]) -> None:
    splits, whole_databases = split_examples(pairs, Recipe(held_out=0.2))
    learned = {pair.sql for pair, split in zip(pairs, splits, strict=True) if split == "train"}
    held_out = {pair.sql for pair, split in zip(pairs, splits, strict=True) if split == "eval"}
    assert not whole_databases and not learned & held_out
    assert 30 <= splits.count("eval") <= 50


def test_the_tutorial_names_what_is_there() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    said = [shlex.split(line) for line in re.findall(r"^    route-sql (.+)$", TUTORIAL, re.MULTILINE)]
    assert [words[:2] if words[0] == "train" else words[:1] for words in said] == [
        ["train", "data"], ["eval"], ["train", "unpack"], ["train", "sft"], ["train", "export"], ["eval"],
    ]  # fmt: skip
    for words in said:
        command = commands["train"].commands[words[1]] if words[0] == "train" else commands[words[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options
    assert all((LOG.parent / target).exists() for target in re.findall(r"\]\(([^)]+)\)", TUTORIAL))


def test_the_tutorial_settings_are_a_run(tmp_path: Path) -> None:
    settings = tmp_path / "clinic.yaml"
    settings.write_text(re.findall(r"```yaml\n(.*?)```", TUTORIAL, re.DOTALL)[0])
    run = load_run(settings)
    assert (run.base, run.data) == ("base", "runs/clinic/rows")
    assert f"--out {Path(str(run.adapter)).parent}\n" in TUTORIAL
    assert set(run.tasks) == set(get_args(TaskName))
    assert f"--adapter {run.out}/final" in TUTORIAL


def test_the_tutorial_counts_the_rows_as_they_are(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build_demo_database(tmp_path / "clinic.sqlite")
    words = shlex.split(re.findall(r"^    route-sql (train data .+)$", TUTORIAL, re.MULTILINE)[0])
    places = {"examples/clinic_query_log.csv": LOG, ".demo": tmp_path, "runs/clinic/rows": tmp_path / "rows"}
    with pytest.raises(SystemExit) as left:
        main([str(places.get(word, word)) for word in words])
    assert left.value.code == 0 and "poison" not in capfd.readouterr().err
    card = json.loads((tmp_path / "rows" / "data_card.json").read_bytes())
    learned, held_out = (card["files"][f"text_to_sql.{split}.jsonl"] for split in ("train", "eval"))
    assert f"{learned['rows']} rows of {learned['examples']} pairs" in TUTORIAL
    assert f"{held_out['rows']} rows of the {held_out['examples']} pairs" in TUTORIAL
    assert card["examples"] == 200 and not card["left_out"]
