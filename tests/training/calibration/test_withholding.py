"""Withholding of SQL: the figures of a threshold, and the curve on databases left out of the fit."""

import pytest

from route_sql.graph.confidence import Calibration, Logistic
from route_sql.training.calibration.no_answers import AskedQuestion, Situation
from route_sql.training.calibration.withholding import fit_no_answer, no_answer_figures, withhold_curve
from route_sql.training.errors import EvaluationError, TrainingError

EVEN = Logistic(intercept=0.0, weights={}, usual={})
BY_WORD = Logistic(intercept=-1.0, weights={"declined": 2.0}, usual={})


def asked(situation: Situation, *, declined: float, database: str = "staff") -> AskedQuestion:
    return AskedQuestion(0, database, situation, {"declined": declined})


def many(database: str, *, answerable: float, hidden: float) -> list[AskedQuestion]:
    """Forty questions in each situation; the two numbers are the shares of declined ones."""
    shares: dict[Situation, float] = {"answerable": answerable, "hidden_column": hidden, "other_database": 1.0}
    return [
        asked(situation, declined=float(n < 40 * share), database=database)
        for situation, share in shares.items()
        for n in range(40)
    ]


def test_figures_are_shares_by_situation() -> None:
    calibration = Calibration(alone=EVEN, compared=EVEN, unanswerable=BY_WORD, withhold=0.5)
    lines = [asked("answerable", declined=0)] * 3 + [asked("answerable", declined=1)]
    figures = no_answer_figures([*lines, asked("other_database", declined=1)], calibration)
    assert figures.withheld == {"answerable": 0.25, "other_database": 1.0}
    assert figures.count["answerable"] == 4


def test_a_calibration_that_never_learned_it_has_no_figures() -> None:
    with pytest.raises(EvaluationError, match="--unanswerable"):
        no_answer_figures([asked("answerable", declined=0)], Calibration(alone=EVEN, compared=EVEN))


def test_the_curve_gives_for_each_threshold_what_it_withholds() -> None:
    pytest.importorskip("sklearn")
    curve = withhold_curve([*many("staff", answerable=0, hidden=0.5), *many("zoo", answerable=0.1, hidden=0.75)])
    strict, *_, generous = curve.points.values()
    assert strict.withheld == {"answerable": 0.0, "hidden_column": 0.0, "other_database": 0.0}
    assert generous.withheld == {"answerable": 0.05, "hidden_column": 0.625, "other_database": 1.0}
    assert strict.count == generous.count == {"answerable": 80, "hidden_column": 80, "other_database": 80}
    assert list(curve.points) == sorted(curve.points, reverse=True)


def test_a_question_is_judged_by_a_fit_without_its_database() -> None:
    """A reply that declines means the opposite in each database: a fit without it ranks all its questions wrongly."""
    pytest.importorskip("sklearn")
    opposite = [*many("staff", answerable=0, hidden=1), *many("zoo", answerable=1, hidden=0)]
    opposite = [each for each in opposite if each.database == "staff" or each.situation != "other_database"]
    assert withhold_curve(opposite).auroc == 0.0
    assert withhold_curve([*many("staff", answerable=0, hidden=1), *many("zoo", answerable=0, hidden=1)]).auroc == 1.0


def test_a_question_without_a_whole_reply_does_not_count() -> None:
    pytest.importorskip("sklearn")
    lines = [*many("staff", answerable=0, hidden=0.5), *many("zoo", answerable=0.1, hidden=0.75)]
    cut = AskedQuestion(9, "zoo", "answerable", {})
    assert withhold_curve([cut, *lines]) == withhold_curve(lines)
    calibration = Calibration(alone=EVEN, compared=EVEN)
    fitted = fit_no_answer([cut, *lines], calibration)
    assert fitted == fit_no_answer(lines, calibration)
    assert no_answer_figures([cut, *lines], fitted) == no_answer_figures(lines, fitted)


def test_too_few_questions_are_refused() -> None:
    few = [asked("answerable", declined=0)] * 29 + [asked("hidden_column", declined=1)] * 40
    few += [asked("other_database", declined=1)] * 40
    for fit in (withhold_curve, lambda lines: fit_no_answer(lines, Calibration(alone=EVEN, compared=EVEN))):
        with pytest.raises(TrainingError, match="'answerable': 29.*at least 30 questions"):
            fit(few)
