"""Comparison of two query results, by the rules of the field's published figures.

Values are compared as Python does: 1 equals 1.0, '1' differs from 1.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from route_sql.tools.database.outcome import Cell

ResultRows = Sequence[Sequence[Cell]]
ResultRow = tuple[Cell, ...]
Ids = list[int]

_T = TypeVar("_T", bound=Hashable)

# About ten seconds of search. Results reach it only if many columns hold the same values in unlike rows.
_SEARCH_ROWS = 20_000_000


def same_by_spider(gold: ResultRows, predicted: ResultRows, *, ordered: bool) -> bool | None:
    """Spider's rule (test-suite comparison, Zhong et al., EMNLP 2020, on one database).

    Two results match if both are empty, or if they have as many rows and columns and some order of the columns makes
    the rows equal: as a list where `ordered`, else as a multiset.

    Returns:
        None if the search for an order of the columns was given up at its bound.
    """
    if len(gold) != len(predicted):
        return False
    if not gold:
        return True
    if len(gold[0]) != len(predicted[0]):
        return False
    if ordered:
        # Row i is compared with row i, so some order of the columns fits if the columns are the same multiset.
        return Counter(zip(*gold, strict=True)) == Counter(zip(*predicted, strict=True))
    gold_rows, predicted_rows = Counter(map(tuple, gold)), Counter(map(tuple, predicted))
    if gold_rows == predicted_rows:
        return True
    try:
        return _ColumnSearch(gold_rows, predicted_rows).found()
    except _GaveUp:
        return None


def same_by_bird(gold: ResultRows, predicted: ResultRows) -> bool:
    """BIRD's rule: the same set of rows with columns in order; how often a row occurs doesn't count."""
    return set(map(tuple, gold)) == set(map(tuple, predicted))


class _GaveUp(Exception):
    """The search for an order of the columns reached its bound."""


class _ColumnSearch:
    """A search for an order of the predicted columns that makes two multisets of rows equal.

    Each distinct row has an id; gold and predicted rows share an id until some pair of columns separates them. One
    more pair of columns splits the ids; the pair is refused if the ids no longer balance. As soon as every row has its
    own id, the rows are aligned and the other columns can be compared directly.
    """

    def __init__(self, gold: Counter[ResultRow], predicted: Counter[ResultRow]) -> None:
        self._rows = (gold, predicted)
        self._gold = list(zip(*gold, strict=True))
        self._predicted = list(zip(*predicted, strict=True))
        self._twins = _first_equal(self._predicted)
        self._rows_left = _SEARCH_ROWS + 4 * len(gold) * len(self._gold)

    def found(self) -> bool:
        """True if there is such an order.

        Raises:
            _GaveUp: the bound was reached first.
        """
        ids = _shared_ids(*(list(rows.values()) for rows in self._rows))
        choices = self._choices(*ids) if ids else []
        if any(len({self._twins[place] for place in places}) > 1 for places in choices):
            # Row keys cost more than counts, so they are computed only where columns look alike.
            ids = _shared_ids(*(_row_keys(rows) for rows in self._rows))
            choices = self._choices(*ids) if ids else []
        if not ids or not all(choices):
            return False
        # Columns with few choices and many values settle the most.
        order = sorted(range(len(choices)), key=lambda i: (len(choices[i]), -len(set(self._gold[i]))))
        return self._extend(*ids, [(column, choices[column]) for column in order], ())

    def _extend(
        self, gold_ids: Ids, predicted_ids: Ids, left: list[tuple[int, list[int]]], used: tuple[int, ...]
    ) -> bool:
        if len(set(gold_ids)) == len(gold_ids):
            return self._aligned(gold_ids, predicted_ids, [column for column, _ in left], used)
        (column, choices), *rest = left
        for option in self._untried(choices, used):
            self._rows_left -= len(gold_ids)
            if self._rows_left < 0:
                raise _GaveUp
            split = _shared_ids(
                list(zip(gold_ids, self._gold[column], strict=True)),
                list(zip(predicted_ids, self._predicted[option], strict=True)),
            )
            if split and self._extend(*split, rest, (*used, option)):
                return True
        return False

    def _choices(self, gold_ids: Ids, predicted_ids: Ids) -> list[list[int]]:
        """For each gold column the predicted columns with the same values in the same kinds of row."""
        offered: dict[Hashable, list[int]] = {}
        for place, column in enumerate(self._predicted):
            offered.setdefault(_bag(zip(predicted_ids, column, strict=True)), []).append(place)
        fitting = [offered.get(_bag(zip(gold_ids, column, strict=True)), []) for column in self._gold]
        # The written order is right most of the time, so it is tried first.
        return [sorted(places, key=lambda place: place != i) for i, places in enumerate(fitting)]

    def _untried(self, choices: list[int], used: tuple[int, ...]) -> Iterable[int]:
        """The unused choices, one of each group of columns that are equal row by row."""
        return {self._twins[place]: place for place in choices if place not in used}.values()

    def _aligned(self, gold_ids: Ids, predicted_ids: Ids, left: list[int], used: tuple[int, ...]) -> bool:
        """Whether the columns that are left are equal in some order, each row having an id of its own."""
        row_of = {row_id: row for row, row_id in enumerate(predicted_ids)}
        rows = [row_of[row_id] for row_id in gold_ids]
        offered = (column for place, column in enumerate(self._predicted) if place not in used)
        return Counter(self._gold[column] for column in left) == Counter(
            tuple(column[row] for row in rows) for column in offered
        )


def _first_equal(columns: Sequence[ResultRow]) -> list[int]:
    first: dict[ResultRow, int] = {}
    return [first.setdefault(column, place) for place, column in enumerate(columns)]


def _row_keys(rows: Counter[ResultRow]) -> list[tuple[int, frozenset[tuple[Cell, int]]]]:
    """Properties of a row that no order of the columns changes: how often it occurs and the multiset of its values."""
    return [(times, _bag(row)) for row, times in rows.items()]


def _bag(values: Iterable[_T]) -> frozenset[tuple[_T, int]]:
    return frozenset(Counter(values).items())


def _shared_ids(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> tuple[Ids, Ids] | None:
    """Number the keys alike on both sides; None if the two multisets of keys differ."""
    numbers: dict[Hashable, int] = {}
    gold_ids = [numbers.setdefault(key, len(numbers)) for key in gold]
    predicted_ids = [numbers.get(key, -1) for key in predicted]
    return (gold_ids, predicted_ids) if Counter(gold_ids) == Counter(predicted_ids) else None
