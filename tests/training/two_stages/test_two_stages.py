import asyncio
import json
import logging
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from route_sql.training.datasets.data_set import DataSet, open_data_set
from route_sql.training.errors import TrainingError
from route_sql.training.resumable import OneWriter
from route_sql.training.rows.building import Recipe, build_data
from route_sql.training.tuning.batched_replies import GeneratedReply
from route_sql.training.tuning.config import CONFIGS, LoRA, SFTRun
from route_sql.training.tuning.dense_base import BaseLocation, dense_base
from route_sql.training.tuning.pieces import join_file, split_file
from route_sql.training.two_stages.folds import fold_databases, rows_of_file, write_fold
from route_sql.training.two_stages.pace import Pace, find_pace, steps_within
from route_sql.training.two_stages.pack import pack_results, unpack_adapter
from route_sql.training.two_stages.plan import Plan, recipe_of
from route_sql.training.two_stages.reply_scores import score_replies
from route_sql.training.two_stages.run import TwoStages
from route_sql.training.two_stages.sharded_data import DataPlan, build_in_processes
from route_sql.training.two_stages.stage_log import StageLog

NAMES = ("bakery", "garage", "library", "museum")
QUESTIONS = (
    ("How many things are there?", "SELECT count(*) FROM thing"),
    ("Which things are dearer than 2?", "SELECT name FROM thing WHERE price > 2"),
    (
        "Who made the cheapest thing?",
        "SELECT m.name FROM maker m JOIN thing t ON t.maker_id = m.id ORDER BY price LIMIT 1",
    ),
)
RECIPE = Recipe(held_out=0.25, max_tokens=1500)


@dataclass(frozen=True)
class Set:
    """Questions on several databases, and rows made of them without a model's replies."""

    questions: Path
    databases: Path
    rows: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Set:
    folder: Path = tmp_path_factory.mktemp("set")
    for price, name in enumerate(NAMES):
        (folder / "database" / name).mkdir(parents=True)
        with sqlite3.connect(folder / "database" / name / f"{name}.sqlite") as connection:
            connection.executescript(
                "CREATE TABLE maker (id INTEGER PRIMARY KEY, name TEXT);"
                "CREATE TABLE thing (id INTEGER PRIMARY KEY, maker_id INTEGER REFERENCES maker (id), name TEXT,"
                "price REAL);"
                "INSERT INTO maker VALUES (1, 'Ada'), (2, 'Bo');"
                f"INSERT INTO thing VALUES (1, 1, 'one', {price}), (2, 2, 'two', 2.5), (3, 2, 'three', 9);"
            )
        connection.close()
    entries = [{"db_id": name, "question": asked, "query": sql} for name in NAMES for asked, sql in QUESTIONS]
    (folder / "train.json").write_text(json.dumps(entries), encoding="utf-8")
    made = Set(folder / "train.json", folder / "database", folder / "rows")
    asyncio.run(build(made, made.rows))
    return made


async def build(made: Set, out: Path, replies: dict[int, list[str]] | None = None) -> None:
    async with open_data_set(DataSet("spider", made.questions, made.databases)) as source:
        await build_data(source, out, RECIPE, replies=replies)


@pytest.fixture
def plan(made: Set, tiny_gguf: Path, tiny_model: Path, tmp_path: Path) -> Plan:
    """A run of a few steps, its base in pieces."""
    split_file(tiny_gguf, tmp_path / "pieces", 300_000)
    sft = SFTRun(
        base=str(tmp_path / "base" / tiny_gguf.name),
        tokenizer=str(tiny_model),
        data=str(made.rows),
        out=str(tmp_path / "run"),
        tasks={"text_to_sql": 3.0, "schema_linking": 1.0, "noise_correction": 2.0, "continuation_writing": 1.0},
        lora=LoRA(rank=4, alpha=8),
        epochs=1,
        max_length=1536,
        dtype="fp32",
        log_steps=1,
        save_steps=5,
        eval_steps=50,
        eval_rows=1,
    )
    bounds: dict[str, Any] = {"seconds": 0, "max_new_tokens": 8, "prompts": 2, "scored": 1, "processes": 2}
    return Plan(sft, made.questions, made.databases, pieces=tmp_path / "pieces", **bounds)


