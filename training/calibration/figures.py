"""Figures of confidences: calibration error, ranking of right above wrong answers, risk against coverage."""

from collections.abc import Sequence
from itertools import groupby
from statistics import fmean
from typing import NamedTuple

from typing_extensions import TypedDict

from route_sql.training.errors import EvaluationError

BINS = 10
FEW = 100
"""Answers below which the figures are rough: a bin of ten holds fewer than ten."""


class Judged(NamedTuple):
    """The confidence of one answer, from 0 to 1, and whether the answer is right."""

    confidence: float
    correct: bool


class Bin(TypedDict):
    """Answers of about the same confidence."""

    n: int
    confidence: float
    """Mean confidence."""
    accuracy: float
    """Share that is right."""


class ReliabilityFigures(TypedDict):
    """Figures of the confidences of a run."""

    n: int
    accuracy: float
    """Share of right answers."""
    calibration_error: float
    """Expected calibration error: see `calibration_error`."""
    brier: float
    """Mean squared distance of confidence and correctness (Brier 1950)."""
    auroc: float | None
    """See `auroc`; None if all answers are right, or all wrong."""
    accuracy_of_surest_half: float
    bins: list[Bin]


def reliability(answers: Sequence[Judged]) -> ReliabilityFigures:
    """The figures of a run.

    Raises:
        EvaluationError: there is no answer.
    """
    if not answers:
        raise EvaluationError("there is no answer with a confidence; take the lines of a run that has them")
    return ReliabilityFigures(
        n=len(answers),
        accuracy=fmean(answer.correct for answer in answers),
        calibration_error=calibration_error(answers),
        brier=sum((answer.confidence - answer.correct) ** 2 for answer in answers) / len(answers),
        auroc=auroc(answers),
        accuracy_of_surest_half=accuracy_at(answers, 0.5),
        bins=equal_bins(answers),
    )


def equal_bins(answers: Sequence[Judged], count: int = BINS) -> list[Bin]:
    """Answers in bins of equal size, from the least sure to the surest (Nguyen and O'Connor, EMNLP 2015)."""
    ordered = _levelled(answers)
    edges = [round(place * len(ordered) / count) for place in range(count + 1)]
    groups = [ordered[begin:end] for begin, end in zip(edges, edges[1:], strict=False) if end > begin]
    return [
        Bin(
            n=len(group),
            confidence=fmean(confidence for confidence, _ in group),
            accuracy=fmean(accuracy for _, accuracy in group),
        )
        for group in groups
    ]


def calibration_error(answers: Sequence[Judged], count: int = BINS) -> float:
    """Mean distance of confidence and accuracy over bins of equal size, weighted by their answers.

    Expected calibration error (Naeini et al., AAAI 2015).
    """
    bins = equal_bins(answers, count)
    return sum(each["n"] * abs(each["confidence"] - each["accuracy"]) for each in bins) / len(answers)


def auroc(answers: Sequence[Judged]) -> float | None:
    """Probability that a right answer has a higher confidence than a wrong one; equal confidences count half."""
    right = sum(answer.correct for answer in answers)
    wrong = len(answers) - right
    if not right or not wrong:
        return None
    below, won = 0, 0.0
    for _, same in groupby(sorted(answers), key=lambda answer: answer.confidence):
        group = list(same)
        hits = sum(answer.correct for answer in group)
        misses = len(group) - hits
        won += hits * (below + misses / 2)
        below += misses
    return won / (right * wrong)


def accuracy_at(answers: Sequence[Judged], coverage: float) -> float:
    """Share of right answers among the surest.

    Args:
        answers: At least one.
        coverage: The share of the answers to look at, above 0 and at most 1.
    """
    wanted = max(1, round(coverage * len(answers)))
    return fmean(accuracy for _, accuracy in _levelled(answers)[-wanted:])


def risk_coverage(answers: Sequence[Judged], steps: int = 20) -> list[tuple[float, float]]:
    """Coverage and accuracy of the answers covered, in equal steps (El-Yaniv and Wiener, JMLR 2010)."""
    shares = [(step + 1) / steps for step in range(steps)]
    return [(share, accuracy_at(answers, share)) for share in shares]


def _levelled(answers: Sequence[Judged]) -> list[tuple[float, float]]:
    """Confidences in rising order, each with the share that is right among all of the same confidence.

    So the order of answers that are equally sure doesn't count.
    """
    groups = [list(same) for _, same in groupby(sorted(answers), key=lambda answer: answer.confidence)]
    return [(group[0].confidence, fmean(answer.correct for answer in group)) for group in groups for _ in group]
