"""The whole run, stage by stage; a stopped run is resumed at its stage.

1. The base is made dense, and batches are tried for their speed.
2. Stage one, once a fold of databases: text to SQL and linking on that fold. The model then replies to the questions
   of the other folds, which it has not learnt, and the first one to the held-out questions as well.
3. The rows of all four tasks are built again with those replies, by several processes.
4. Stage two: all four tasks on all databases that are not held out, for as long as the time allows. It starts
   from the first model of stage one.
5. Both models reply to held-out rows of their tasks, and the replies are scored on the databases.

One short run for each fold is the cheapest fair way: the mistakes are those that a tuned model makes on databases that
are new to it, which is where noise correction will be asked.

A plan with `stages: 1` leaves out steps 2 and 3 and learns from the rows that exist.
"""

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import get_args

from route_sql.tools.files import write_whole
from route_sql.training.datasets.data_set import DataSet, open_data_set
from route_sql.training.errors import TrainingError
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.resumable import OneWriter
from route_sql.training.rows.row_files import Split, file_name
from route_sql.training.tasks.task import Row, TaskName
from route_sql.training.tuning.batched_replies import Decoding, GeneratedReply, Sampler
from route_sql.training.tuning.config import SFTRun
from route_sql.training.tuning.dense_base import BaseLocation, dense_base
from route_sql.training.tuning.run_record import FINAL
from route_sql.training.tuning.sft import fine_tune
from route_sql.training.tuning.task_mix import data_files
from route_sql.training.two_stages.folds import fold_databases, rows_of_file, write_fold
from route_sql.training.two_stages.mistakes import SamplingPlan, generate_replies, write_replies
from route_sql.training.two_stages.pace import Pace, find_pace, release_memory, steps_within
from route_sql.training.two_stages.plan import Plan, recipe_of
from route_sql.training.two_stages.reply_scores import Score, score_replies
from route_sql.training.two_stages.sharded_data import DataPlan, build_in_processes
from route_sql.training.two_stages.stage_log import StageLog

logger = logging.getLogger(__name__)

FOLDS = ("a", "b")
STAGE_ONE_TASKS: tuple[TaskName, ...] = ("text_to_sql", "schema_linking")
ALL_TASKS: tuple[TaskName, ...] = get_args(TaskName)
REPLIES = "replies.jsonl"
SCORES = "scores.json"
STAGES = "stages.json"


