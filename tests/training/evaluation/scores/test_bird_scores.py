from math import sqrt

import pytest

from route_sql.training.evaluation.scores.bird_scores import soft_f1, time_score
from route_sql.training.evaluation.scores.result_match import ResultRows


@pytest.mark.parametrize(
    ("gold", "predicted", "score"),
    [
        ([[1, "a"], [2, "b"]], [[1, "a"], [2, "b"]], 1.0),
        ([[1, "a"]], [["a", 1]], 1.0),
        # both 1 + 1/2, only predicted 1/2, only gold 1/2: precision and recall 3/4
        ([[1, "a"], [2, "b"]], [[1, "a"], [2, "c"]], 0.75),
        # a missing row: precision 1, recall 1/2
        ([[1, "a"], [2, "b"]], [[1, "a"]], 2 / 3),
        # a row too many: precision 1/2, recall 1
        ([[1, "a"]], [[1, "a"], [2, "b"]], 2 / 3),
        # a column too many, as a share of one gold column: precision 1/2, recall 1
        ([[1]], [[1, 9]], 2 / 3),
        # three columns: both 2/3, only gold 1/3: precision 1, recall 2/3
        ([[1, 2, 3]], [[1, 2]], 0.8),
        ([[1], [2]], [[2], [1]], 0.0),
        ([[1], [1], [2]], [[1], [2], [2]], 1.0),
        ([[1]], [["1"]], 0.0),
        ([[1]], [[1.0]], 1.0),
        ([[None]], [[None]], 1.0),
        ([], [], 1.0),
        ([], [[1]], 0.0),
        ([[1]], [], 0.0),
    ],
)
def test_soft_f1_by_hand(gold: ResultRows, predicted: ResultRows, score: float) -> None:
    assert soft_f1(gold, predicted) == pytest.approx(score)


@pytest.mark.parametrize(
    ("ratio", "reward"),
    [(2.0, 1.25), (1.99, 1.0), (1.0, 1.0), (0.99, 0.75), (0.5, 0.75), (0.49, 0.5), (0.25, 0.5), (0.24, 0.25)],
)
def test_the_reward_of_a_time_ratio(ratio: float, reward: float) -> None:
    assert time_score([ratio] * 5) == pytest.approx(100 * sqrt(reward))


def test_outliers_do_not_count() -> None:
    # The mean of all is 5.7, with a standard deviation of 21.1.
    assert time_score([1.0] * 20 + [100.0]) == 100.0
    assert time_score([1.0] * 20 + [2.0]) == 100.0
    assert time_score([1.0, 4.0]) == pytest.approx(100 * sqrt(1.25))