def test_the_whole_run_from_pieces_of_the_base_to_the_packed_adapter(plan: Plan, made: Set, tmp_path: Path):
    adapter = TwoStages(plan).run()
    stages = json.loads((plan.out / "stages.json").read_text())["stages"]
    order = [
        "base",
        "pace",
        "stage one a",
        "replies a",
        "stage one b",
        "replies b",
        "rows",
        "steps",
        "stage two",
        "scores",
    ]
    assert list(stages) == order
    assert_replies_are_to_unseen_databases(plan)
    assert recipe_of(plan.out / "rows") == recipe_of(made.rows) == RECIPE
    scores = json.loads((plan.out / "scores.json").read_text())
    assert set(scores["stage one"]) >= {"text_to_sql", "schema_linking"} and len(scores["tuned"]) > 4
    assert pack_results(plan.out, tmp_path / "out", piece=20_000) == adapter
    pieces = sorted((tmp_path / "out").glob("adapter.tar.part-*"))
    assert len(pieces) > 1 and all(piece.stat().st_size <= 20_000 for piece in pieces)
    unpacked = unpack_adapter(tmp_path / "out", tmp_path / "unpacked")
    assert {file.name for file in unpacked.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    # What is done is not done again.
    before = (plan.out / "stages.json").read_bytes()
    assert TwoStages(replace(plan, seconds=99)).run() == adapter
    assert (plan.out / "stages.json").read_bytes() == before


def test_a_run_of_one_stage_learns_from_all_rows_that_exist(plan: Plan, rows_folder: Path, tmp_path: Path):
    data = tmp_path / "prepared"
    shutil.copytree(plan.prepared, data)
    for name in ("text_to_sql.eval.jsonl", "schema_linking.eval.jsonl"):
        (data / name).write_text((data / name).read_text().replace('"executable": true', '"executable": false'))
    sft = replace(plan.sft, data=(str(data), str(rows_folder)))
    adapter = TwoStages(replace(plan, stages=1, sft=sft)).run()
    assert list(json.loads((plan.out / "stages.json").read_text())["stages"]) == [
        "base",
        "pace",
        "steps",
        "stage two",
        "scores",
    ]
    learned = yaml.safe_load((plan.out / "stage-two" / "run.yaml").read_text())["data"]["text_to_sql"]["rows"]
    files = [folder / "text_to_sql.train.jsonl" for folder in (plan.prepared, rows_folder)]
    assert learned == sum(len(file.read_text().splitlines()) for file in files)
    scores = json.loads((plan.out / "scores.json").read_text())
    assert set(scores) == {"tuned"} and len(scores["tuned"]) > 4
    assert "schema_linking" in scores["tuned"] and "text_to_sql" not in scores["tuned"]  # SQL needs the database
    assert pack_results(plan.out, tmp_path / "out") == adapter


def test_a_set_without_held_out_rows_has_no_scores(plan: Plan, tmp_path: Path):
    data = tmp_path / "without"
    shutil.copytree(plan.prepared, data, ignore=shutil.ignore_patterns("*.eval.jsonl"))
    adapter = TwoStages(replace(plan, stages=1, sft=replace(plan.sft, data=str(data)))).run()
    assert adapter.is_dir() and json.loads((plan.out / "scores.json").read_text()) == {"tuned": {}}


def test_rows_of_further_folders_are_learned_from_in_stage_two_alone(plan: Plan, rows_folder: Path):
    sft = replace(plan.sft, data=(str(plan.prepared), str(rows_folder)))
    TwoStages(replace(plan, sft=sft)).run()

    def learned(stage: str) -> int:
        return int(yaml.safe_load((plan.out / stage / "run.yaml").read_text())["data"]["text_to_sql"]["rows"])

    further = len((rows_folder / "text_to_sql.train.jsonl").read_text().splitlines())
    own = len((plan.out / "rows" / "text_to_sql.train.jsonl").read_text().splitlines())
    assert learned("stage-two") == own + further > own > learned("stage-one-a")


def test_a_folder_without_rows_is_said_before_anything_is_done(plan: Plan, tmp_path: Path):
    sft = replace(plan.sft, data=(str(plan.prepared), str(tmp_path / "mistyped")))
    with pytest.raises(TrainingError, match="no rows in .*mistyped"):
        TwoStages(replace(plan, sft=sft)).run()
    assert not plan.out.exists() or not list(plan.out.glob("base*"))


def test_the_command_reads_a_plan_and_says_what_is_wrong_in_one_line(made: Set, tmp_path: Path):
    settings = yaml.safe_load((CONFIGS / "two-stages-0.5b.yaml").read_text())
    settings |= {"questions": str(made.questions), "databases": str(made.databases)}
    settings["sft"] |= {"data": [str(made.rows), str(tmp_path / "mistyped")], "out": str(tmp_path / "run")}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "route_sql", "train", "two-stages", "--plan", "plan.yaml"]
    refused = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: there are no rows in") and refused.stderr.count("\n") == 1


