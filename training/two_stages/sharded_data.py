"""A training set built by several processes: the same bytes as `build_data` writes, in a fraction of the time."""

import asyncio
import shutil
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from route_sql.training.datasets.data_set import DataSet, Layout, OpenDataSet, open_data_set
from route_sql.training.datasets.query_log import load_replies
from route_sql.training.datasets.shards import Shard
from route_sql.training.rows.building import Recipe, build_data
from route_sql.training.rows.data_card import DataCard
from route_sql.training.rows.joining import join_sets
from route_sql.training.rows.token_counts import load_counter

SHARDS = 3
"""Shards for each process: those on large databases, or with replies that run until they are stopped, take longer."""


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


def build_in_processes(plan: DataPlan, out: Path, processes: int) -> DataCard:
    """Build a set in shards, one process each at a time, and join them; shards that are done are not built again.

    Raises:
        DatasetError: as `build_data` raises it.
        DatabaseUnavailable: a database can't be read.
    """
    count = max(1, min(processes * SHARDS, asyncio.run(_examples(plan))))
    shards = [Shard(number, count) for number in range(1, count + 1)]
    folders = [out.with_name(f"{out.name}.shards") / f"{shard.number}-of-{count}" for shard in shards]
    # Forked processes would inherit the threads of whatever was imported before.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(_build, [plan] * count, shards, folders))
    shutil.rmtree(out, ignore_errors=True)
    return join_sets(folders, out)


async def _examples(plan: DataPlan) -> int:
    async with _opened(plan) as opened:
        return len(opened.examples)


def _build(plan: DataPlan, shard: Shard, folder: Path) -> None:
    asyncio.run(_build_shard(plan, shard, folder))


async def _build_shard(plan: DataPlan, shard: Shard, folder: Path) -> None:
    async with _opened(plan, shard) as opened:
        await build_data(
            opened, folder, plan.recipe, count=load_counter(plan.tokenizer), replies=load_replies(plan.replies)
        )


def _opened(plan: DataPlan, shard: Shard | None = None) -> AbstractAsyncContextManager[OpenDataSet]:
    return open_data_set(
        DataSet(plan.layout, plan.questions, plan.databases, limit=plan.limit, seed=plan.recipe.seed, shard=shard)
    )
