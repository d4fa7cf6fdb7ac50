"""Evaluation and scoring over a data set or a query log on disk, as the commands `eval` and `score` run them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from route_sql.graph.asking import Ask
from route_sql.tools.database.catalog import Catalog
from route_sql.training.datasets.data_set import DataSet, OpenDataSet, few_of, open_data_set
from route_sql.training.errors import DatasetError
from route_sql.training.evaluation.evaluate import OnQuestion, evaluate_examples
from route_sql.training.evaluation.figures.gate import check_same_questions
from route_sql.training.evaluation.figures.summary import Summary
from route_sql.training.evaluation.predictions import score_predictions
from route_sql.training.evaluation.run_log import JSON, Line
from route_sql.training.evaluation.scores.execution_accuracy import Metric, metric_of
from route_sql.training.evaluation.scores.further_scores import ACCURACY_ALONE, FurtherScoring, open_further_scoring


async def evaluate_dataset(
    ask_on: Callable[[Catalog], Ask],
    data_set: DataSet,
    out: Path,
    *,
    concurrency: int = 1,
    settings: Mapping[str, JSON],
    further: FurtherScoring = ACCURACY_ALONE,
    baseline: Sequence[Line] | None = None,
    progress: OnQuestion | None = None,
) -> Summary:
    """Ask the questions of a data set and score the answers by the layout's own rule.

    Args:
        ask_on: Makes the function that answers a question, from the catalog of the data set's databases.
        data_set: The questions and their databases.
        out: The file of the run's lines; a run that was stopped is resumed.
        concurrency: Questions asked at the same time.
        settings: Settings of the run, such as model and strategy; layout, file name, limit and seed are added.
        further: The scores next to execution accuracy.
        baseline: The lines of a run over the same questions; that they are the same is checked before any is asked.
        progress: Called after every question.

    Raises:
        DatasetError: the data set can't be used.
        EvaluationError: `out` belongs to another run, the baseline has other questions, or a further score can't be
            had.
        DatabaseUnavailable: a database can't be read.
    """
    metric = metric_of(data_set.layout)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(_executable(data_set))
        if baseline is not None:
            check_same_questions(baseline, opened.examples)
        scoring = open_further_scoring(further, opened.catalog, opened.examples, metric)
        return await evaluate_examples(
            ask_on(opened.catalog),
            opened.examples,
            opened.catalog,
            out,
            concurrency=concurrency,
            settings={**settings, **_settings(data_set), **further.settings()},
            metric=metric,
            score_further=await stack.enter_async_context(scoring),
            whole=opened.whole if data_set.shard else None,
            progress=progress,
        )


def _settings(data_set: DataSet) -> dict[str, JSON]:
    """The settings that choose the questions of a run."""
    return {
        "layout": data_set.layout,
        "questions": data_set.questions.name,
        "limit": data_set.limit,
        "seed": data_set.seed,
        **({"shard": str(data_set.shard)} if data_set.shard else {}),
    }


async def score_dataset(
    data_set: DataSet,
    predictions: Path,
    *,
    column: str | None = None,
    metric: Metric | None = None,
    keep_distinct: bool = False,
    concurrency: int = 2,
    further: FurtherScoring = ACCURACY_ALONE,
    progress: OnQuestion | None = None,
    lacking: Callable[[int, int], None] | None = None,
) -> list[Line]:
    """Score a file of predictions for a data set; `summarise` makes figures of the lines.

    The arguments are those of `score_predictions`; the metric is the layout's own by default. `lacking` is called with
    the number of questions without a prediction and of all questions, if there are any without.

    Raises:
        DatasetError: the data set can't be used.
        EvaluationError: the predictions can't be read or don't fit the questions.
        DatabaseUnavailable: a database can't be read.
    """
    rule = metric or metric_of(data_set.layout)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(_executable(data_set))
        scoring = open_further_scoring(further, opened.catalog, opened.examples, rule, keep_distinct=keep_distinct)
        lines = await score_predictions(
            predictions,
            opened.examples,
            opened.catalog,
            column=column,
            total=opened.entries,
            metric=rule,
            keep_distinct=keep_distinct,
            concurrency=concurrency,
            score_further=await stack.enter_async_context(scoring),
            progress=progress,
        )
        if lacking is not None and len(lines) < len(opened.examples):
            lacking(len(opened.examples) - len(lines), len(opened.examples))
        return lines


@asynccontextmanager
async def _executable(data_set: DataSet) -> AsyncIterator[OpenDataSet]:
    """A data set whose databases can be queried; a question on a database that is not there counts as wrong."""
    async with open_data_set(data_set, some_may_lack=True) as opened:
        if missing := sorted(opened.schemas_only):
            raise DatasetError(
                f"{len(missing)} databases are not in {data_set.databases}: {few_of(missing)}; answers are run, for "
                "which schemas alone don't do: name the folder that holds NAME/NAME.sqlite of each"
            )
        yield opened
