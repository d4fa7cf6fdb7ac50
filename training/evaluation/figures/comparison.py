"""Paired comparison of two runs over the same questions: is one better, or was it chance?"""

from collections import Counter
from collections.abc import Sequence
from typing import TypedDict

from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.run_log import Line


class Comparison(TypedDict):
    """Numbers of questions that both runs, only the first, only the second, or neither got right."""

    n: int
    both: int
    only_first: int
    only_second: int
    neither: int
    p_value: float
    """Two-sided, exact McNemar (sign) test: the chance of a split as uneven if neither run were better."""


def compare_runs(first: Sequence[Line], second: Sequence[Line]) -> Comparison:
    """Pair the lines by index.

    Raises:
        EvaluationError: the runs asked different questions, one of them twice, or none.
    """
    pairs = [{line["index"]: line for line in lines} for lines in (first, second)]
    asked = [{index: (line["database"], line["question"]) for index, line in run.items()} for run in pairs]
    if not first or asked[0] != asked[1] or len(first) != len(pairs[0]) or len(second) != len(pairs[1]):
        raise EvaluationError("only runs over the same questions, each asked once, can be compared pair by pair")
    seen = Counter((pairs[0][index]["correct"], pairs[1][index]["correct"]) for index in pairs[0])
    return Comparison(
        n=len(first),
        both=seen[True, True],
        only_first=seen[True, False],
        only_second=seen[False, True],
        neither=seen[False, False],
        p_value=sign_test(seen[True, False], seen[False, True]),
    )


def sign_test(wins: int, losses: int) -> float:
    """The two-sided exact p-value of these wins and losses, without ties; 1.0 without any."""
    n = wins + losses
    ways = tail = 1
    for k in range(min(wins, losses)):
        ways = ways * (n - k) // (k + 1)
        tail += ways
    return min(1.0, 2 * tail / (1 << n))
