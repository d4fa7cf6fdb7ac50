"""A training set built by several processes: the same bytes as `build_data` writes, in a fraction of the time."""

import asyncio
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

from route_sql.training.datasets.data_set import LICENCES, DataSet, Layout, OpenDataSet, open_data_set
from route_sql.training.datasets.examples import Example
from route_sql.training.datasets.query_log import load_replies
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.rows.building import Recipe, build_data, split_examples
from route_sql.training.rows.data_card import DataCard, write_card
from route_sql.training.rows.poison import PoisonReport, check_for_poison
from route_sql.training.rows.row_files import PROGRESS, DataFiles, Split, file_name
from route_sql.training.rows.token_counts import load_counter
from route_sql.training.tasks.task import TaskName

SHARDS = 3
"""Slices for each process: those on large databases, or with replies that run until they are stopped, take longer."""


@dataclass(frozen=True)
class DataPlan:
    """A set to build; `tokenizer` is the folder of the tokenizer that counts tokens, `replies` a file of replies."""

    layout: Layout
    questions: Path
    databases: Path
    recipe: Recipe
    tokenizer: Path | None = None
    replies: Path | None = None
    limit: int | None = None


@dataclass(frozen=True)
class _Shard:
    """One of `parts` slices of the examples of a split, built in `folder`."""

    plan: DataPlan
    split: Split
    part: int
    parts: int
    folder: Path


def build_in_processes(plan: DataPlan, out: Path, processes: int) -> DataCard:
    """Build a set in slices, one process each at a time, and join them; slices that are done are not built again.

    Raises:
        DatasetError: as `build_data` raises it.
        DatabaseUnavailable: a database can't be read.
    """
    shards = _shards(plan, out.with_name(f"{out.name}.shards"), processes)
    # Forked processes would inherit the threads of whatever was imported before.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(_build, shards))
    shutil.rmtree(out, ignore_errors=True)
    return asyncio.run(_join(plan, shards, out))


def _shards(plan: DataPlan, folder: Path, processes: int) -> list[_Shard]:
    train = processes * SHARDS
    held_out = max(1, round(train * plan.recipe.held_out)) if plan.recipe.held_out else 0
    parts: dict[Split, int] = {"train": train, "eval": held_out}
    return [
        _Shard(plan, split, part, count, folder / f"{split}-{part}")
        for split, count in parts.items()
        for part in range(count)
    ]


def _build(shard: _Shard) -> None:
    asyncio.run(_build_slice(shard))


async def _build_slice(shard: _Shard) -> None:
    plan = shard.plan
    async with _source(plan) as source:
        if chosen := _slice(source, shard):
            # Which databases are held out depends on all examples, so the split is made before and not in a slice.
            await build_data(
                replace(source, examples=chosen),
                shard.folder,
                replace(plan.recipe, held_out=0.0),
                count=load_counter(plan.tokenizer),
                replies=load_replies(plan.replies),
                poison=PoisonReport(examined=0, suspects=[], triggers=[], odd_characters={}),
            )


def _slice(source: OpenDataSet, shard: _Shard) -> list[Example]:
    splits, _ = split_examples(source.examples, shard.plan.recipe)
    fitting = [example for example, split in zip(source.examples, splits, strict=True) if split == shard.split]
    begin, end = (len(fitting) * place // shard.parts for place in (shard.part, shard.part + 1))
    return fitting[begin:end]


async def _join(plan: DataPlan, shards: list[_Shard], out: Path) -> DataCard:
    settings = _settings(plan)
    files = DataFiles(out, settings)
    try:
        for shard in shards:
            if shard.folder.exists():
                _append(shard, files)
        async with _source(plan) as source:
            return write_card(
                files,
                settings,
                licence=LICENCES[plan.layout],
                examples=len(source.examples),
                excluded=source.excluded,
                held_out=split_examples(source.examples, plan.recipe)[1],
                poison=check_for_poison(source.examples),
            )
    finally:
        files.close()
        # Its lengths are not those of the joined files, so the set must not be resumed from it.
        (out / PROGRESS).unlink(missing_ok=True)


def _append(shard: _Shard, files: DataFiles) -> None:
    """Append a slice's rows, and count the examples that it left out."""
    for task in get_args(TaskName):
        rows = (shard.folder / file_name(task, "train")).read_bytes()
        with (files.folder / file_name(task, shard.split)).open("ab") as file:
            file.write(rows)
    progress = json.loads((shard.folder / PROGRESS).read_text(encoding="utf-8"))
    for reason, indices in progress["left_out"].items():
        for index in indices:
            files.append([], shard.split, {reason: index})


def _source(plan: DataPlan) -> AbstractAsyncContextManager[OpenDataSet]:
    return open_data_set(DataSet(plan.layout, plan.questions, plan.databases, limit=plan.limit, seed=plan.recipe.seed))


def _settings(plan: DataPlan) -> dict[str, JSON]:
    replies = plan.replies.name if plan.replies else None
    return {"layout": plan.layout, "questions": plan.questions.name, "replies": replies, **asdict(plan.recipe)}
