"""A calibration from questions whose right SQL is known: ask, judge, fit, choose which calls are worth it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from langchain_core.language_models import BaseChatModel

from route_sql.graph.confidence import UNCALIBRATED, Calibration
from route_sql.graph.context import Context
from route_sql.graph.wiring import build_graph
from route_sql.training.calibration.early_exit import ExitPoint, choose_enough, exit_curve
from route_sql.training.calibration.figures import ReliabilityFigures, reliability
from route_sql.training.calibration.fitting import VOTED_SIGNALS, Fit, fit_logistic
from route_sql.training.calibration.observing import (
    ObservedQuestion,
    ask_missing,
    check_same_examples,
    observations_of,
    observe,
    of_examples,
    read_lines,
)
from route_sql.training.calibration.verdicts_on_rows import VerdictFigures, verdicts_on_rows
from route_sql.training.datasets.data_set import OpenDataSet
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError, TrainingError
from route_sql.training.evaluation.kept_lines import keep_settings, write_lines
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy, metric_of
from route_sql.training.resumable import OneWriter


@dataclass(frozen=True)
class Calibrated:
    """A calibration and its figures. Those of a kind of answers are of databases that were left out of each fit."""

    calibration: Calibration
    alone: ReliabilityFigures
    """Figures of the first answers, before a second opinion: the confidence that may end a run early."""
    figures: ReliabilityFigures
    """Figures of the answers with a second opinion."""
    curve: list[ExitPoint]
    """Figures of each threshold, by the calibration that was fitted on the same questions."""
    verdicts: VerdictFigures
    """The effect of verdicts on queries that had returned rows."""
    voted: ReliabilityFigures | None = None
    """Figures of the answers that samples have voted on; None without a calibration of them."""
    not_voted: str = ""
    """The reason if there is none."""


async def observe_all(
    model: BaseChatModel,
    name: str,
    data: OpenDataSet,
    lines: Path,
    progress: Callable[[int, int], None],
    context: Context | None = None,
    concurrency: int = 1,
) -> list[ObservedQuestion]:
    """Ask every question that `lines` does not hold yet; a run that was stopped is resumed.

    The context is that of each question.

    Returns:
        The questions in the order of their indices, whatever order they were answered in.

    Raises:
        EvaluationError: `lines` belongs to a run with another model or other questions, or is being written.
        DatabaseUnavailable: a database can't be read; errors of the model are raised as they are.
    """
    # A calibration that the model has already would leave out the calls that are measured.
    graph = build_graph(model, data.catalog, calibration=UNCALIBRATED)
    scorer = ExecutionAccuracy(data.catalog, metric=metric_of(data.data_set.layout))
    chosen = context or Context()
    with OneWriter(lines, "file", EvaluationError):
        keep_settings(lines, _settings(name, data, chosen))
        found = read_lines(lines)
        check_same_examples(lines, {question.index: question.digest for question in found}, data.examples)

        async def ask(example: Example) -> None:
            observed = await observe(graph, example, scorer, chosen)
            write_lines(lines, asdict(observed))
            found.append(observed)

        await ask_missing(ask, data.examples, {question.index for question in found}, progress, concurrency)
    return of_examples(found, data.examples)


def _settings(model: str, data: OpenDataSet, context: Context) -> dict[str, JSON]:
    """The settings that a run must share with the one that it resumes."""
    metric = metric_of(data.data_set.layout)
    return {
        "model": model,
        "questions": str(data.data_set.questions),
        "seed": data.data_set.seed,
        # Earlier versions judged by Spider's rule alone.
        **({"metric": metric} if metric != "spider" else {}),
        **({"samples": context.samples} if context.samples else {}),
    }


def calibrate(questions: Sequence[ObservedQuestion], made_from: str) -> Calibrated:
    """Fit a calibration and choose its early exit; questions whose gold query fails are left out.

    Raises:
        TrainingError: too few questions.
    """
    questions = [question for question in questions if not question.gold_fault]
    alone, compared = (
        fit_logistic(observations_of(questions, "alone")),
        fit_logistic(observations_of(questions, "compared")),
    )
    voted = _fit_votes(questions)
    model_of_votes = voted.model if isinstance(voted, Fit) else None
    never = Calibration(alone.model, compared.model, 1.0, made_from=made_from, voted=model_of_votes)
    curve, verdicts = exit_curve(questions, never), verdicts_on_rows(questions)
    return Calibrated(
        calibration=replace(never, enough=choose_enough(curve), correct_rows=verdicts.help),
        alone=reliability(alone.held_out),
        figures=reliability(compared.held_out),
        curve=curve,
        verdicts=verdicts,
        voted=reliability(voted.held_out) if isinstance(voted, Fit) else None,
        not_voted="" if isinstance(voted, Fit) else voted,
    )


def _fit_votes(questions: Sequence[ObservedQuestion]) -> Fit | str:
    """The fit of the answers after a vote, or why there is none: few questions are in doubt, so votes may be few."""
    votes = observations_of(questions, "voted")
    if not votes:
        return "no question was put to a vote"
    try:
        return fit_logistic(votes, VOTED_SIGNALS)
    except TrainingError as error:
        return str(error)
