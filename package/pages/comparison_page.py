"""The page that compares two evaluation runs: figures, kinds of error, and every wrong question with its trace."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from route_sql.graph.watching.doubts import AGENTS
from route_sql.pages.engine import render_page
from route_sql.pages.sql_changes import changed_pieces
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.figures.comparison import compare_runs
from route_sql.training.evaluation.figures.report import comparison_sentence, summary_cells
from route_sql.training.evaluation.figures.summary import summarise
from route_sql.training.evaluation.figures.wrong_questions import WrongQuestion, kinds_of_error, wrong_questions
from route_sql.training.evaluation.run_log import Line

TITLES = {"lost": "Only {first} was right", "gained": "Only {second} was right", "both wrong": "Both were wrong"}


def comparison_page(
    names: tuple[str, str], first: Sequence[Line], second: Sequence[Line], gold: Mapping[int, Example] | None = None
) -> str:
    """A self-contained HTML page that compares two runs over the same questions.

    Args:
        names: A name for each run.
        first: The lines of one run.
        second: The lines of the other.
        gold: The examples by index; without them the page has no gold SQL, and fewer kinds of error.

    Raises:
        EvaluationError: the runs, or the examples, are of different questions.
        InvalidInput: Jinja2 is not installed.
    """
    compared = compare_runs(first, second)
    wrong = wrong_questions(first, second, gold)
    return render_page(
        "comparison.html",
        version=version("route-sql"),
        made_on=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        names=names,
        compared=compared,
        sentence=comparison_sentence(*names, compared),
        is_significant=compared["p_value"] < 0.05,
        figures=summary_cells({"first": summarise(first), "second": summarise(second)}),
        kinds=kinds_of_error(wrong),
        has_gold=gold is not None,
        sections=[
            (title.format(first=names[0], second=names[1]), _of(wrong, change)) for change, title in TITLES.items()
        ],
    )


def _of(wrong: Sequence[WrongQuestion], change: str) -> list[dict[str, Any]]:
    return [_question(each) for each in wrong if each.change == change]


def _question(each: WrongQuestion) -> dict[str, Any]:
    return {
        "index": each.first["index"],
        "database": each.first["database"],
        "question": each.first["question"],
        "difficulty": each.first["difficulty"],
        "accepted": each.accepted,
        "sides": [
            _side(each.first, each.first_kinds, each.first_gold),
            _side(each.second, each.second_kinds, each.second_gold),
        ],
    }


def _side(line: Line, kinds: Sequence[str], gold: str | None) -> dict[str, Any]:
    """One run's answer to a question, its query compared with the gold's."""
    return {
        "is_right": line["correct"],
        "verdict": "right" if line["correct"] else line["reason"] or line["status"],
        "kinds": ", ".join(kinds),
        "pieces": changed_pieces(gold, line["sql"]) if line["sql"] else [],
        "confidence": f"{line['confidence']:.2f}" if "confidence" in line else None,
        "doubts": line.get("doubts", []),
        "asked": " → ".join(line["asked"]),
        "candidates": [
            {"name": AGENTS.get(tried["agent"], tried["agent"]), "status": tried["status"], "sql": tried["sql"]}
            for tried in line["candidates"]
        ],
        "cost": _cost(line),
    }


def _cost(line: Line) -> str:
    seconds = "" if line["seconds"] is None else f"{line['seconds']:.1f} s"
    calls = "" if line["calls"] is None else f"{line['calls']} call{'' if line['calls'] == 1 else 's'}"
    return ", ".join(part for part in (calls, seconds) if part)
