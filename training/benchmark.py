"""Evaluate and score over a data set on disk: what the commands `eval` and `score` do."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.sqlite import SQLiteDatabase
from route_sql.training.datasets import Example, Layout, database_files, load_examples, sample
from route_sql.training.evaluation import Ask, Progress, evaluate
from route_sql.training.execution_accuracy import Metric
from route_sql.training.predictions import score_predictions
from route_sql.training.run_log import JSON, Line
from route_sql.training.summary import Summary


async def evaluate_dataset(
    ask_on: Callable[[Catalog], Ask],
    *,
    questions: Path,
    databases: Path,
    out: Path,
    layout: Layout = "spider",
    limit: int | None = None,
    seed: int = 0,
    concurrency: int = 1,
    settings: Mapping[str, JSON],
    metric: Metric | None = None,
    keep_distinct: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Ask the questions of a data set, or a sample of them, and score the answers.

    Args:
        ask_on: Makes what answers a question from the catalog of the data set's databases.
        questions: The questions file; `EXCLUDED.json` beside it is heeded.
        databases: The folder with `NAME/NAME.sqlite` for each database.
        out: Where the lines go; a run that was stopped is taken up.
        layout: Whose layout the questions file has.
        limit: How many questions to draw, None for all.
        seed: Of the drawing.
        concurrency: Questions asked at the same time.
        settings: What makes this run another one, such as model and strategy; layout, file name, limit and
            seed are added.
        metric: The rule of scoring; the layout's own if None.
        keep_distinct: Don't drop DISTINCT before scoring by Spider's rule.
        progress: Told after every question.

    Raises:
        DatasetError: the data set can't be used.
        EvaluationError: `out` belongs to another run.
        DatabaseUnavailable: a database can't be read.
    """
    examples = sample(await asyncio.to_thread(load_examples, questions, layout), limit, seed)
    drawn = {"layout": layout, "questions": questions.name, "limit": limit, "seed": seed}
    async with await asyncio.to_thread(_open_catalog, examples, databases) as catalog:
        return await evaluate(
            ask_on(catalog),
            examples,
            catalog,
            out,
            concurrency=concurrency,
            settings={**settings, **drawn},
            metric=metric or layout,
            keep_distinct=keep_distinct,
            progress=progress,
        )


async def score_dataset(
    *,
    questions: Path,
    databases: Path,
    predictions: Path,
    layout: Layout = "spider",
    column: str | None = None,
    metric: Metric | None = None,
    keep_distinct: bool = False,
    concurrency: int = 2,
    progress: Progress | None = None,
) -> list[Line]:
    """Score a file of predictions for a data set; `summarise` makes figures of the lines.

    The arguments are those of `evaluate_dataset` and `score_predictions`.

    Raises:
        DatasetError: the data set can't be used.
        EvaluationError: the predictions can't be read or don't fit the questions.
        DatabaseUnavailable: a database can't be read.
    """
    total = len(await asyncio.to_thread(load_examples, questions, layout, exclude=False))
    examples = await asyncio.to_thread(load_examples, questions, layout)
    async with await asyncio.to_thread(_open_catalog, examples, databases) as catalog:
        return await score_predictions(
            predictions,
            examples,
            catalog,
            column=column,
            total=total,
            metric=metric or layout,
            keep_distinct=keep_distinct,
            concurrency=concurrency,
            progress=progress,
        )


def _open_catalog(examples: list[Example], databases: Path) -> Catalog:
    return Catalog({name: SQLiteDatabase(name, file) for name, file in database_files(examples, databases).items()})
