"""Semantic evaluation by several databases: a right answer is right on perturbed clones of its database too.

The idea of a test suite is that of Zhong et al. (EMNLP 2020). A clone counts for a question only where its gold returns
rows, and rows that don't depend on how ties of an ORDER BY fall; where no clone does, the original alone counts.
"""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from route_sql.tools.database.outcome import Outcome
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.scores.execution_accuracy import (
    SCORING_LIMITS,
    DatabaseLookup,
    ExecutionAccuracy,
    Metric,
    drop_distinct,
    has_order_by,
)
from route_sql.training.evaluation.scores.result_match import ResultRows, same_by_bird, same_by_spider
from route_sql.training.evaluation.scores.suite.clone_files import NoClones, make_clones
from route_sql.training.evaluation.scores.suite.tied_order import determined, settled_ties
from route_sql.training.resumable import to_the_end

_OPEN = 4
"""Databases whose clones are open at the same time."""
_GOLD_KEPT = 64


@dataclass(frozen=True)
class ExpectedResult:
    """Result of a gold query on a clone that counts, and whether the order of its rows counts."""

    clone: SQLiteDatabase
    rows: ResultRows
    is_ordered: bool


class SuiteAccuracy:
    """Scores predictions on the original and on the clones that count. Use it as an async context manager."""

    def __init__(
        self,
        catalog: DatabaseLookup,
        folder: Path,
        *,
        metric: Metric = "spider",
        keep_distinct: bool = False,
        seed: int = 0,
    ) -> None:
        """Score by `metric`; clones are made in `folder` by `prepare`, or when their database is first needed.

        Spider's metric drops DISTINCT from both queries unless `keep_distinct`.
        """
        self._catalog = catalog
        self._folder = folder
        self._metric = metric
        self._drop = metric == "spider" and not keep_distinct
        self._seed = seed
        self._original = ExecutionAccuracy(catalog, metric=metric, keep_distinct=keep_distinct)
        self._files: dict[str, list[Path]] = {}
        self._open: dict[str, list[SQLiteDatabase]] = {}
        self._expected: dict[tuple[str, str], list[ExpectedResult]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def prepare(self, names: Iterable[str]) -> dict[str, str]:
        """Make the clones of these databases, before hours are spent on questions; those that lack are left out.

        Returns:
            The reason for each database of which no clones can be made; the original alone decides for its questions.

        Raises:
            EvaluationError: no clones can be made of any of them, or the clones can't be written.
        """
        known = [name for name in names if self._original.has(name)]
        without: dict[str, str] = {}
        for name in known:
            try:
                await self._make(name)
            except NoClones as error:
                without[name], self._files[name] = str(error), []
        if without and len(without) == len(known):
            raise EvaluationError(f"{next(iter(without.values()))}; leave --suite out")
        return without

    async def score(self, example: Example, sql: str) -> bool:
        """Whether a prediction equals one of the accepted queries on the original and on all clones that count.

        Raises:
            EvaluationError: no clones of the database can be made, and `prepare` was not called with it.
            DatabaseUnavailable: the database can't be read.
        """
        async with self._one_at_a_time:
            for gold in example.accepted_queries:
                only = replace(example, sql=gold, accepted=())
                if (await self._original.score(only, sql)).correct and await self._is_right_on_clones(only, sql):
                    return True
        return False

    async def counting(self, example: Example) -> int:
        """The number of clones that count for a question: the most of its accepted queries.

        Raises:
            EvaluationError: no clones of the database can be made, and `prepare` was not called with it.
            DatabaseUnavailable: the database can't be read.
        """
        async with self._one_at_a_time:
            golds = [replace(example, sql=gold, accepted=()) for gold in example.accepted_queries]
            return max([len(await self._expected_results(gold)) for gold in golds])

    async def close(self) -> None:
        """Close the clones."""
        async with AsyncExitStack() as closing:
            for clone in [clone for clones in self._open.values() for clone in clones]:
                closing.push_async_callback(clone.close)
            self._open.clear()
            self._expected.clear()

    async def __aenter__(self) -> Self:
        """The scorer itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the clones."""
        await self.close()

    async def _is_right_on_clones(self, example: Example, sql: str) -> bool:
        for expected in await self._expected_results(example):
            predicted = await self._run(expected.clone, sql)
            if predicted["status"] != "ok" or predicted["truncated"]:
                return False
            if not await asyncio.to_thread(self._equal, expected, predicted["rows"]):
                return False
        return True

    def _equal(self, expected: ExpectedResult, rows: ResultRows) -> bool:
        if self._metric == "bird":
            return same_by_bird(expected.rows, rows)
        return same_by_spider(expected.rows, rows, ordered=expected.is_ordered) is True

    async def _expected_results(self, example: Example) -> list[ExpectedResult]:
        key = example.database, example.sql
        clones = await self._clones(example.database)
        if key not in self._expected:
            while len(self._expected) >= _GOLD_KEPT:
                del self._expected[next(iter(self._expected))]
            found = [await self._expect(clone, example.sql) for clone in clones]
            self._expected[key] = [expected for expected in found if expected is not None]
        return self._expected[key]

    async def _expect(self, clone: SQLiteDatabase, gold: str) -> ExpectedResult | None:
        """The result of the gold, None if the clone doesn't count."""
        outcome = await self._run(clone, gold)
        if outcome["status"] != "ok" or outcome["truncated"]:
            return None
        if not has_order_by(gold, clone.dialect):
            return ExpectedResult(clone, outcome["rows"], is_ordered=False)
        settled = settled_ties(gold, clone.dialect, len(outcome["columns"]))
        results = [await self._run(clone, sql) for sql in settled or ()]
        if not results or any(result["status"] != "ok" for result in results):
            return ExpectedResult(clone, outcome["rows"], is_ordered=True)
        known = determined(results[0]["rows"], results[1]["rows"])
        return ExpectedResult(clone, outcome["rows"], is_ordered=known == "list") if known else None

    async def _run(self, clone: SQLiteDatabase, sql: str) -> Outcome:
        return await clone.execute(drop_distinct(sql, clone.dialect) if self._drop else sql, SCORING_LIMITS)

    async def _clones(self, name: str) -> list[SQLiteDatabase]:
        if name not in self._open:
            files = self._files[name] if name in self._files else await self._make(name)
            while len(self._open) >= _OPEN:
                await self._close_oldest()
            self._open[name] = [SQLiteDatabase(f"{name}/{file.stem}", file, workers=1) for file in files]
        return self._open[name]

    async def _make(self, name: str) -> list[Path]:
        source = self._source(name)
        self._files[name] = await to_the_end(make_clones, self._folder, name, source, seed=self._seed)
        return self._files[name]

    async def _close_oldest(self) -> None:
        oldest = next(iter(self._open))
        self._expected = {key: found for key, found in self._expected.items() if key[0] != oldest}
        for clone in self._open.pop(oldest):
            await clone.close()

    def _source(self, name: str) -> Path:
        database = self._catalog.get(name)
        if not isinstance(database, SQLiteDatabase):
            hidden = "a part of it is hidden" if database.dialect == "sqlite" else f"it is {database.dialect}"
            raise NoClones(f"a test suite is made of whole SQLite files, which {name!r} is not ({hidden})")
        return database.path
