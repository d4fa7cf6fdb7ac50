"""`route-sql ask`: one question, one answer."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import time
from typing import Annotated

import typer

from route_sql.calibration_file import read_calibration_file
from route_sql.commands.kept_runs import EndedRun, RecordTo, ReplayOf, ReportTo, check_asked, check_places, replayed
from route_sql.commands.many_questions import ask_many
from route_sql.commands.options import (
    AsJson,
    CalibrationFile,
    Db,
    MaxTokens,
    MinConfidence,
    Model,
    RowsAs,
    SampleCount,
    StrategyName,
    Withhold,
    Without,
    check_one_form,
    chosen,
)
from route_sql.commands.rating import SaveTo, check_save_to, rate
from route_sql.databases import open_catalog
from route_sql.graph.asking import answer_in, no_answer, run_with_story
from route_sql.graph.context import Context
from route_sql.graph.events import story
from route_sql.graph.grounding import askable_schema
from route_sql.graph.recording import record_run
from route_sql.graph.state import ANSWERED_STATUSES, Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.models import open_model
from route_sql.narration import Narrator, narrator
from route_sql.printing import complain_of_failure, console, print_answer, print_rows, print_sql, say_json
from route_sql.progress import download_progress
from route_sql.row_formats import RowFormat
from route_sql.settings import Settings
from route_sql.tools.errors import RouteError

QuestionsFile = Annotated[
    Path | None, typer.Option("--questions", help="A CSV file of questions; its first row names the columns.")
]
AnswersFile = Annotated[
    Path | None, typer.Option("--out", help="Where the answers to --questions go; a stopped run is resumed.")
]


def ask(
    ctx: typer.Context,
    question: Annotated[str, typer.Argument(help="The question, in words; not needed with --replay.")] = "",
    db: Db = "",
    evidence: Annotated[str, typer.Option(help="Facts that a reader needs besides the schema.")] = "",
    model: Model = None,
    calibration: CalibrationFile = None,
    strategy: StrategyName = "adaptive",
    without: Without = None,
    max_tokens: MaxTokens = None,
    samples: SampleCount = 0,
    withhold: Withhold = True,
    min_confidence: MinConfidence = 0.0,
    as_json: AsJson = False,
    sql_only: Annotated[bool, typer.Option("--sql-only", help="Print the SQL and nothing else.")] = False,
    rows_as: RowsAs = None,
    report: ReportTo = None,
    record: RecordTo = None,
    replay: ReplayOf = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress.")] = False,
    save_to: SaveTo = None,
    questions: QuestionsFile = None,
    out: AnswersFile = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions of --questions asked at the same time.")] = 1,
) -> None:
    """Ask a database a question, or all questions of a file."""
    choose = partial(chosen, strategy, without, max_tokens, samples, withhold=withhold, min_confidence=min_confidence)
    if questions is not None or out is not None:
        ask_many(ctx.params, choose())
        return
    check_one_form(json=as_json, sql_only=sql_only, format=rows_as)
    if replay is None:
        check_asked(question, db)
    with _errors_as_json(as_json):
        check_places(ctx)
        check_save_to(save_to)
        context = replace(choose(), keep_prompts=report is not None)
        with narrator(is_quiet=quiet) as narrating:
            asked = partial(_run, question, db, evidence, model, calibration, context, record is not None)
            begun = asked(narrating) if replay is None else replayed(replay, question, narrating)
            run = asyncio.run(begun)
    answer = answer_in(run.state)
    _print(answer, as_json, sql_only, rows_as, quiet)
    run.keep(record, report)  # after the print: a file that can't be written costs no answer
    if save_to is not None:
        rate(question, answer, db, evidence, save_to)
    if run.divergences or answer["status"] not in ANSWERED_STATUSES:
        raise typer.Exit(1)


@contextmanager
def _errors_as_json(as_json: bool) -> Iterator[None]:
    """Print an error of ours as an answer too if JSON was asked for, so that programs can read it."""
    try:
        yield
    except RouteError as error:
        if as_json:
            say_json(no_answer(str(error)))
        raise


def _print(answer: Answer, as_json: bool, sql_only: bool, rows_as: RowFormat | None, quiet: bool) -> None:
    if as_json:
        say_json(answer)
    elif sql_only:
        print_sql(answer)
    elif rows_as:
        print_rows(console(), answer, rows_as)
    else:
        print_answer(console(), answer)
    if sql_only or (quiet and not rows_as):  # otherwise the story or the rows say it
        complain_of_failure(answer)


async def _run(
    question: str,
    db: str,
    evidence: str,
    model: str | None,
    calibration: Path | None,
    context: Context,
    is_recorded: bool,
    narrating: Narrator,
) -> EndedRun:
    settings, began = Settings(), time()
    numbers = read_calibration_file(calibration or settings.calibration)
    async with AsyncExitStack() as stack:
        catalog, name = await stack.enter_async_context(open_catalog(db, settings))
        # Check the database before a model is fetched or started.
        await askable_schema(catalog, name)
        async with story(narrating.tell, "", "loading the model", began=began):
            progress = narrating.wait_for_bar(stack.enter_context(download_progress()))
            chat = await stack.enter_async_context(open_model(model or settings.model, settings, progress))
        asked = Question(question=question, database=name, evidence=evidence)
        if not is_recorded:
            graph = build_graph(chat, catalog, trace_content=settings.trace_content, calibration=numbers)
            return EndedRun(await run_with_story(graph, asked, context, narrating.tell))
        state, recording = await record_run(chat, catalog, asked, context, calibration=numbers, tell=narrating.tell)
        return EndedRun(state, recording=recording)
