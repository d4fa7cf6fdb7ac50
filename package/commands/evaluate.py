"""`route-sql eval` and `route-sql score`: execution accuracy on a data set."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from route_sql.commands.options import AsJson, Databases, Format, Limit, Model, Questions, Seed, StrategyName
from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.models import OpenModel, open_model
from route_sql.progress import download_progress
from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog
from route_sql.training.benchmark import evaluate_dataset, score_dataset
from route_sql.training.datasets import Layout
from route_sql.training.evaluation import Ask
from route_sql.training.report import summary_table
from route_sql.training.summary import Summary, summarise


def evaluate(
    questions: Questions,
    databases: Databases,
    out: Annotated[Path, typer.Option("--out", help="Where the lines go; a run that was stopped is taken up.")],
    layout: Format = "spider",
    model: Model = None,
    strategy: StrategyName = "adaptive",
    limit: Limit = None,
    seed: Seed = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions asked at the same time.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Ask the questions of a data set and score the answers by execution accuracy."""
    settings = Settings()
    chosen = model or settings.model
    context = Context(strategy=strategy)

    async def run(progress: Callable[[int, int, int], None]) -> Summary:
        with download_progress() as fetched:
            async with open_model(chosen, settings, fetched) as opened:
                return await evaluate_dataset(
                    lambda catalog: asking(opened, catalog, context),
                    questions=questions,
                    databases=databases,
                    out=out,
                    layout=_layout(layout),
                    limit=limit,
                    seed=seed,
                    concurrency=concurrency,
                    settings={"model": chosen, "strategy": strategy},
                    progress=progress,
                )

    with _question_progress() as progress:
        summary = asyncio.run(run(progress))
    _print(strategy, summary, as_json)


def score(
    questions: Questions,
    databases: Databases,
    predictions: Annotated[Path, typer.Option(help="Lines of `eval`, a text file with one SQL a line, or a CSV file.")],
    layout: Format = "spider",
    column: Annotated[str | None, typer.Option(help="The column with the SQL, in a CSV file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score predictions that were made before, by whomever."""
    with _question_progress() as progress:
        lines = asyncio.run(
            score_dataset(
                questions=questions,
                databases=databases,
                predictions=predictions,
                layout=_layout(layout),
                column=column,
                progress=progress,
            )
        )
    _print(predictions.stem, summarise(lines), as_json)


def asking(opened: OpenModel, catalog: Catalog, context: Context) -> Ask:
    """The graph as a function from a question to its answer."""
    graph = build_graph(opened.chat, catalog, wording=opened.wording)

    async def ask(question: Question) -> Answer:
        return (await graph.ainvoke(question, context=context, version="v2")).value

    return ask


def _layout(name: str) -> Layout:
    if name not in ("spider", "bird"):
        raise typer.BadParameter("spider or bird", param_hint="--format")
    return cast(Layout, name)


def _print(name: str, summary: Summary, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        Console().print(summary_table({name: summary}))


@contextmanager
def _question_progress() -> Iterator[Callable[[int, int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("questions", total=None)

        def update(done: int, total: int, right: int) -> None:
            bar.update(task, completed=done, total=total, description=f"{right} right")

        yield update
