"""Withholding of SQL: a fit on questions in three situations, and its figures on databases left out of the fit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import get_args

from route_sql.graph.confidence import Calibration, Logistic
from route_sql.training.calibration.figures import Judged, auroc
from route_sql.training.calibration.fitting import plain_logistic
from route_sql.training.calibration.no_answers import AskedQuestion, Situation
from route_sql.training.errors import EvaluationError, TrainingError

SIGNALS = ("declined", "doubt", "unknown", "foreign", "missing")
"""Signals that are weighed."""
WITHHELD = 0.005
"""Share of answerable questions that may be withheld. On databases of another kind it was two to four times as much."""
SHARES = (WITHHELD, 0.01, 0.02, 0.03, 0.05)
"""Shares of answerable questions, of which the curve has a point each."""
FEWEST = 30
"""Questions of each situation below which nothing is fitted."""

_JudgedQuestion = tuple[Situation, float]
"""A question's situation, and the probability that there is no answer."""


@dataclass(frozen=True)
class NoAnswerFigures:
    """Figures of a threshold."""

    withheld: Mapping[Situation, float]
    """Share of questions that get no SQL, by situation."""
    count: Mapping[Situation, int]
    """Questions of each situation."""


@dataclass(frozen=True)
class WithholdCurve:
    """Figures of the lowest thresholds that withhold given shares of the answerable questions at most."""

    points: Mapping[float, NoAnswerFigures]
    """By threshold, the highest first."""
    auroc: float | None
    """Ranking of hidden columns above answerable questions."""


def fit_no_answer(asked: Sequence[AskedQuestion], calibration: Calibration) -> Calibration:
    """Add the threshold from which no SQL is given; at most `WITHHELD` of the answerable questions are withheld.

    Raises:
        TrainingError: too few questions of a situation.
    """
    asked = _with_signals(asked)
    logistic = _fitted(asked)
    return replace(calibration, unanswerable=logistic, withhold=_threshold(_judged(asked, logistic), WITHHELD))


def no_answer_figures(asked: Sequence[AskedQuestion], calibration: Calibration) -> NoAnswerFigures:
    """The figures of a calibration that detects questions without an answer.

    Raises:
        EvaluationError: the calibration does not detect them.
    """
    logistic = calibration.unanswerable
    if logistic is None:
        raise EvaluationError("the calibration does not say when there is no answer; make one with --unanswerable")
    return _figures(_judged([each for each in asked if each.signals], logistic), calibration.withhold)


def withhold_curve(asked: Sequence[AskedQuestion]) -> WithholdCurve:
    """The figures of a choice of thresholds. Each question is judged by a fit without its database.

    Raises:
        TrainingError: too few questions of a situation.
    """
    asked = _with_signals(asked)
    judged: list[_JudgedQuestion] = []
    for database in sorted({each.database for each in asked}):
        logistic = _fitted([each for each in asked if each.database != database])
        judged += _judged([each for each in asked if each.database == database], logistic)
    thresholds = sorted({_threshold(judged, share) for share in SHARES}, reverse=True)
    ranked = [
        Judged(found, situation == "hidden_column") for situation, found in judged if situation != "other_database"
    ]
    return WithholdCurve({threshold: _figures(judged, threshold) for threshold in thresholds}, auroc(ranked))


def _with_signals(asked: Sequence[AskedQuestion]) -> list[AskedQuestion]:
    """The questions that the model gave a whole reply to; there must be enough of them."""
    found = [each for each in asked if each.signals]
    counts = Counter(each.situation for each in found)
    if len(counts) < len(get_args(Situation)) or min(counts.values()) < FEWEST:
        raise TrainingError(
            f"too few questions without an answer, {dict(counts)}: ask at least {FEWEST} questions on 2 databases"
        )
    return found


def _fitted(asked: Sequence[AskedQuestion]) -> Logistic:
    names = [name for name in SIGNALS if all(name in each.signals for each in asked)]
    table = [[each.signals[name] for name in names] for each in asked]
    return plain_logistic(names, table, [each.situation != "answerable" for each in asked])


def _judged(asked: Sequence[AskedQuestion], logistic: Logistic) -> list[_JudgedQuestion]:
    return [(each.situation, logistic.probability(each.signals)) for each in asked]


def _threshold(judged: Sequence[_JudgedQuestion], share: float) -> float:
    """The lowest probability that withholds at most a share of the answerable questions."""
    sure = sorted(probability for situation, probability in judged if situation == "answerable")
    allowed = int(share * len(sure))
    return min(1.0, round(sure[-1 - allowed] + 0.001, 3))


def _figures(judged: Sequence[_JudgedQuestion], threshold: float) -> NoAnswerFigures:
    by_situation: dict[Situation, list[bool]] = {}
    for situation, probability in judged:
        by_situation.setdefault(situation, []).append(probability >= threshold)
    return NoAnswerFigures(
        {situation: fmean(found) for situation, found in by_situation.items()},
        {situation: len(found) for situation, found in by_situation.items()},
    )
