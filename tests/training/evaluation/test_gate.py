from collections.abc import Callable

import pytest

from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.figures.gate import check_same_questions, gate, gate_sentence, probability_of_losing
from route_sql.training.evaluation.run_log import Line

MakeLine = Callable[..., Line]


@pytest.mark.parametrize(
    ("lost", "gained", "p_value"),
    [(0, 0, 1.0), (4, 0, 1 / 16), (5, 0, 1 / 32), (9, 2, 67 / 2048), (0, 5, 1.0), (1, 1, 3 / 4)],
)
def test_the_p_value_is_one_sided_and_exact(lost: int, gained: int, p_value: float) -> None:
    assert probability_of_losing(lost, gained) == pytest.approx(p_value)


@pytest.mark.parametrize(("lost", "gained", "passed"), [(4, 0, True), (5, 0, False), (9, 2, False), (0, 20, True)])
def test_only_a_significant_loss_fails(make_line: MakeLine, lost: int, gained: int, passed: bool) -> None:
    baseline = [make_line(index, correct=index >= gained) for index in range(30)]
    now = [make_line(index, correct=index < 30 - lost) for index in range(30)]
    result = gate(baseline, now)
    assert (result["passed"], result["lost"], result["gained"]) == (passed, lost, gained)
    assert (result["right_before"], result["right_now"], result["n"]) == (30 - gained, 30 - lost, 30)
    said = gate_sentence(result)
    assert f"{30 - lost} of 30 right, {30 - gained} in the baseline ({gained} gained, {lost} lost" in said
    assert ("FAILED" in said) is not passed


def test_other_questions_can_not_be_compared(make_line: MakeLine) -> None:
    baseline = [make_line(index) for index in range(3)]
    with pytest.raises(EvaluationError, match="of 3 in the baseline: 1 not now, 0 with another .*; of 2 now: 0 not"):
        gate(baseline, baseline[1:])
    with pytest.raises(EvaluationError, match="0 not now, 1 with another text or database; of 4 now: 1 not in the"):
        gate(baseline, [make_line(0), make_line(1, question="Other?"), make_line(2), make_line(7)])
    with pytest.raises(EvaluationError, match="a question twice"):
        gate([*baseline, baseline[0]], baseline)


def test_the_order_of_the_lines_is_free(make_line: MakeLine) -> None:
    baseline = [make_line(index) for index in range(3)]
    check_same_questions(baseline, baseline[::-1])
    assert gate(baseline, baseline[::-1])["passed"]


def test_questions_whose_gold_fails_are_left_out(make_line: MakeLine) -> None:
    baseline = [make_line(index, gold_fault=index < 2, correct=index >= 2) for index in range(12)]
    result = gate(baseline, baseline)
    assert (result["passed"], result["n"], result["gold_faults"], result["gold_lost"]) == (True, 10, 2, 0)
    assert gate_sentence(result).endswith(". Left out: 2 whose gold query fails")


def test_a_gold_query_that_ran_in_the_baseline_and_fails_now_fails_the_gate(make_line: MakeLine) -> None:
    baseline = [make_line(index) for index in range(12)]
    now = [make_line(index, gold_fault=index == 3, correct=index != 3) for index in range(12)]
    result = gate(baseline, now)
    assert (result["passed"], result["lost"], result["gold_lost"]) == (False, 0, 1)
    assert "gate FAILED, 1 gold query fails that ran in the baseline" in gate_sentence(result)
    assert gate(now, baseline)["passed"]


def test_a_gate_without_anything_to_compare_is_refused(make_line: MakeLine) -> None:
    failing = [make_line(index, gold_fault=True, correct=False) for index in range(6)]
    with pytest.raises(EvaluationError, match="nothing to compare: the gold queries of all 6 questions fail"):
        gate(failing, failing)
    with pytest.raises(EvaluationError, match="the baseline holds no question"):
        gate([], [])


@pytest.mark.parametrize(("right", "warned"), [(0, True), (4, True), (5, False)])
def test_a_gate_that_can_never_fail_says_so(make_line: MakeLine, right: int, warned: bool) -> None:
    baseline = [make_line(index, correct=index < right) for index in range(30)]
    said = gate_sentence(gate(baseline, baseline))
    assert ("no lost answer can fail it; take one with more" in said) is warned


def test_with_few_right_answers_only_gold_queries_fail_the_gate_and_the_sentence_says_no_more(
    make_line: MakeLine,
) -> None:
    baseline = [make_line(index, correct=index < 4) for index in range(12)]
    now = [make_line(index, gold_fault=index > 9, correct=False) for index in range(12)]
    said = gate_sentence(gate(baseline, now))
    assert said.startswith("gate FAILED, 2 gold queries fail that ran in the baseline: 0 of 10 right, 4 in")
    assert said.endswith("With 4 right in the baseline no lost answer can fail it; take one with more")
    assert "never" not in said
