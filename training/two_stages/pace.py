"""Speed of training on a machine, and the steps that fit into the time that is left.

Which batches are fastest depends on the card and its libraries: large ones of rows of like length waste little, packs
of several rows waste nothing but attend to more. So both are tried for some seconds before the run.
"""

import gc
import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from random import Random
from typing import Any

import torch

from route_sql.training.errors import TrainingError
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.rows.row_files import file_name
from route_sql.training.tasks.task import Row, TaskName
from route_sql.training.tuning.config import SFTRun
from route_sql.training.tuning.sft import fine_tune

logger = logging.getLogger(__name__)

TRIAL_STEPS = 6
TRIAL_TASK: TaskName = "text_to_sql"
LONGEST = 0.1
"""The share of a trial's rows that are the longest of the set: memory must hold them too."""
PACKS_FILLED = 0.97
LEAST_STEPS = 20
_SHAPE = ("packing", "batch", "accumulation", "trainer")


@dataclass(frozen=True)
class Pace:
    """A run whose batches are the fastest of those tried, and the tokens that it learns from in a second."""

    run: SFTRun
    tokens_per_second: float

    def as_json(self) -> dict[str, JSON]:
        """The result of the trial, without the run that it began with."""
        return {"tokens_per_second": self.tokens_per_second, **{name: getattr(self.run, name) for name in _SHAPE}}

    @classmethod
    def from_json(cls, run: SFTRun, found: Mapping[str, Any]) -> "Pace":
        """The pace from the JSON that `as_json` wrote, and the same run."""
        return cls(replace(run, **{name: found[name] for name in _SHAPE}), found["tokens_per_second"])


def find_pace(run: SFTRun, rows: Sequence[Row], out: Path) -> Pace:
    """Try a run's batches, and others of about as many tokens a step, on a few rows.

    Args:
        run: The run; its base must be there.
        rows: The rows to draw from.
        out: A folder for the trials; it is removed, and so are trials of an earlier call that was stopped.

    Raises:
        TrainingError: none of them fits into memory.
    """
    # A trial that is resumed, or was done, has not all its times.
    shutil.rmtree(out, ignore_errors=True)
    trial = _trial_rows(rows, run.batch * run.accumulation * TRIAL_STEPS, run.seed)
    _write_trial(trial, out / "rows")
    tokens = sum(row["tokens"] for row in trial)
    paces = []
    for place, shaped in enumerate(_shapes(run, _mean_tokens(rows))):
        seconds = _seconds_of_epoch(_as_trial(shaped, out, place))
        if seconds is not None:
            paces.append(Pace(shaped, tokens / seconds))
            logger.info("%s: %.0f tokens a second", _shape(shaped), paces[-1].tokens_per_second)
    shutil.rmtree(out)
    if not paces:
        raise TrainingError("no batch fits into the memory; set a smaller one, or gradient_checkpointing: true")
    return max(paces, key=lambda pace: pace.tokens_per_second)


def steps_within(pace: Pace, seconds: float, rows: Mapping[str, Sequence[Row]]) -> int:
    """The steps that `seconds` are enough for, `LEAST_STEPS` or more; no more than the run's own epochs.

    Args:
        pace: The run, with its tasks' weights, and its speed.
        seconds: The time for training, without loading.
        rows: The training rows of each task.
    """
    weights = pace.run.tasks
    whole = sum(weights.values())
    mean = sum(weights[task] / whole * _mean_tokens(rows[task]) for task in weights)
    in_epoch = max(len(rows[task]) * whole / weights[task] for task in weights)
    step = pace.run.batch * pace.run.accumulation * (_pack(pace.run) if pace.run.packing else mean)
    most = ceil((pace.run.epochs or 1.0) * in_epoch * mean / step)
    return min(most, max(LEAST_STEPS, int(seconds * pace.tokens_per_second / step)))


def release_memory() -> None:
    """Free the memory that a stage has left on the card: models hang in cycles that only the collector finds."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class EpochClock:
    """The seconds of the second of two epochs; the first pays for compilation and allocation."""

    def __init__(self) -> None:
        """Prepare a clock that a run takes as its `progress`."""
        self._at: dict[int, float] = {}
        self._total = 0

    def __call__(self, done: int, total: int, _: str) -> None:
        """Note the time of a step."""
        self._total = total
        self._at.setdefault(done, time.monotonic())

    @property
    def seconds(self) -> float:
        """Duration of the second epoch."""
        return self._at[self._total] - self._at[self._total // 2]


def _seconds_of_epoch(run: SFTRun) -> float | None:
    """The seconds of one epoch of a trial, None if it does not fit into memory."""
    clock = EpochClock()
    try:
        fine_tune(run, progress=clock)
    except torch.cuda.OutOfMemoryError:
        logger.info("%s: does not fit into the memory", _shape(run))
        return None
    finally:
        release_memory()
    return clock.seconds


def _shapes(run: SFTRun, mean_tokens: float) -> list[SFTRun]:
    """The run's own batches, half of them twice as often, and packs; a run that packs is left as it is."""
    if run.packing:
        return [run]
    grouped = {**run.trainer, "train_sampling_strategy": "group_by_length"}
    apart = replace(run, packing=False, trainer=grouped)
    half = replace(apart, batch=max(1, run.batch // 2), accumulation=run.accumulation * 2)
    # Packing is a part of what TRL does to prepare rows.
    plain = {key: value for key, value in run.trainer.items() if key != "dataset_kwargs"}
    packs = max(1, round(run.batch * run.accumulation * mean_tokens / run.max_length))
    packed = replace(run, packing=True, batch=1, accumulation=packs, trainer=plain)
    return [apart, half, packed]


def _as_trial(run: SFTRun, out: Path, place: int) -> SFTRun:
    return replace(
        run,
        data=str(out / "rows"),
        out=str(out / f"trial-{place}"),
        tasks={TRIAL_TASK: 1.0},
        epochs=2.0,
        max_steps=None,
        adapter=None,
    )


def _trial_rows(rows: Sequence[Row], wanted: int, seed: int) -> list[Row]:
    longest = sorted(rows, key=lambda row: -row["tokens"])[: ceil(wanted * LONGEST)]
    others = Random(seed).sample(list(rows), min(len(rows), wanted - len(longest)))
    return longest + others


def _write_trial(rows: Sequence[Row], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows)
    (folder / file_name(TRIAL_TASK, "train")).write_text(lines, encoding="utf-8")


def _mean_tokens(rows: Sequence[Row]) -> float:
    return sum(row["tokens"] for row in rows) / len(rows)


def _pack(run: SFTRun) -> float:
    return run.max_length * PACKS_FILLED


def _shape(run: SFTRun) -> str:
    return f"{run.accumulation} times {run.batch} {'packs' if run.packing else 'rows of like length'}"
