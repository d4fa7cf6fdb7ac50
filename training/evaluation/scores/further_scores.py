"""Further scores, next to execution accuracy: a test suite, BIRD's soft F1 and R-VES."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from route_sql.tools.database.outcome import Outcome
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.run_log import Line
from route_sql.training.evaluation.scores.bird_scores import soft_f1, time_score
from route_sql.training.evaluation.scores.execution_accuracy import (
    SCORING_LIMITS,
    DatabaseLookup,
    ExecutionAccuracy,
    Metric,
)
from route_sql.training.evaluation.scores.suite.suite_accuracy import SuiteAccuracy

_SHORTEST = 1e-6
"""Seconds that a query takes at least, so that no time ratio is without bound."""


ScoreFurther = Callable[[Example, Line], Awaitable[Line]]
"""From an example and its scored line to the line with further scores."""


@dataclass(frozen=True)
class FurtherScoring:
    """Choice of further scores. BIRD's soft F1 comes with BIRD's metric."""

    suite: Path | None = None
    """The folder of the clones of a test suite, which are made there where they are missing."""
    timed_runs: int | None = None
    """Runs of gold and prediction for R-VES, with BIRD's metric only; None leaves it out."""
    warn: Callable[[str], None] = logging.getLogger(__name__).warning
    """Called with a sentence for each database of which no clones can be made."""

    def settings(self) -> dict[str, bool | int]:
        """The part of a run's settings that names these scores; empty for a run without them."""
        chosen: dict[str, bool | int] = {"suite": True} if self.suite else {}
        return chosen | ({"r_ves": self.timed_runs} if self.timed_runs else {})


ACCURACY_ALONE = FurtherScoring()


async def no_further_scores(example: Example, line: Line) -> Line:
    """Score nothing further."""
    return line


@asynccontextmanager
async def open_further_scoring(
    wanted: FurtherScoring,
    catalog: DatabaseLookup,
    examples: Sequence[Example],
    metric: Metric,
    *,
    keep_distinct: bool = False,
) -> AsyncIterator[ScoreFurther]:
    """Open the further scores. Missing clones are made first, and all are closed at the end.

    Raises:
        EvaluationError: no database of the examples can have a suite, or R-VES is wanted with another metric.
    """
    if wanted.timed_runs is not None and metric != "bird":
        raise EvaluationError("R-VES is BIRD's figure; leave --r-ves out, or take --layout bird")
    bird = BirdScorer(catalog, wanted.timed_runs) if metric == "bird" else None
    if wanted.suite is None:
        yield bird.score if bird else no_further_scores
        return
    async with SuiteAccuracy(catalog, wanted.suite, metric=metric, keep_distinct=keep_distinct) as suite:
        without = await suite.prepare(sorted({example.database for example in examples}))
        for name, reason in without.items():
            wanted.warn(f"{reason}; for the questions on {name!r} the suite is the original database alone")

        async def score(example: Example, line: Line) -> Line:
            scored = await bird.score(example, line) if bird else line
            if not line["correct"] or line["sql"] is None:
                return {**scored, "correct_on_suite": False}
            clones = await suite.counting(example)
            return {**scored, "correct_on_suite": await suite.score(example, line["sql"]), "suite_clones": clones}

        yield score


class BirdScorer:
    """Scores predictions by BIRD's soft F1, and by R-VES where it is wanted."""

    def __init__(self, catalog: DatabaseLookup, timed_runs: int | None = None) -> None:
        """Run gold and prediction `timed_runs` times for R-VES; None leaves it out."""
        self._accuracy = ExecutionAccuracy(catalog, metric="bird")
        self._timed_runs = timed_runs
        self._catalog = catalog

    async def score(self, example: Example, line: Line) -> Line:
        """The line with its scores: the best over the accepted queries, 0 for a prediction that can't be run.

        Raises:
            DatabaseUnavailable: the database can't be read.
        """
        sql = line["sql"] if self._accuracy.has(example.database) else None
        golds = [replace(example, sql=gold, accepted=()) for gold in example.accepted_queries]
        soft = max([await self._soft_f1(gold, sql) for gold in golds]) if sql and sql.strip() else 0.0
        scored: Line = {**line, "soft_f1": soft}
        if self._timed_runs is not None:
            is_right = line["correct"]
            scored["time_score"] = await self._time_score(golds, sql, self._timed_runs) if sql and is_right else 0.0
        return scored

    async def _soft_f1(self, example: Example, sql: str) -> float:
        gold, predicted = await self._accuracy.outcomes(example, sql)
        if not (_is_whole(gold) and _is_whole(predicted)):
            return 0.0
        return soft_f1(gold["rows"], predicted["rows"])

    async def _time_score(self, golds: Sequence[Example], sql: str, runs: int) -> float:
        """R-VES against the accepted query that the prediction is equal to."""
        for gold in golds:
            if (await self._accuracy.score(gold, sql)).correct:
                return time_score([await self._ratio(gold, sql) for _ in range(runs)])
        return 0.0

    async def _ratio(self, gold: Example, sql: str) -> float:
        database = self._catalog.get(gold.database)
        outcomes = [await database.execute(query, SCORING_LIMITS) for query in (gold.sql, sql)]
        seconds = [max(outcome["seconds"], _SHORTEST) for outcome in outcomes]
        return seconds[0] / seconds[1]


def _is_whole(outcome: Outcome) -> bool:
    return outcome["error"] is None and not outcome["truncated"]
