"""Figures of confidences, against values computed by hand."""

import pytest

from route_sql.training.calibration.figures import (
    Judged,
    accuracy_at,
    auroc,
    calibration_error,
    equal_bins,
    reliability,
    risk_coverage,
)
from route_sql.training.errors import EvaluationError

FOUR = [Judged(0.9, True), Judged(0.8, False), Judged(0.6, True), Judged(0.1, False)]


def test_auroc_counts_pairs_in_the_right_order() -> None:
    assert auroc(FOUR) == 3 / 4
    assert auroc([Judged(0.5, True), Judged(0.5, False)]) == 0.5
    assert auroc([Judged(0.5, True)]) is None


def test_calibration_error_is_the_distance_in_bins_of_equal_size() -> None:
    low, high = equal_bins(FOUR, 2)
    assert [low["confidence"], low["accuracy"]] == pytest.approx([0.35, 0.5])
    assert [high["confidence"], high["accuracy"]] == pytest.approx([0.85, 0.5])
    assert calibration_error(FOUR, 2) == pytest.approx((0.15 + 0.35) / 2)


def test_a_confidence_that_is_always_the_accuracy_has_no_error() -> None:
    assert calibration_error([Judged(0.5, True), Judged(0.5, False)] * 20, 10) == 0.0


def test_the_surest_half() -> None:
    assert accuracy_at(FOUR, 0.5) == 0.5
    assert accuracy_at(FOUR, 0.25) == 1.0
    assert accuracy_at(FOUR, 1.0) == 0.5


def test_among_equally_sure_answers_the_order_of_the_file_does_not_count() -> None:
    same = [Judged(0.7, True), Judged(0.7, False), Judged(0.7, False), Judged(0.7, False)]
    assert accuracy_at(same, 0.5) == accuracy_at(same[::-1], 0.5) == 0.25


def test_the_curve_ends_at_the_accuracy_of_all() -> None:
    curve = risk_coverage(FOUR, steps=4)
    assert curve == [(0.25, 1.0), (0.5, 0.5), (0.75, pytest.approx(2 / 3)), (1.0, 0.5)]


def test_all_figures_of_a_run() -> None:
    found = reliability(FOUR)
    assert (found["n"], found["accuracy"], found["accuracy_of_surest_half"]) == (4, 0.5, 0.5)
    assert found["brier"] == pytest.approx((0.01 + 0.64 + 0.16 + 0.01) / 4)
    assert sum(each["n"] for each in found["bins"]) == 4


def test_figures_of_nothing_are_refused() -> None:
    with pytest.raises(EvaluationError, match="no answer with a confidence"):
        reliability([])
