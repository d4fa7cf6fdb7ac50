"""`route-sql compare`: two evaluation runs, question by question."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from route_sql.commands.options import AsJson, LayoutOption
from route_sql.pages.comparison_page import comparison_page
from route_sql.pages.files import require_writable, write_page
from route_sql.printing import console, say, say_json
from route_sql.tools.terminal import escaped
from route_sql.training.evaluation.figures.comparison import compare_runs
from route_sql.training.evaluation.figures.report import comparison_sentence, summary_table
from route_sql.training.evaluation.figures.summary import summarise
from route_sql.training.evaluation.figures.wrong_questions import gold_of
from route_sql.training.evaluation.run_log import read_run

Lines = Annotated[Path, typer.Argument(metavar="LINES", help="The lines that `eval` wrote.")]


def compare(
    first: Lines,
    second: Annotated[Path, typer.Argument(metavar="LINES", help="Those of another run over the same questions.")],
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page with kinds of error and every wrong question.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="The questions file that both runs asked, for the gold SQL on the page.")
    ] = None,
    layout: LayoutOption = "spider",
    as_json: AsJson = False,
) -> None:
    """Compare two evaluation runs by a paired test."""
    if report is not None:
        _check_place(report, [first, second, *([questions] if questions else [])])
    lines = read_run(first), read_run(second)
    compared = compare_runs(*lines)
    names = _names(first, second)
    gold = gold_of(questions, layout) if report is not None and questions else None
    page = comparison_page(names, *lines, gold) if report is not None else ""
    if as_json:
        say_json(compared)
    else:
        console().print(summary_table({escaped(name): summarise(run) for name, run in zip(names, lines, strict=True)}))
        say(comparison_sentence(*names, compared))
    # Last, so that a page that can't be written costs no figures.
    if report is not None:
        write_page(report, page)


def _names(first: Path, second: Path) -> tuple[str, str]:
    """The files' names without their ending; with their folders where that is the same."""
    return (first.stem, second.stem) if first.stem != second.stem else (str(first), str(second))


def _check_place(report: Path, read: Sequence[Path]) -> None:
    if report.resolve() in [path.resolve() for path in read]:
        raise typer.BadParameter(f"the page would replace {report}, which is read", param_hint="--report")
    require_writable(report)