class TwoStages:
    """One run. Its folder holds a folder a stage, `stages.json`, `replies.jsonl` and `scores.json`."""

    def __init__(self, plan: Plan) -> None:
        """Begin the run in the plan's folder, or resume it.

        Raises:
            TrainingError: the folder holds a run with other settings.
        """
        self._plan = plan
        self._sampling = SamplingPlan(Decoding(max_new_tokens=plan.max_new_tokens), plan.drawn)
        self._log = StageLog(plan.out / STAGES, plan.settings())

    def run(self) -> Path:
        """Do all stages that are not done; blocks for as long as that takes.

        Returns:
            The folder of the tuned adapter.

        Raises:
            TrainingError: the base, the rows and the settings don't fit each other, or another process does this run.
            DatasetError: the questions or databases can't be used.
            DatabaseUnavailable: a database can't be read.
        """
        with OneWriter(self._plan.out, "folder", TrainingError):
            return self._all_stages()

    def _all_stages(self) -> Path:
        data_files(self._plan.sft)  # missing rows are better reported now than in stage two
        base = Path(self._log.stage("base", self._dense_base)["folder"])
        pace = self._pace(replace(self._plan.sft, base=str(base), tokenizer=None))
        first = self._first_stage(base, pace) if self._plan.stages == 2 else None
        tuned = self._stage_two(pace, first)
        self._log.stage("scores", lambda: self._scores(base, first, tuned))
        return tuned

    @property
    def _data(self) -> tuple[Path, ...]:
        """The folders of rows of stage two."""
        return (self._plan.out / "rows", *self._plan.further) if self._plan.stages == 2 else self._plan.sft.folders

    def _dense_base(self) -> dict[str, JSON]:
        sft = self._plan.sft
        base = BaseLocation(Path(sft.base), self._plan.pieces, Path(sft.tokenizer) if sft.tokenizer else None)
        return {"folder": str(dense_base(base, self._plan.out / "base"))}

    def _pace(self, run: SFTRun) -> Pace:
        def find() -> dict[str, JSON]:
            rows = [row for task in ALL_TASKS for row in rows_of_file(self._plan.prepared / file_name(task, "train"))]
            return find_pace(run, rows, self._plan.out / "trial").as_json()

        return Pace.from_json(run, self._log.stage("pace", find))

    def _first_stage(self, base: Path, pace: Pace) -> Path:
        """Tune on each fold, ask about the others, and build the rows; returns the first adapter."""
        folds, adapters = self._folds(), []
        for name, databases in folds.items():
            adapters.append(self._stage_one(name, databases, pace))
            unseen = [database for other, names in folds.items() if other != name for database in names]
            self._ask(name, unseen, base, adapters[-1])
        self._log.stage("rows", lambda: self._rows(base))
        return adapters[0]

    def _folds(self) -> dict[str, list[str]]:
        rows = list(rows_of_file(self._plan.prepared / file_name("text_to_sql", "train")))
        return dict(zip(FOLDS, fold_databases(rows, len(FOLDS)), strict=True))

    def _stage_one(self, name: str, databases: Sequence[str], pace: Pace) -> Path:
        """Train on the databases of a fold; returns the adapter."""
        data, out = self._plan.out / f"fold-{name}", self._plan.out / f"stage-one-{name}"

        def tune() -> dict[str, JSON]:
            write_fold(self._plan.prepared, data, databases)
            tasks: dict[str, float] = {task: pace.run.tasks[task] for task in STAGE_ONE_TASKS}
            run = replace(pace.run, data=str(data), out=str(out), tasks=tasks, epochs=self._plan.stage_one_epochs)
            return _tune(run)

        return Path(self._log.stage(f"stage one {name}", tune)["adapter"])

    def _ask(self, name: str, databases: Sequence[str], base: Path, adapter: Path) -> None:
        """Have a model of stage one reply to the questions on databases that it has not seen."""

        def write() -> dict[str, JSON]:
            rows = [row for row in self._questions("train") if row["database"] in databases]
            rows = _sampled(rows, self._plan.prompts, self._plan.sft.seed)
            if name == FOLDS[0]:
                rows += self._questions("eval")
            return write_replies(Sampler(base, adapter), rows, self._sampling, self._replies(name))

        self._log.stage(f"replies {name}", write)
        release_memory()

    def _questions(self, split: Split) -> list[Row]:
        rows = rows_of_file(self._plan.prepared / file_name("text_to_sql", split))
        return [row for row in rows if row["kind"] == "full"]

    def _replies(self, name: str) -> Path:
        return self._plan.out / f"replies-{name}.jsonl"

    def _rows(self, base: Path) -> dict[str, JSON]:
        plan, replies = self._plan, self._plan.out / REPLIES
        write_whole(replies, "".join(self._replies(name).read_text(encoding="utf-8") for name in FOLDS))
        recipe = recipe_of(plan.prepared)
        data = DataPlan(plan.layout, plan.questions, plan.databases, recipe, base, replies, plan.limit)
        card = build_in_processes(data, plan.out / "rows", plan.processes or os.cpu_count() or 1)
        return {name: file["kinds"] for name, file in card["files"].items()}

    def _stage_two(self, pace: Pace, adapter: Path | None) -> Path:
        def fit() -> dict[str, JSON]:
            left = self._plan.seconds - self._plan.last_seconds - self._log.elapsed
            rows = {task: _rows_of(task, self._data) for task in pace.run.tasks}
            return {"steps": steps_within(pace, left, rows), "seconds": left}

        # Recorded before it begins: a resumed run must have as many.
        steps = self._log.stage("steps", fit)["steps"]
        out = str(self._plan.out / "stage-two")
        run = replace(pace.run, data=tuple(map(str, self._data)), out=out, epochs=None, max_steps=steps)
        run = replace(run, adapter=str(adapter) if adapter else run.adapter)
        return Path(self._log.stage("stage two", lambda: _tune(run))["adapter"])

    def _scores(self, base: Path, first: Path | None, tuned: Path) -> dict[str, JSON]:
        scores: dict[str, JSON] = {}
        for name, adapter, tasks in (("stage one", first, STAGE_ONE_TASKS), ("tuned", tuned, ALL_TASKS)):
            if adapter is None:
                continue
            rows = [row for task in tasks for row in self._held_out(task)]
            replies = generate_replies(Sampler(base, adapter), rows, self._sampling.decoding)
            release_memory()
            _keep(self._plan.out / f"held-out-{name.replace(' ', '-')}.jsonl", rows, replies)
            found = asyncio.run(self._scored(rows, replies))
            scores[name] = {task: {"rows": score["rows"], "mean": score["mean"]} for task, score in found.items()}
        write_whole(self._plan.out / SCORES, json.dumps(scores, indent=1) + "\n")
        return scores

    def _held_out(self, task: TaskName) -> list[Row]:
        rows = _rows_of(task, self._data[:1], "eval")
        # Linked schemas are drawn about the gold, so that only the full one says what the model finds by itself.
        kept = [row for row in rows if row["kind"] != "linked" and _can_be_scored(row)]
        return _sampled(kept, self._plan.scored, self._plan.sft.seed)

    async def _scored(self, rows: Sequence[Row], replies: Sequence[GeneratedReply]) -> dict[str, Score]:
        async with open_data_set(DataSet(self._plan.layout, self._plan.questions, self._plan.databases)) as source:
            return await score_replies(source, rows, replies)


def _tune(run: SFTRun) -> dict[str, JSON]:
    folder = fine_tune(run, progress=_log_step)
    release_memory()
    return {"adapter": str(folder / FINAL)}


def _log_step(done: int, total: int, losses: str) -> None:
    if losses:
        logger.info("step %d of %d: %s", done, total, losses)


def _rows_of(task: str, folders: Sequence[Path], split: Split = "train") -> list[Row]:
    """A task's rows; not every folder need have some."""
    files = [folder / f"{task}.{split}.jsonl" for folder in folders]
    return [row for file in files if file.is_file() for row in rows_of_file(file)]


def _can_be_scored(row: Row) -> bool:
    """Whether a reply has a score: SQL is run, so its database must be there; a schema link needs the schema alone."""
    return row["executable"] or row["task"] == "schema_linking"


def _sampled(rows: list[Row], most: int | None, seed: int) -> list[Row]:
    return rows if most is None or len(rows) <= most else Random(seed).sample(rows, most)


def _keep(file: Path, rows: Sequence[Row], replies: Sequence[GeneratedReply]) -> None:
    pairs = zip(rows, replies, strict=True)
    lines = (
        {"task": row["task"], "kind": row["kind"], "index": row["index"], "given": row["given"], "reply": reply.text}
        for row, reply in pairs
    )
    write_whole(file, "".join(json.dumps(line) + "\n" for line in lines))
