"""A gate for continuous integration: does a run get significantly fewer questions right than its baseline?"""

from collections.abc import Sequence
from math import comb
from typing import TypedDict

from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.figures.comparison import compare_runs, unlike_questions
from route_sql.training.evaluation.run_log import Line

SIGNIFICANCE = 0.05
"""The gate fails below this p-value."""


class GateResult(TypedDict):
    """A run against its baseline, question by question."""

    passed: bool
    n: int
    """Questions that are compared: those whose gold query runs in both."""
    gold_faults: int
    """Questions that are not compared, since their gold query fails in one of the two."""
    gold_lost: int
    """Those of them whose gold query ran in the baseline: the gate fails."""
    right_before: int
    right_now: int
    gained: int
    """Questions that are right now and were wrong before."""
    lost: int
    """Questions that were right before and are wrong now."""
    p_value: float
    """One-sided, exact McNemar test: the chance of losing at least this many of the questions that changed, if the
    run were as good as the baseline."""


def gate(baseline: Sequence[Line], lines: Sequence[Line]) -> GateResult:
    """Compare a run with the baseline over the same questions.

    Raises:
        EvaluationError: the two are not over the same questions, or no question can be compared.
    """
    check_same_questions(baseline, lines)
    failed_before, failed_now = ({line["index"] for line in run if line["gold_fault"]} for run in (baseline, lines))
    failed = failed_before | failed_now
    before, now = ([line for line in run if line["index"] not in failed] for run in (baseline, lines))
    if not now:
        raise EvaluationError(
            f"the gate has nothing to compare: the gold queries of all {len(lines)} questions fail; correct them or "
            "their databases, and make a new baseline"
        )
    seen = compare_runs(before, now)
    lost, gained = seen["only_first"], seen["only_second"]
    p_value = probability_of_losing(lost, gained)
    return GateResult(
        passed=p_value >= SIGNIFICANCE and not failed_now - failed_before,
        n=seen["n"],
        gold_faults=len(failed),
        gold_lost=len(failed_now - failed_before),
        right_before=seen["both"] + lost,
        right_now=seen["both"] + gained,
        gained=gained,
        lost=lost,
        p_value=p_value,
    )


def check_same_questions(baseline: Sequence[Line], asked: Sequence[Line] | Sequence[Example]) -> None:
    """Check that a run asks the questions of its baseline, each once, before hours are spent on it.

    Raises:
        EvaluationError: a question is only in one of them, differs, or is there twice; or there is none.
    """
    if not baseline:
        raise EvaluationError("the baseline holds no question; name the lines of a run that was finished")
    before = {line["index"]: (line["database"], line["question"]) for line in baseline}
    now = dict(map(_question, asked))
    if len(before) != len(baseline) or len(now) != len(asked):
        raise EvaluationError("the gate needs each question once; there is a question twice in the baseline or the run")
    if unlike := unlike_questions(before, now, ("in the baseline", "now")):
        raise EvaluationError(
            f"the gate compares the same questions; {unlike}. "
            "Take the same questions file, --limit and --seed, or make a new baseline"
        )


def probability_of_losing(lost: int, gained: int) -> float:
    """The one-sided exact p-value: of all questions that changed, at least `lost` are losses by mere chance."""
    changed = lost + gained
    return sum(comb(changed, k) for k in range(lost, changed + 1)) / (1 << changed)


def gate_sentence(result: GateResult) -> str:
    """The result in one line, for the log of a CI."""
    return (
        f"{_verdict(result)}: {result['right_now']} of {result['n']} right, {result['right_before']} in the baseline "
        f"({result['gained']} gained, {result['lost']} lost; one-sided exact McNemar p = {result['p_value']:.2g}, "
        f"fails below {SIGNIFICANCE}){_remarks(result)}"
    )


def _verdict(result: GateResult) -> str:
    if result["gold_lost"]:
        queries = "gold query fails" if result["gold_lost"] == 1 else "gold queries fail"
        return f"gate FAILED, {result['gold_lost']} {queries} that ran in the baseline"
    return "gate passed" if result["passed"] else "gate FAILED, significantly fewer are right"


def _remarks(result: GateResult) -> str:
    left_out = f". Left out: {result['gold_faults']} whose gold query fails" if result["gold_faults"] else ""
    loss_can_fail = probability_of_losing(result["right_before"], 0) < SIGNIFICANCE
    # A gold query that no longer runs fails the gate with any baseline.
    too_few = f". With {result['right_before']} right in the baseline no lost answer can fail it; take one with more"
    return left_out + ("" if loss_can_fail else too_few)


def _question(asked: Line | Example) -> tuple[int, tuple[str, str]]:
    if isinstance(asked, Example):
        return asked.index, (asked.database, asked.question)
    return asked["index"], (asked["database"], asked["question"])
