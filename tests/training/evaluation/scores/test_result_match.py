import itertools
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_sql.tools.database.outcome import Cell
from route_sql.training.evaluation.scores.result_match import ResultRows, same_by_bird, same_by_spider


def by_the_letter(gold: ResultRows, predicted: ResultRows, *, ordered: bool) -> bool:
    """Spider's rule with every order of the columns tried."""
    if not gold and not predicted:
        return True
    if len(gold) != len(predicted) or len(gold[0]) != len(predicted[0]):
        return False
    wanted = [tuple(row) for row in gold]
    for order in itertools.permutations(range(len(gold[0]))):
        offered = [tuple(row[place] for place in order) for row in predicted]
        if offered == wanted or (not ordered and Counter(offered) == Counter(wanted)):
            return True
    return False


@pytest.mark.parametrize(
    ("gold", "predicted", "same", "same_in_order"),
    [
        ([], [], True, True),
        ([], [[1]], False, False),
        ([[1]], [[1.0]], True, True),
        ([[1]], [["1"]], False, False),
        ([[None]], [[None]], True, True),
        ([[None]], [[0]], False, False),
        ([[1], [2]], [[2], [1]], True, False),
        ([[1], [1], [2]], [[1], [2], [2]], False, False),
        ([[1, "a"]], [["a", 1]], True, True),
        ([[1, "a"]], [[1, "a", "a"]], False, False),
        ([[1, 2], [2, 1]], [[1, 1], [2, 2]], False, False),
        ([[1, 2], [3, 4]], [[4, 3], [2, 1]], True, False),
        # The columns hold the same values, the rows don't.
        ([[0, 0, 1], [0, 1, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, 1], [1, 1, 0]], False, False),
    ],
)
def test_spider_by_hand(gold: ResultRows, predicted: ResultRows, same: bool, same_in_order: bool) -> None:
    assert same_by_spider(gold, predicted, ordered=False) is same
    assert same_by_spider(gold, predicted, ordered=True) is same_in_order


CELLS: st.SearchStrategy[Cell] = st.sampled_from([None, 0, 1, 1.0, "1", "a"])


@st.composite
def result_pairs(draw: st.DrawFn) -> tuple[ResultRows, ResultRows]:
    """A result and the same one, rows and columns shuffled, at times with two cells of a column swapped."""
    width = draw(st.integers(1, 4))
    gold = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=5))
    order = draw(st.permutations(range(width)))
    swap = draw(st.booleans())
    predicted = [[row[place] for place in order] for row in draw(st.permutations(gold))]
    if predicted and swap:
        first, second = (draw(st.integers(0, len(predicted) - 1)) for _ in range(2))
        column = draw(st.integers(0, width - 1))
        swapped = predicted[second][column], predicted[first][column]
        predicted[first][column], predicted[second][column] = swapped
    return gold, predicted


@given(result_pairs(), st.booleans())
def test_spider_as_if_every_order_were_tried(pair: tuple[ResultRows, ResultRows], ordered: bool) -> None:
    assert same_by_spider(*pair, ordered=ordered) == by_the_letter(*pair, ordered=ordered)


@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=3),
    st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=3),
)
def test_spider_on_unrelated_results(gold: ResultRows, predicted: ResultRows) -> None:
    assert same_by_spider(gold, predicted, ordered=False) == by_the_letter(gold, predicted, ordered=False)


def test_many_alike_columns_are_matched_without_trying_all_orders() -> None:
    random = Random(0)
    gold = [[random.randint(0, 1) for _ in range(30)] for _ in range(200)]
    order = random.sample(range(30), 30)
    predicted = [[row[place] for place in order] for row in random.sample(gold, 200)]
    assert same_by_spider(gold, predicted, ordered=False) is True
    predicted[0][0], predicted[1][0] = 1 - predicted[0][0], 1 - predicted[1][0]
    assert same_by_spider(gold, predicted, ordered=False) is False


def ring(*lengths: int) -> list[list[Cell]]:
    """Rows that each join a column with the next, around rings: columns and rows all look alike."""
    rows: list[list[Cell]] = []
    for start, length in zip(itertools.accumulate(lengths, initial=0), lengths, strict=False):
        ones = ({start + i, start + (i + 1) % length} for i in range(length))
        rows += [[int(column in pair) for column in range(sum(lengths))] for pair in ones]
    return rows


def test_the_hardest_columns_are_told_apart() -> None:
    assert same_by_spider(ring(16), ring(8, 8), ordered=False) is False
    assert same_by_spider(ring(8, 8), ring(8, 8)[::-1], ordered=False) is True


def test_the_values_of_rows_tell_alike_columns_apart() -> None:
    """Without row keys the search reaches its bound: every column holds the same values as every other."""
    alike = [list(order) for order in itertools.permutations(range(8))]
    gold = [*alike, [0] * 8, [1] * 8]
    predicted = [*alike, [0, 1] * 4, [1, 0] * 4]
    assert same_by_spider(gold, predicted, ordered=False) is False


def test_bird_is_about_sets_with_columns_in_order() -> None:
    assert same_by_bird([[1, "a"], [1, "a"]], [[1.0, "a"]])
    assert same_by_bird([], [])
    assert same_by_bird([[1], [2]], [[2], [1]])
    assert not same_by_bird([[1, "a"]], [["a", 1]])
    assert not same_by_bird([], [[None]])
