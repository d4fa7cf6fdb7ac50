"""Figures of confidences, against values computed by hand."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from route_sql.cli import main
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
from route_sql.training.evaluation.run_log import Line

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


def reliable(tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[Line], *more: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command."""
    (tmp_path / "run.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(SystemExit) as ended:
        main(["reliability", str(tmp_path / "run.jsonl"), *more])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


@pytest.mark.parametrize(("n", "few"), [(20, True), (60, True), (300, False)])
@pytest.mark.parametrize("right", [True, False])
def test_a_run_that_is_all_right_or_all_wrong_has_no_ranking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make_line: Callable[..., Line], n: int, few: bool, right: bool
) -> None:
    lines = [make_line(index, confidence=0.8, calibrated=True, correct=right) for index in range(n)]
    code, said, warned = reliable(tmp_path, capsys, lines)
    assert code == 0 and "AUROC -" in said and f"{n} answers" in said
    assert ("answers are few" in warned) is few and "calibrated" not in warned


def test_what_the_figures_leave_out_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make_line: Callable[..., Line]
) -> None:
    lines = [make_line(index, confidence=0.8, calibrated=False) for index in range(120)]
    lines += [make_line(200), make_line(201, confidence=0.9, calibrated=True, gold_fault=True, correct=False)]
    code, said, warned = reliable(tmp_path, capsys, lines, "--json")
    assert code == 0 and json.loads(said)["n"] == 120
    assert "2 of 122 lines are left out: no confidence, or a gold query that fails" in warned
    assert "some confidences are not calibrated: only their order means something" in warned


def test_a_withheld_answer_is_no_reason_to_call_the_others_not_calibrated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make_line: Callable[..., Line]
) -> None:
    lines = [make_line(index, confidence=0.8, calibrated=True) for index in range(120)]
    withheld = {"sql": None, "status": "unanswerable", "correct": False}
    lines.append(make_line(120, confidence=0.0, calibrated=False, **withheld))
    code, said, warned = reliable(tmp_path, capsys, lines)
    assert code == 0 and "121 answers" in said and "calibrated" not in warned


def test_a_run_without_confidences_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make_line: Callable[..., Line]
) -> None:
    for lines in ([make_line(0)], []):
        code, _, warned = reliable(tmp_path, capsys, lines)
        assert code == 2 and "there is no answer with a confidence" in warned


def test_answers_that_did_not_run_are_counted_and_left_out_of_a_second_ranking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make_line: Callable[..., Line]
) -> None:
    lines = [make_line(n, confidence=0.8, calibrated=True, correct=n % 2 == 0) for n in range(120)]
    _, said, _ = reliable(tmp_path, capsys, lines)
    assert "AUROC 0.500\n" in said and "withheld" not in said
    lost = {"status": "error", "correct": False, "confidence": 0.0, "calibrated": True}
    lines += [make_line(n, **lost) for n in range(120, 180)]
    code, said, _ = reliable(tmp_path, capsys, lines)
    assert code == 0 and "60 of them were withheld or failed: wrong with confidence 0, which raises AUROC" in said
    assert "AUROC 0.750, 0.500 over the 120 others" in said
    found = json.loads(reliable(tmp_path, capsys, lines, "--json")[1])
    assert (found["n"], found["unanswered"], found["auroc"], found["auroc_of_answered"]) == (180, 60, 0.75, 0.5)
    _, said, _ = reliable(tmp_path, capsys, lines[-1:])
    assert "1 of them was withheld or failed" in said and "AUROC -, - over the 0 others" in said


@pytest.mark.parametrize("name", ["curves.svg", "curves.nothing"])
def test_a_picture_that_can_not_be_drawn_costs_no_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make_line: Callable[..., Line], name: str
) -> None:
    lines = [make_line(index, confidence=0.8, calibrated=True) for index in range(120)]
    picture = tmp_path / name
    code, said, warned = reliable(tmp_path, capsys, lines, "--picture", str(picture))
    assert "120 answers" in said and "training" not in warned
    if find_spec("matplotlib") is None:
        assert code == 2 and "needs matplotlib, which is not installed: pip install 'matplotlib" in warned
    elif name.endswith(".svg"):
        assert code == 0 and picture.read_text().startswith("<?xml")
    else:
        assert code == 2 and "can't be written" in warned
