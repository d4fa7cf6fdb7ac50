"""Execution accuracy (EX): a predicted query is right if it returns what the gold query returns.

Blobs are compared in the form that the executor shows, by their length and first bytes.
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, Protocol

import sqlglot
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

from route_sql.tools.database.engine import Database
from route_sql.tools.database.outcome import Outcome, Status
from route_sql.tools.database.running.cells import is_exact_as_float
from route_sql.tools.errors import UnknownDatabase
from route_sql.tools.limits import Limits
from route_sql.tools.sql.hardness import table_count
from route_sql.training.datasets.data_set import Layout
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.scores.result_match import ResultRows, same_by_bird, same_by_spider

Metric = Literal["spider", "bird"]

SCORING_LIMITS = Limits(
    seconds=30.0, rows=1_000_000, cell_chars=10_000_000, result_bytes=400_000_000, memory_bytes=1_000_000_000
)
"""Limits wide enough that no honest gold result is cut; 30 s is BIRD's rule."""

_GOLD_KEPT = 256
_DECIMAL = re.compile(r"-?\d{1,16}\.\d+")


def metric_of(layout: Layout) -> Metric:
    """The rule of a data set's publishers; a query log has Spider's."""
    return "bird" if layout == "bird" else "spider"


class DatabaseLookup(Protocol):
    """Finds a database by its name; `route_sql.tools.database.catalog.Catalog` is one."""

    def get(self, name: str) -> Database:
        """The database of that name.

        Raises:
            UnknownDatabase: there is none.
        """


@dataclass(frozen=True, slots=True)
class PredictionScore:
    """Whether a prediction is right.

    `reason` says why it is wrong, None if it is right. `status` is the outcome of the predicted query when it was
    scored. `gold_fault` is True if the gold query itself failed or was too large, so that nothing can be right.
    """

    correct: bool
    reason: str | None
    status: Status
    gold_fault: bool = False


class ExecutionAccuracy:
    """Scores predictions on their databases, and keeps the newest gold results for the next prediction."""

    def __init__(
        self,
        catalog: DatabaseLookup,
        *,
        metric: Metric = "spider",
        keep_distinct: bool = False,
        limits: Limits = SCORING_LIMITS,
    ) -> None:
        """Score by `metric`; Spider's drops DISTINCT from both queries unless `keep_distinct`."""
        self._catalog = catalog
        self._metric = metric
        self._drop = metric == "spider" and not keep_distinct
        self._limits = limits
        self._gold: dict[tuple[str, str], Outcome] = {}

    async def score(self, example: Example, sql: str | None) -> PredictionScore:
        """Run a prediction and compare it with the gold; a query that fails or is too large is wrong.

        Where several queries are accepted, a prediction is right if it is equal to any.

        Raises:
            DatabaseUnavailable: the database can't be read.
            UnknownDatabase: the catalog lacks it.
        """
        if not sql or not sql.strip():
            return PredictionScore(False, "no SQL", "error")
        scores = []
        for gold in example.accepted_queries:
            scores.append(await self._score(replace(example, sql=gold), sql))
            if scores[-1].correct:
                return scores[-1]
        return next((score for score in scores if not score.gold_fault), scores[0])

    async def outcomes(self, example: Example, sql: str) -> tuple[Outcome, Outcome]:
        """Run the gold and a prediction, and return both outcomes.

        Raises:
            DatabaseUnavailable: the database can't be read.
            UnknownDatabase: the catalog lacks it.
        """
        return await self._gold_outcome(example), await self._run(example.database, sql, self._limits)

    async def _score(self, example: Example, sql: str) -> PredictionScore:
        gold = await self._gold_outcome(example)
        predicted = await self._run(example.database, sql, self._prediction_limits(gold))
        if fault := _gold_fault(gold):
            return PredictionScore(False, fault, predicted["status"], gold_fault=True)
        if predicted["error"] is not None:
            return PredictionScore(False, f"{predicted['status']}: {predicted['error']}", predicted["status"])
        reason = await asyncio.to_thread(self._difference, example, gold, predicted)
        return PredictionScore(reason is None, reason, predicted["status"])

    def has(self, name: str) -> bool:
        """Whether there is a database of that name."""
        try:
            self._catalog.get(name)
        except UnknownDatabase:
            return False
        return True

    async def gold_tables(self, example: Example) -> int:
        """The number of distinct tables that the gold query reads; the paper calls a query of 3 or more hard."""
        if not self.has(example.database):
            return 0
        schema = await self._catalog.get(example.database).schema()
        return table_count(example.sql, schema)

    async def _gold_outcome(self, example: Example) -> Outcome:
        key = (example.database, example.sql)
        if key not in self._gold:
            outcome = await self._run(*key, self._limits)
            while len(self._gold) >= _GOLD_KEPT:
                del self._gold[next(iter(self._gold))]
            self._gold[key] = outcome
        return self._gold[key]

    async def _run(self, name: str, sql: str, limits: Limits) -> Outcome:
        database = self._catalog.get(name)
        return await database.execute(drop_distinct(sql, database.dialect) if self._drop else sql, limits)

    def _prediction_limits(self, gold: Outcome) -> Limits:
        """Limits of the predicted query: Spider's rule needs at most one row more than the gold has."""
        if self._metric == "bird":
            return self._limits
        return replace(self._limits, rows=min(self._limits.rows, gold["row_count"] + 1))

    def _difference(self, example: Example, gold: Outcome, predicted: Outcome) -> str | None:
        counts = _counts(gold), _counts(predicted)
        if self._metric == "spider" and counts[0][0] != counts[1][0]:
            more = "at least " if predicted["truncated"] else ""
            return f"rows: {more}{counts[1][0]}, the gold has {counts[0][0]}"
        if predicted["truncated"]:
            return "too large: the result exceeds the limits of scoring"
        if gold["rows"] and predicted["rows"] and counts[0][1] != counts[1][1]:
            return f"columns: {counts[1][1]}, the gold has {counts[0][1]}"
        return self._unequal_values(example, gold, predicted)

    def _unequal_values(self, example: Example, gold: Outcome, predicted: Outcome) -> str | None:
        dialect = self._catalog.get(example.database).dialect
        rows: tuple[ResultRows, ResultRows] = gold["rows"], predicted["rows"]
        if dialect != "sqlite":  # SQLite has no decimals
            rows = _with_floats(rows[0]), _with_floats(rows[1])
        if self._metric == "bird":
            return None if same_by_bird(*rows) else "values differ from the gold's"
        ordered = has_order_by(example.sql, dialect)
        same = same_by_spider(*rows, ordered=ordered)
        if same is None:
            return "too large: the search for an order of the columns was given up"
        if same:
            return None
        return "values or their order differ from the gold's" if ordered else "values differ from the gold's"


