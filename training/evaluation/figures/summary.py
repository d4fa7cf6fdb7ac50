"""The figures of a run: execution accuracy with its interval, by hardness, and the cost of a question."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from typing import NotRequired, TypedDict

from route_sql.graph.state import ANSWERED_STATUSES
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.run_log import WRONG_DATABASE, Line

_NORMAL_95 = 1.959963984540054


class PartAccuracy(TypedDict):
    """Execution accuracy on a part of the questions; `ex` is None for an empty part."""

    n: int
    ex: float | None


class Summary(TypedDict):
    """The figures of one run; costs are means per question, None where the predictions came without them."""

    ex: float
    """Execution accuracy, 0 to 1."""
    n: int
    ex_low: float
    """Lower end of the 95 % Wilson interval."""
    ex_high: float
    coverage: float
    """Share of questions that were given SQL which ran, 0 to 1; the others count as wrong."""
    by_tables: dict[str, PartAccuracy]
    """By distinct tables in the gold query: `1`, `2`, `3+`."""
    by_difficulty: dict[str, PartAccuracy]
    """By the data set's own labels; empty where it has none."""
    calls_per_question: float | None
    prompt_tokens_per_question: float | None
    computed_prompt_tokens_per_question: float | None
    """Prompt tokens that the server did not find in its cache."""
    completion_tokens_per_question: float | None
    cached_share: float | None
    """Cached of all prompt tokens, 0 to 1."""
    seconds_per_question: float | None
    status: dict[str, int]
    """Answers by status."""
    gold_faults: int
    """Questions whose gold query failed or was too large; they count as wrong."""
    wrong_databases: dict[str, int]
    """Questions or predictions for no database or a wrong one, by reason; they count as wrong."""
    suite_ex: NotRequired[float]
    """The share that is right on the clones of a test suite too, 0 to 1; missing unless every line has it."""
    suite_low: NotRequired[float]
    """Lower end of its 95 % Wilson interval."""
    suite_high: NotRequired[float]
    suite_alone: NotRequired[int]
    """Right answers for which no clone counted, so that the original database alone decided."""
    soft_f1: NotRequired[float]
    """BIRD's soft F1, the mean, 0 to 1."""
    r_ves: NotRequired[float]
    """BIRD's R-VES, the mean, 0 to 112."""


def summarise(lines: Sequence[Line]) -> Summary:
    """The figures of a run.

    Raises:
        EvaluationError: there is no line.
    """
    if not lines:
        raise EvaluationError("no question was scored, so there are no figures")
    right = sum(line["correct"] for line in lines)
    low, high = wilson_interval(right, len(lines))
    prompt = _mean(line["prompt_tokens"] for line in lines)
    cached = _mean(line["cached_tokens"] for line in lines)
    summary = Summary(
        ex=right / len(lines),
        n=len(lines),
        ex_low=low,
        ex_high=high,
        coverage=sum(line["status"] in ANSWERED_STATUSES for line in lines) / len(lines),
        by_tables={"1": _share([]), "2": _share([]), "3+": _share([])} | _shares(lines, _tables_bucket),
        by_difficulty=_shares(lines, lambda line: line["difficulty"]),
        calls_per_question=_mean(line["calls"] for line in lines),
        prompt_tokens_per_question=prompt,
        computed_prompt_tokens_per_question=None if prompt is None or cached is None else prompt - cached,
        completion_tokens_per_question=_mean(line["completion_tokens"] for line in lines),
        cached_share=None if prompt is None or cached is None else cached / (prompt or 1.0),
        seconds_per_question=_mean(line["seconds"] for line in lines),
        status=dict(Counter(line["status"] for line in lines)),
        gold_faults=sum(line["gold_fault"] for line in lines),
        wrong_databases=dict(Counter(filter(None, map(_wrong_database, lines)))),
    )
    _add_further_figures(summary, lines)
    return summary


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a share, both ends 0 to 1. `n` is at least 1."""
    share, z2 = right / n, _NORMAL_95**2
    centre = share + z2 / (2 * n)
    spread = _NORMAL_95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z2 / n)), min(1.0, (centre + spread) / (1 + z2 / n))


def _add_further_figures(summary: Summary, lines: Sequence[Line]) -> None:
    """Add the figures of scores that every line has; a mean over only some lines would mislead."""
    on_suite = [line["correct_on_suite"] for line in lines if "correct_on_suite" in line]
    if len(on_suite) == len(lines):
        summary["suite_ex"] = sum(on_suite) / len(lines)
        summary["suite_low"], summary["suite_high"] = wilson_interval(sum(on_suite), len(lines))
        summary["suite_alone"] = sum(line.get("suite_clones") == 0 for line in lines)
    soft = [line["soft_f1"] for line in lines if "soft_f1" in line]
    if len(soft) == len(lines):
        summary["soft_f1"] = sum(soft) / len(lines)
    times = [line["time_score"] for line in lines if "time_score" in line]
    if len(times) == len(lines):
        summary["r_ves"] = sum(times) / len(lines)


def _wrong_database(line: Line) -> str | None:
    reason = line["reason"] or ""
    return reason.removeprefix(WRONG_DATABASE) if reason.startswith(WRONG_DATABASE) else None


def _tables_bucket(line: Line) -> str:
    # A gold query that can't be parsed has 0 tables; it is at least no join that anyone could see.
    return "3+" if line["tables"] >= 3 else str(max(line["tables"], 1))


def _shares(lines: Iterable[Line], bucket: Callable[[Line], str | None]) -> dict[str, PartAccuracy]:
    parts: dict[str, list[bool]] = {}
    for line in lines:
        if (name := bucket(line)) is not None:
            parts.setdefault(name, []).append(line["correct"])
    return {name: _share(part) for name, part in sorted(parts.items())}


def _share(correct: Sequence[bool]) -> PartAccuracy:
    return PartAccuracy(n=len(correct), ex=sum(correct) / len(correct) if correct else None)


def _mean(values: Iterable[float | None]) -> float | None:
    known = list(values)
    present = [value for value in known if value is not None]
    return sum(present) / len(present) if len(present) == len(known) else None
