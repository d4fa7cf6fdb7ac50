"""Paired comparison of two runs over the same questions: is one better, or was it chance?"""

from collections import Counter
from collections.abc import Mapping, Sequence
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
    _check_each_once("the first run", first)
    _check_each_once("the second run", second)
    if unlike := unlike_questions(asked[0], asked[1], ("in the first run", "in the second")):
        raise EvaluationError(f"only runs over the same questions can be compared pair by pair; {unlike}")
    seen = Counter((pairs[0][index]["correct"], pairs[1][index]["correct"]) for index in pairs[0])
    return Comparison(
        n=len(first),
        both=seen[True, True],
        only_first=seen[True, False],
        only_second=seen[False, True],
        neither=seen[False, False],
        p_value=sign_test(seen[True, False], seen[False, True]),
    )


def unlike_questions(
    first: Mapping[int, tuple[str, str]], second: Mapping[int, tuple[str, str]], places: tuple[str, str]
) -> str | None:
    """The number of differences between two sets of questions, in a sentence; None without any.

    Args:
        first: Database and text of each question, by index.
        second: The same of the other set.
        places: Where the two sets are, such as `in the baseline` and `now`.
    """
    lacking, new = len(first.keys() - second.keys()), len(second.keys() - first.keys())
    other = sum(first[index] != second[index] for index in first.keys() & second.keys())
    if not (lacking or new or other):
        return None
    return (
        f"of {len(first)} {places[0]}: {lacking} not {places[1]}, {other} with another text or database; "
        f"of {len(second)} {places[1]}: {new} not {places[0]}"
    )


def _check_each_once(name: str, lines: Sequence[Line]) -> None:
    if not lines:
        raise EvaluationError(f"{name} holds no question, so there is nothing to compare")
    index, times = Counter(line["index"] for line in lines).most_common(1)[0]
    if times > 1:
        raise EvaluationError(f"{name} has question {index} more than once; only questions asked once can be compared")


def sign_test(wins: int, losses: int) -> float:
    """The two-sided exact p-value of these wins and losses, without ties; 1.0 without any."""
    n = wins + losses
    ways = tail = 1
    for k in range(min(wins, losses)):
        ways = ways * (n - k) // (k + 1)
        tail += ways
    return min(1.0, 2 * tail / (1 << n))