def _with_floats(rows: ResultRows) -> ResultRows:
    """Rows with long decimals, shown as text, turned into floats: two ways to a mean differ in their last digits."""
    return [[float(c) if isinstance(c, str) and _is_long_decimal(c) else c for c in row] for row in rows]


def _is_long_decimal(text: str) -> bool:
    """Whether a text is a decimal that no float shows exactly.

    Other decimals are shown as numbers, so `1.10` as a text comes from a column of texts, such as versions.
    """
    return _DECIMAL.fullmatch(text) is not None and not is_exact_as_float(Decimal(text))


def drop_distinct(sql: str, dialect: str) -> str:
    """The query without any DISTINCT; literals, names and comments are left alone.

    `IS DISTINCT FROM` is an operator and stays, and so do `DISTINCT ON (a)` and `COUNT(DISTINCT a, b)`, which are no
    queries without the word. A text that can't be cut into tokens is returned as it is.
    """
    tokens = _tokens(sql, dialect)
    kept, end = [], 0
    for place, token in enumerate(tokens):
        if token.token_type is TokenType.DISTINCT and not _is_needed(tokens, place):
            kept.append(sql[end : token.start])
            end = token.end + 1
    return "".join([*kept, sql[end:]])


def has_order_by(sql: str, dialect: str) -> bool:
    """Whether the query contains ORDER BY anywhere, subqueries included, as the field's scorers ask."""
    return any(token.token_type is TokenType.ORDER_BY for token in _tokens(sql, dialect))


def _tokens(sql: str, dialect: str) -> list[Token]:
    try:
        return sqlglot.tokenize(sql, read=dialect)
    except SqlglotError:
        return []


def _is_needed(tokens: list[Token], place: int) -> bool:
    """Whether the DISTINCT at a place is an operator or a part of `DISTINCT ON` or of a count of several columns."""
    before = [token.token_type for token in tokens[max(0, place - 2) : place]]
    if before[-1:] == [TokenType.IS] or before == [TokenType.IS, TokenType.NOT]:
        return True
    if [token.token_type for token in tokens[place + 1 : place + 2]] == [TokenType.ON]:
        return True
    is_count = place > 1 and tokens[place - 2].text.casefold() == "count" and before[-1] is TokenType.L_PAREN
    return is_count and _has_comma(tokens[place + 1 :])


def _has_comma(tokens: Iterable[Token]) -> bool:
    """Whether there is a comma before the bracket is closed that the tokens are in."""
    depth = 0
    for token in tokens:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth < 0 or (depth == 0 and token.token_type is TokenType.COMMA):
            return depth == 0
    return False


def _gold_fault(gold: Outcome) -> str | None:
    if gold["error"] is not None:
        return f"the gold query failed ({gold['status']}): {gold['error']}"
    return "the gold result exceeds the limits of scoring" if gold["truncated"] else None


def _counts(outcome: Outcome) -> tuple[int, int]:
    return outcome["row_count"], len(outcome["columns"])