def test_the_old_command_line_still_works_with_a_warning(made: Set, tmp_path: Path):
    module = [sys.executable, "-m", "route_sql.training.two_stages"]
    asked = ["two-stages-0.5b", "--questions", str(made.questions), "--databases", str(made.databases)]
    rows = ["--data", str(made.rows), "--data", str(tmp_path / "mistyped"), "--out", str(tmp_path / "run")]
    refused = subprocess.run([*module, *asked, *rows], capture_output=True, text=True, cwd=tmp_path)
    assert refused.returncode == 2
    warning, error = refused.stderr.splitlines()
    assert "deprecated" in warning and "route-sql train two-stages --plan" in warning
    assert error.startswith("error: there are no rows in") and "mistyped" in error


def assert_replies_are_to_unseen_databases(plan: Plan) -> None:
    held_out = {row["database"] for row in rows_of_file(plan.prepared / "text_to_sql.eval.jsonl")}
    asked = {}
    for fold in "ab":
        learnt = {row["database"] for row in rows_of_file(plan.out / f"fold-{fold}" / "text_to_sql.train.jsonl")}
        lines = map(json.loads, (plan.out / f"replies-{fold}.jsonl").read_text().splitlines())
        asked[fold] = {line["database"] for line in lines}
        assert learnt and not asked[fold] & learnt
        assert not learnt & held_out
    assert not asked["b"] & held_out


def test_a_run_with_other_settings_is_not_taken_up(plan: Plan):
    log = StageLog(plan.out / "stages.json", plan.settings())
    log.stage("base", dict)
    TwoStages(replace(plan, seconds=1.0, processes=9))
    with pytest.raises(TrainingError, match="prompts was 2, is 3"):
        TwoStages(replace(plan, prompts=3))


def test_two_processes_do_not_write_one_run(plan: Plan):
    with OneWriter(plan.out, "folder", TrainingError):
        with pytest.raises(TrainingError, match="another process is writing"):
            TwoStages(plan).run()
    assert not list(plan.out.glob("base*"))


def test_a_stage_that_fails_is_done_again_and_those_before_it_are_not(tmp_path: Path):
    done: list[str] = []

    def work(name: str, fails: bool = False) -> dict[str, Any]:
        done.append(name)
        if fails:
            raise ZeroDivisionError
        return {"made": name}

    log = StageLog(tmp_path / "stages.json", {"seed": 1})
    log.stage("first", lambda: work("first"))
    with pytest.raises(ZeroDivisionError):
        log.stage("second", lambda: work("second", fails=True))
    again = StageLog(tmp_path / "stages.json", {"seed": 1})
    assert again.stage("first", lambda: work("first")) == {"made": "first"}
    assert again.stage("second", lambda: work("second")) == {"made": "second"}
    assert done == ["first", "second", "second"]


