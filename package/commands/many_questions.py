"""`route-sql ask --questions`: many questions of a CSV file, answered into a file."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from route_sql.calibration_file import read_calibration_file, recorded_calibration
from route_sql.databases import db_without_password, served_databases
from route_sql.graph.asking import asking
from route_sql.graph.context import Context
from route_sql.graph.state import ANSWERED_STATUSES
from route_sql.many_answers import AnswerLine, answer_rows, open_answers
from route_sql.models import open_model
from route_sql.printing import complain, say
from route_sql.progress import count_progress, download_progress
from route_sql.question_files import QuestionRow, read_questions
from route_sql.settings import Settings
from route_sql.tools.errors import InvalidInput

OTHERS = ("question", "evidence", "as_json", "sql_only", "rows_as", "report", "record", "replay", "save_to")
"""Options of `ask` that are about one question."""
_SHOWN = 10


def ask_many(options: Mapping[str, Any], context: Context) -> None:
    """Answer the questions of a file; a run that was stopped is resumed by the same command.

    Args:
        options: The options of `ask`, by the names of its arguments.
        context: The choices of each question.

    Raises:
        InvalidInput: options that do not go together, or files that can't be used.
        Exit: a row was not answered.
    """
    questions, out = options["questions"], options["out"]
    if questions is None or out is None or any(options[name] for name in OTHERS):
        raise InvalidInput(
            "--questions and --out go together, with --db, --model and choices of the run, and without a question, "
            "--evidence and options for one answer: the answers are JSON Lines in the form of --json"
        )
    if out.suffix.lower() in (".csv", ".xlsx", ".tsv"):
        raise InvalidInput(f"the answers are JSON Lines; name a file such as {out.with_suffix('.jsonl').name}")
    rows = read_questions(questions)
    if not rows:
        raise InvalidInput(f"{questions} has no question below the names of its columns")
    _print(asyncio.run(_run(options, rows, context)), out)


async def _run(options: Mapping[str, Any], rows: Sequence[QuestionRow], context: Context) -> list[AnswerLine]:
    settings, db, at_once = Settings(), options["db"] or None, options["concurrency"]
    model, calibration = (options[name] or getattr(settings, name) for name in ("model", "calibration"))
    numbers = read_calibration_file(calibration)
    choices = {name: options[name] for name in ("strategy", "without", "max_tokens", "samples")}
    # Files of earlier versions lack these.
    choices |= {} if options["withhold"] else {"withhold": False}
    choices |= {"min_confidence": options["min_confidence"]} if options["min_confidence"] else {}
    recorded = {
        "db": db_without_password(db) if db else None,
        "model": model,
        **choices,
        **recorded_calibration(numbers),
    }
    async with AsyncExitStack() as stack:
        catalog, names = await served_databases(db, settings, stack)
        placed = [_placed(row, names) for row in rows]
        file = await stack.enter_async_context(open_answers(options["out"], rows, recorded))
        fetched = stack.enter_context(download_progress())
        chat = await stack.enter_async_context(open_model(model, settings, fetched, questions=at_once))
        progress = stack.enter_context(count_progress("questions", is_quiet=options["quiet"]))
        ask = asking(chat, catalog, context, calibration=numbers)
        return await answer_rows(ask, placed, file, at_once=at_once, progress=progress)


def _placed(row: QuestionRow, names: Sequence[str]) -> QuestionRow:
    """The row with its database; one that names none is asked of the only one."""
    if row.fault or row.database in names:
        return row
    if not row.database and len(names) == 1:
        return replace(row, database=names[0])
    there = ", ".join(names[:_SHOWN])
    said = f"there is no database {row.database[:100]!r}" if row.database else "the row names no database"
    return replace(row, fault=f"{said}; there are: {there}")


def _print(lines: Sequence[AnswerLine], out: Path) -> None:
    wrong = [str(line["row"]) for line in lines if line["answer"]["status"] not in ANSWERED_STATUSES]
    say(f"{len(lines) - len(wrong)} of {len(lines)} answered: {out}")
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        complain(
            f"without an answer: row {', '.join(wrong[:_SHOWN])}{more}; error in the line says why", style="yellow"
        )
        raise typer.Exit(1)
