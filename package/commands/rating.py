"""A person's rating of an answer: a right one, or the right SQL in its place, is saved in a query log."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from route_sql.commands.save import save_what_runs
from route_sql.graph.state import Answer
from route_sql.printing import complain
from route_sql.saved_answers import check_log

SaveTo = Annotated[
    Path | None,
    typer.Option(
        "--save",
        help="Then ask whether the answer is right, and save the question with the right SQL in this query log, a "
        ".jsonl file.",
    ),
]
PROMPT = "Is it right? y saves it, other SQL is saved in its place, Enter saves nothing: "


def check_save_to(log: Path | None) -> None:
    """Check the name of the query log before anything is asked, if one was given.

    Raises:
        InvalidInput: as for `check_log`.
    """
    if log is not None:
        check_log(log)


def rate(question: str, answer: Answer, db: str, evidence: str, log: Path) -> None:
    """Read a rating from standard input, and save the pair that it makes."""
    complain(PROMPT, style="")
    typed = sys.stdin.readline().strip()
    if typed.lower() in ("", "n", "no"):
        return
    sql = answer["sql"] if typed.lower() in ("y", "yes") else typed
    if not sql:
        complain("not saved: the answer has no SQL")
    elif remark := save_what_runs(question, sql, db, evidence, log):
        complain(remark, style="")
