"""`route-sql eval` and `route-sql score`: execution accuracy on a data set."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from route_sql.calibration_file import read_calibration_file, recorded_calibration
from route_sql.commands.evaluation.further_scores import Gate, Suite, TimedRuns, further_scoring, read_baseline
from route_sql.commands.on_ray import ShardedCommand, run_on_ray
from route_sql.commands.options import (
    AsJson,
    CalibrationFile,
    Concurrency,
    DatabasesOption,
    LayoutOption,
    Limit,
    MaxTokens,
    MinConfidence,
    Model,
    Parts,
    Questions,
    RayAddress,
    SampleCount,
    Seed,
    ShardName,
    StrategyName,
    Withhold,
    WithholdFrom,
    Without,
    chosen,
)
from route_sql.graph.asking import Ask, asking
from route_sql.graph.confidence import Calibration
from route_sql.graph.context import Context
from route_sql.models import open_model
from route_sql.printing import complain, console, say_json
from route_sql.progress import download_progress, question_progress
from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput
from route_sql.tools.terminal import escaped
from route_sql.training.datasets.data_set import DataSet
from route_sql.training.datasets.shards import Shard, read_shard
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.figures.gate import GateResult, gate, gate_sentence
from route_sql.training.evaluation.figures.report import summary_table
from route_sql.training.evaluation.figures.summary import Summary, summarise
from route_sql.training.evaluation.merging import check_shard, merge_shards
from route_sql.training.evaluation.on_dataset import evaluate_dataset, score_dataset
from route_sql.training.evaluation.run_log import JSON, Line, read_run

HeldOut = Annotated[
    Path | None,
    typer.Option("--held-out-of", help="Only what this set of `train data` holds out, so that no answer was learned."),
]


def evaluate(
    ctx: typer.Context,
    questions: Questions,
    databases: DatabasesOption,
    out: Annotated[Path, typer.Option("--out", help="The file of the run's lines; a stopped run is resumed.")],
    layout: LayoutOption = "spider",
    held_out_of: HeldOut = None,
    model: Model = None,
    calibration: CalibrationFile = None,
    strategy: StrategyName = "adaptive",
    without: Without = None,
    max_tokens: MaxTokens = None,
    samples: SampleCount = 0,
    withhold: Withhold = True,
    withhold_from: WithholdFrom = None,
    min_confidence: MinConfidence = 0.0,
    limit: Limit = None,
    seed: Seed = 0,
    concurrency: Concurrency = 1,
    shard: ShardName = None,
    ray: RayAddress = None,
    parts: Parts = None,
    suite: Suite = None,
    r_ves: TimedRuns = None,
    baseline: Gate = None,
    as_json: AsJson = False,
) -> None:
    """Ask the questions of a data set and score the answers by execution accuracy."""
    name, file = model or Settings().model, calibration or Settings().calibration
    numbers = read_calibration_file(file)
    choose = partial(chosen, strategy, without, max_tokens, samples, withhold=withhold)
    context = choose(withhold_from=withhold_from, min_confidence=min_confidence)
    if ray is not None or parts is not None:
        _on_ray({**ctx.params, "model": name, "calibration": file}, as_json)
        return
    further, before = further_scoring(layout, suite, r_ves), read_baseline(baseline, out)
    part = _part_to_ask(shard, baseline)
    data_set = DataSet(layout, questions, databases, held_out_of=held_out_of, limit=limit, seed=seed, shard=part)
    settings = {**_settings(name, context), **recorded_calibration(numbers)}
    run = partial(evaluate_dataset, data_set=data_set, out=out, concurrency=concurrency, settings=settings)
    with question_progress() as progress:
        answering = _answering(name, context, numbers, concurrency)
        evaluated = partial(run, further=further, baseline=before, progress=progress)
        summary = asyncio.run(_evaluated(answering, evaluated))
    _print(strategy, summary, gate(before, read_run(out)) if before is not None else None, as_json)


async def _evaluated(
    answering: AbstractAsyncContextManager[Callable[[Catalog], Ask]],
    evaluated: Callable[[Callable[[Catalog], Ask]], Awaitable[Summary]],
) -> Summary:
    async with answering as ask_on:
        return await evaluated(ask_on)


@asynccontextmanager
async def _answering(
    model: str, context: Context, calibration: Calibration | None, concurrency: int
) -> AsyncIterator[Callable[[Catalog], Ask]]:
    """Open a model, and give the function that makes it answer questions on a catalog."""
    with download_progress() as fetched:
        async with open_model(model, Settings(), fetched, questions=concurrency) as chat:
            yield lambda catalog: asking(chat, catalog, context, calibration=calibration)


def _part_to_ask(shard: str | None, baseline: Path | None) -> Shard | None:
    if shard is None:
        return None
    if baseline is not None:
        raise InvalidInput(
            "a shard can't be compared with a whole run; merge the shards, then score that run with --gate"
        )
    return read_shard(shard)


def _settings(model: str, context: Context) -> dict[str, JSON]:
    """The settings that a run is recorded with, without those that were not given."""
    given: dict[str, JSON] = {
        "without": [*context.without] or None,
        "max_tokens": context.max_tokens,
        "samples": context.samples or None,
        "withhold": None if context.withhold else False,
        "withhold_from": context.withhold_from,
        "min_confidence": context.min_confidence or None,
    }
    return {
        "model": model,
        "strategy": context.strategy,
        **{name: value for name, value in given.items() if value is not None},
    }


def _on_ray(options: dict[str, Any], as_json: bool) -> None:
    address, parts = options["ray"], options["parts"]
    if address is None or options["shard"] is not None or options["baseline"] is not None:
        raise InvalidInput(
            "--parts needs --ray, and --ray can't be combined with --shard or --gate: compare the run by score --gate"
        )
    command = ShardedCommand(evaluate, check_shard, merge_shards, EvaluationError)
    lines = run_on_ray(command, address, options, options["out"], parts)
    _print(options["strategy"], summarise(lines), None, as_json)


def score(
    questions: Questions,
    databases: DatabasesOption,
    predictions: Annotated[
        Path,
        typer.Option(help="Lines of `eval`, BIRD's own JSON, a text file with one SQL on each line, or a CSV file."),
    ],
    layout: LayoutOption = "spider",
    held_out_of: HeldOut = None,
    column: Annotated[str | None, typer.Option(help="The column with the SQL, in a CSV file.")] = None,
    suite: Suite = None,
    r_ves: TimedRuns = None,
    baseline: Gate = None,
    as_json: AsJson = False,
) -> None:
    """Score predictions that exist already."""
    further, before = further_scoring(layout, suite, r_ves), read_baseline(baseline)
    data_set = DataSet(layout, questions, databases, held_out_of=held_out_of)

    async def run(progress: Callable[[int, int, int], None]) -> list[Line]:
        return await score_dataset(
            data_set, predictions, column=column, further=further, progress=progress, lacking=_complain_of_lacking
        )

    with question_progress() as progress:
        lines = asyncio.run(run(progress))
    _print(predictions.stem, summarise(lines), gate(before, lines) if before is not None else None, as_json)


def _complain_of_lacking(without: int, questions: int) -> None:
    have = "has no prediction: it is" if without == 1 else "have no prediction: they are"
    complain(
        f"{without} of {questions} questions {have} in no figure, neither right nor wrong",
        style="yellow",
    )


def _warnings(summary: Summary) -> list[str]:
    faults, alone = summary["gold_faults"], summary.get("suite_alone", 0)
    said = []
    if faults:
        count = "counts as wrong because its" if faults == 1 else "count as wrong because their"
        said.append(f"{faults} of {summary['n']} {count} gold query fails; correct or exclude it")
    if alone:
        answers = "1 right answer counts" if alone == 1 else f"{alone} right answers count"
        said.append(
            f"{answers} as right on the suite by the original database alone: on its clones the gold returns no rows "
            "that can be compared"
        )
    return said


def _print(name: str, summary: Summary, compared: GateResult | None, as_json: bool) -> None:
    if as_json:
        say_json({**summary, "gate": compared} if compared else summary)
    else:
        console().print(summary_table({escaped(name): summary}))
    if compared:
        complain(gate_sentence(compared), style="green" if compared["passed"] else "red")
    for warning in _warnings(summary):
        complain(warning, style="yellow")
    if wrong := summary["wrong_databases"]:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in wrong.items())
        complain(
            f"{sum(wrong.values())} of {summary['n']} count as wrong because of their database: {reasons}. "
            "Correct db_id there, and begin a new run"
        )
    if wrong or (compared and not compared["passed"]):
        raise typer.Exit(1)
