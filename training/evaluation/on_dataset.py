"""Evaluate and score over a data set or a query log on disk: what the commands `eval` and `score` do."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from route_sql.graph.asking import Ask
from route_sql.tools.database.catalog import Catalog
from route_sql.training.datasets.source import DataFormat, Source, few_of, open_source
from route_sql.training.errors import DatasetError
from route_sql.training.evaluation.evaluate import Progress, evaluate
from route_sql.training.evaluation.execution_accuracy import Metric
from route_sql.training.evaluation.predictions import score_predictions
from route_sql.training.evaluation.run_log import JSON, Line
from route_sql.training.evaluation.summary import Summary


async def evaluate_dataset(
    ask_on: Callable[[Catalog], Ask],
    *,
    questions: Path,
    databases: Path,
    out: Path,
    layout: DataFormat = "spider",
    held_out_of: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    concurrency: int = 1,
    settings: Mapping[str, JSON],
    progress: Progress | None = None,
) -> Summary:
    """Ask the questions of a data set, or a sample of them, and score the answers by the layout's own rule.

    Args:
        ask_on: Makes what answers a question from the catalog of the data set's databases.
        questions: The questions file; `EXCLUDED.json` beside it is heeded.
        databases: The folder with `NAME/NAME.sqlite` for each database; for a log also a catalog in TOML.
        out: Where the lines go; a run that was stopped is taken up.
        layout: Whose layout the questions file has.
        held_out_of: The folder of a training set, to ask only what it holds out.
        limit: How many questions to draw, None for all.
        seed: Of the drawing.
        concurrency: Questions asked at the same time.
        settings: What makes this run another one, such as model and strategy; layout, file name, limit and
            seed are added.
        progress: Told after every question.

    Raises:
        DatasetError: the data set can't be used.
        EvaluationError: `out` belongs to another run.
        DatabaseUnavailable: a database can't be read.
    """
    drawn = {"layout": layout, "questions": questions.name, "limit": limit, "seed": seed}
    async with _executable(layout, questions, databases, held_out_of, limit, seed) as source:
        return await evaluate(
            ask_on(source.catalog),
            source.examples,
            source.catalog,
            out,
            concurrency=concurrency,
            settings={**settings, **drawn},
            metric=_rule(layout),
            progress=progress,
        )


async def score_dataset(
    *,
    questions: Path,
    databases: Path,
    predictions: Path,
    layout: DataFormat = "spider",
    held_out_of: Path | None = None,
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
    async with _executable(layout, questions, databases, held_out_of) as source:
        return await score_predictions(
            predictions,
            source.examples,
            source.catalog,
            column=column,
            total=source.entries,
            metric=metric or _rule(layout),
            keep_distinct=keep_distinct,
            concurrency=concurrency,
            progress=progress,
        )


@asynccontextmanager
async def _executable(
    layout: DataFormat,
    questions: Path,
    databases: Path,
    held_out_of: Path | None,
    limit: int | None = None,
    seed: int = 0,
) -> AsyncIterator[Source]:
    """A source whose databases can be queried, not schemas alone; questions on one that is not there count as wrong."""
    given = open_source(
        layout, questions, databases, held_out_of=held_out_of, limit=limit, seed=seed, some_may_lack=True
    )
    async with given as source:
        if missing := sorted(source.schemas_only):
            raise DatasetError(
                f"{len(missing)} databases are not in {databases}: {few_of(missing)}; answers are run, for which "
                "schemas alone don't do: name the folder that holds NAME/NAME.sqlite of each"
            )
        yield source


def _rule(layout: DataFormat) -> Metric:
    return "bird" if layout == "bird" else "spider"