def test_rows_built_by_several_processes_are_those_of_one(made: Set, tmp_path: Path):
    wrong = {0: ["SELECT count(*) FROM maker"], 4: ["SELECT name FROM thing"]}
    asyncio.run(build(made, tmp_path / "one", wrong))
    lines = [{"index": index, "sql": sql} for index, replies in wrong.items() for sql in replies]
    (tmp_path / "replies.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    data = DataPlan("spider", made.questions, made.databases, RECIPE, replies=tmp_path / "replies.jsonl")
    card = build_in_processes(data, tmp_path / "several", 2)
    for file in sorted((tmp_path / "one").glob("*.jsonl")):
        assert (tmp_path / "several" / file.name).read_bytes() == file.read_bytes()
    kinds = Counter(kind for file in card["files"].values() for kind in file["kinds"])
    assert kinds["wrong:model"]
    assert card["held_out"] and card["examples"] == len(NAMES) * len(QUESTIONS)


def test_folds_share_the_rows_evenly_and_hold_each_database_once(made: Set, tmp_path: Path):
    rows = list(rows_of_file(made.rows / "text_to_sql.train.jsonl"))
    folds = fold_databases(rows, 2)
    assert sorted(name for fold in folds for name in fold) == sorted({row["database"] for row in rows})
    write_fold(made.rows, tmp_path / "fold", folds[0])
    kept = list(rows_of_file(tmp_path / "fold" / "text_to_sql.train.jsonl"))
    assert kept == [row for row in rows if row["database"] in folds[0]]
    held_out = "noise_correction.eval.jsonl"
    assert (tmp_path / "fold" / held_out).read_bytes() == (made.rows / held_out).read_bytes()
    with pytest.raises(TrainingError, match="3 databases"):
        fold_databases(rows, 4)


async def test_replies_are_scored_by_task_and_kind(made: Set):
    rows = list(rows_of_file(made.rows / "noise_correction.train.jsonl"))
    rows += list(rows_of_file(made.rows / "text_to_sql.train.jsonl"))
    says_right = [
        GeneratedReply("verdict: right" if row["task"] == "noise_correction" else row["gold"], True) for row in rows
    ]
    async with open_data_set(DataSet("spider", made.questions, made.databases)) as source:
        scores = await score_replies(source, rows, says_right)
    assert scores["text_to_sql"]["mean"] == scores["noise_correction/right"]["mean"] == 1.0
    assert scores["noise_correction/wrong"]["mean"] == 0.0
    halves = scores["noise_correction/right"]["rows"] + scores["noise_correction/wrong"]["rows"]
    assert halves == scores["noise_correction"]["rows"] == len(rows) - scores["text_to_sql"]["rows"]


def test_batches_are_timed_again_after_a_trial_was_stopped(
    plan: Plan, tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    run = replace(plan.sft, base=str(tiny_model), tokenizer=None, packing=True)
    rows = list(rows_of_file(plan.prepared / "text_to_sql.train.jsonl"))

    class Stopping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise KeyboardInterrupt

    timing = logging.getLogger(find_pace.__module__)
    timing.addHandler(stopping := Stopping())
    caplog.set_level(logging.INFO, timing.name)
    with pytest.raises(KeyboardInterrupt):
        find_pace(run, rows, tmp_path / "trial")
    timing.removeHandler(stopping)
    assert (tmp_path / "trial" / "trial-0" / "final").is_dir()
    assert find_pace(run, rows, tmp_path / "trial").tokens_per_second > 0


def test_steps_follow_from_the_time_and_end_with_the_epochs(plan: Plan):
    row: dict[str, Any] = {"tokens": 100}
    run = replace(plan.sft, tasks={"text_to_sql": 1.0, "schema_linking": 1.0}, packing=False, batch=4, accumulation=2)
    rows: Any = {"text_to_sql": [row] * 1000, "schema_linking": [row] * 1000}
    pace = Pace(run, tokens_per_second=8000.0)
    assert steps_within(pace, 10, rows) == 100
    assert steps_within(pace, 1000, rows) == 250
    assert steps_within(pace, -1000, rows) == 20
    assert Pace.from_json(plan.sft, {**pace.as_json(), "batch": 9}).run.batch == 9


def test_pieces_give_the_file_or_nothing(tmp_path: Path):
    (tmp_path / "file").write_bytes(bytes(range(256)) * 10)
    pieces = split_file(tmp_path / "file", tmp_path / "pieces", 1000)
    assert [piece.stat().st_size for piece in pieces] == [1000, 1000, 560]
    joined = join_file("file", tmp_path / "pieces", tmp_path / "out" / "joined")
    assert joined.read_bytes() == (tmp_path / "file").read_bytes()
    split_file(tmp_path / "file", tmp_path / "pieces", 20)  # 128 pieces
    assert join_file("file", tmp_path / "pieces", joined).read_bytes() == (tmp_path / "file").read_bytes()
    assert split_file(tmp_path / "file", tmp_path / "pieces", 1000) == pieces
    assert join_file("file", tmp_path / "pieces", joined).read_bytes() == (tmp_path / "file").read_bytes()
    pieces[1].unlink()
    with pytest.raises(TrainingError, match="missing or damaged"):
        join_file("file", tmp_path / "pieces", tmp_path / "out" / "again")
    assert not (tmp_path / "out" / "again").exists()
    with pytest.raises(TrainingError, match="lacks pieces"):
        join_file("other", tmp_path / "pieces", tmp_path / "out" / "again")


def test_a_base_in_a_folder_stays_where_it_is(tiny_model: Path, tmp_path: Path):
    assert dense_base(BaseLocation(tiny_model), tmp_path / "base") == tiny_model
    assert not (tmp_path / "base").exists()


def test_a_folder_without_a_data_card_is_refused(tmp_path: Path):
    with pytest.raises(TrainingError, match="no whole set"):
        recipe_of(tmp_path)
