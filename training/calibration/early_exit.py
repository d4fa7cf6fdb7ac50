"""The threshold of confidence from which a run ends early: its accuracy and its calls."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean
from typing import NamedTuple

from route_sql.graph.confidence import Calibration
from route_sql.training.calibration.observing import ObservedQuestion

STEPS = tuple(step / 50 for step in range(25, 51))
"""Thresholds that are tried, 0.5 to 1."""
WORST_LOSS = 0.01
"""Loss of accuracy that the 95 % interval must exclude."""
_NORMAL_95 = 1.96


class ExitPoint(NamedTuple):
    """Figures of one threshold over the questions of a run."""

    enough: float
    ends_early: float
    """Share of questions answered by the first candidate."""
    accuracy: float
    difference: float
    """Accuracy minus that of always asking."""
    lowest: float
    """Lower end of the difference's 95 % interval."""
    calls: float
    """Model calls a question."""


def exit_curve(questions: Sequence[ObservedQuestion], calibration: Calibration) -> list[ExitPoint]:
    """The figures of every threshold, from the lowest."""
    return [_point(questions, calibration, enough) for enough in STEPS]


def choose_enough(curve: Sequence[ExitPoint]) -> float:
    """The best threshold that loses less than a point of accuracy, with 95 % certainty; 1 if there is none.

    The best is the most accurate one; of those that are equally accurate, the one that can lose least; of those, the
    lowest, which asks least.
    """
    fair = [point for point in curve if point.lowest > -WORST_LOSS]
    return max(fair, key=lambda point: (point.accuracy, point.lowest, -point.enough)).enough if fair else 1.0


def lowest_difference(gained: int, lost: int, n: int) -> float:
    """Lower end of the 95 % interval of a difference between two accuracies on the same questions.

    The interval of Agresti and Min (2005) adds half a question to each of the four cells, so that it does not vanish
    where few questions differ.
    """
    gains, losses, total = gained + 0.5, lost + 0.5, n + 2.0
    difference = (gains - losses) / total
    spread = sqrt(gains + losses - (gains - losses) ** 2 / total) / total
    return difference - _NORMAL_95 * spread


def _point(questions: Sequence[ObservedQuestion], calibration: Calibration, enough: float) -> ExitPoint:
    ends = [_ends(question, calibration, enough) for question in questions]
    always = [_is_right(question, ends_early=False) for question in questions]
    now = [_is_right(question, ends_early=end) for question, end in zip(questions, ends, strict=True)]
    gained = sum(after and not before for after, before in zip(now, always, strict=True))
    lost = sum(before and not after for after, before in zip(now, always, strict=True))
    return ExitPoint(
        enough=enough,
        ends_early=fmean(ends),
        accuracy=fmean(now),
        difference=(gained - lost) / len(questions),
        lowest=lowest_difference(gained, lost, len(questions)),
        calls=fmean(1 if end else question.calls for question, end in zip(questions, ends, strict=True)),
    )


def _ends(question: ObservedQuestion, calibration: Calibration, enough: float) -> bool:
    """Whether the first candidate, with its joins repaired, is undoubted and sure enough."""
    first = question.of("alone")
    if first is None or first.signals["doubted"] or enough >= 1.0:
        return False
    return calibration.confidence("alone", first.signals) >= enough


def _is_right(question: ObservedQuestion, *, ends_early: bool) -> bool:
    first, last = question.of("alone"), question.of("voted") or question.of("compared")
    chosen = first if ends_early or last is None else last
    return chosen is not None and chosen.correct
