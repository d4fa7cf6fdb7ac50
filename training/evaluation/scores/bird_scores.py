"""BIRD's further figures: soft F1 of two results, and the reward of R-VES for the time that a query takes."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, pstdev

from route_sql.training.evaluation.scores.result_match import ResultRows

_REWARDS = ((2.0, 1.25), (1.0, 1.0), (0.5, 0.75), (0.25, 0.5))
"""Least time ratio and reward."""
_SLOWEST = 0.25
_DEVIATIONS = 3


def soft_f1(gold: ResultRows, predicted: ResultRows) -> float:
    """Soft F1, 0 to 1: the agreement of a result's values with the gold's; missing and surplus values both lower it.

    Rows that occur twice count once, and row i is compared with row i. Of each pair three shares of the gold's columns
    are summed: values that both have, that only the predicted row has, and that only the gold's row has. A row without
    a partner adds 1 to its side. Precision and recall are made of the sums.
    """
    golds, others = (list(dict.fromkeys(map(tuple, rows))) for rows in (gold, predicted))
    if not golds and not others:
        return 1.0
    both = only_predicted = only_gold = 0.0
    for expected, found in zip(golds, others, strict=False):
        both += sum(value in expected for value in found) / len(expected)
        only_predicted += sum(value not in expected for value in found) / len(expected)
        only_gold += sum(value not in found for value in expected) / len(expected)
    only_predicted += max(0, len(others) - len(golds))
    only_gold += max(0, len(golds) - len(others))
    precision = both / (both + only_predicted) if both else 0.0
    recall = both / (both + only_gold) if both else 0.0
    return 2 * precision * recall / (precision + recall) if both else 0.0


def time_score(ratios: Sequence[float]) -> float:
    """R-VES of one right query, 0 to 112: the root of its reward, times 100.

    Args:
        ratios: Seconds of the gold by seconds of the prediction, one of each repeated run; those beyond three standard
            deviations of the mean don't count.
    """
    mean, deviation = fmean(ratios), pstdev(ratios)
    kept = [ratio for ratio in ratios if abs(ratio - mean) <= _DEVIATIONS * deviation]
    # All ratios are equal but for rounding where none is kept.
    ratio = fmean(kept or ratios)
    return 100 * sqrt(next((reward for least, reward in _REWARDS if ratio >= least), _SLOWEST))
