import io
from collections.abc import Callable

import pytest
from rich.console import Console

from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.figures.comparison import compare_runs, sign_test
from route_sql.training.evaluation.figures.report import comparison_sentence, markdown_table, summary_table
from route_sql.training.evaluation.figures.summary import summarise, wilson_interval
from route_sql.training.evaluation.run_log import Line

Make = Callable[..., Line]


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (84, 200, 0.3537, 0.4893)],
)
def test_wilson_interval(right: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(right, n) == pytest.approx((low, high), abs=5e-5)


def test_summary_of_nothing_is_refused() -> None:
    with pytest.raises(EvaluationError, match="no question"):
        summarise([])


def test_summary(make_line: Make) -> None:
    lines = [
        make_line(0, tables=0, cached_tokens=50),
        make_line(1, tables=2, correct=False, status="timeout", calls=4, difficulty="hard"),
        make_line(2, tables=5, difficulty="easy", seconds=4.0),
        make_line(3, tables=3, correct=False, gold_fault=True, difficulty="hard"),
    ]
    summary = summarise(lines)
    assert summary["ex"] == 0.5
    assert summary["ex_low"] < 0.5 < summary["ex_high"]
    assert summary["by_tables"] == {
        "1": {"n": 1, "ex": 1.0},
        "2": {"n": 1, "ex": 0.0},
        "3+": {"n": 2, "ex": 0.5},
    }
    assert summary["by_difficulty"] == {"easy": {"n": 1, "ex": 1.0}, "hard": {"n": 2, "ex": 0.0}}
    assert summary["status"] == {"ok": 3, "timeout": 1}
    assert summary["gold_faults"] == 1
    assert summary["calls_per_question"] == 1.75
    assert summary["computed_prompt_tokens_per_question"] == 87.5
    assert summary["cached_share"] == 0.125
    assert summary["seconds_per_question"] == 1.75


def test_summary_of_a_run_without_any_model_call(make_line: Make) -> None:
    summary = summarise([make_line(0, calls=0, prompt_tokens=0, cached_tokens=0)])
    assert summary["cached_share"] == 0.0
    assert summary["by_tables"]["3+"] == {"n": 0, "ex": None}


def test_one_line_without_costs_makes_them_unknown(make_line: Make) -> None:
    summary = summarise([make_line(0), make_line(1, prompt_tokens=None, seconds=None)])
    assert summary["prompt_tokens_per_question"] is None
    assert summary["computed_prompt_tokens_per_question"] is None
    assert summary["seconds_per_question"] is None
    assert summary["calls_per_question"] == 1


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 5, 1.0), (6, 0, 0.03125), (2, 8, 0.109375), (8, 2, 0.109375)],
)
def test_sign_test(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == p


def test_sign_test_of_very_many() -> None:
    assert sign_test(3000, 0) == 0.0
    assert sign_test(5000, 5000) == 1.0


def run(make_line: Make, right: str) -> list[Line]:
    return [make_line(index, correct=mark == "+") for index, mark in enumerate(right)]


def test_compare_runs(make_line: Make) -> None:
    first, second = run(make_line, "++++--"), run(make_line, "++---+")
    comparison = compare_runs(first, list(reversed(second)))
    assert comparison == {
        "n": 6,
        "both": 2,
        "only_first": 2,
        "only_second": 1,
        "neither": 1,
        "p_value": 1.0,
    }
    assert comparison_sentence("paper", "single", comparison) == (
        "Of 6 questions paper and single both got 2 right, only paper 2, only single 1, neither 1 "
        "(exact McNemar p = 1)."
    )


def test_only_like_runs_are_compared(make_line: Make) -> None:
    first = run(make_line, "++")
    with pytest.raises(EvaluationError, match="the second run holds no question"):
        compare_runs(first, [])
    with pytest.raises(EvaluationError, match="the second run has question 0 more than once"):
        compare_runs(first, [*first, first[0]])
    with pytest.raises(
        EvaluationError,
        match="same questions .*; of 2 in the first run: 1 not in the second, 0 with .*; of 1 in the second: 0",
    ):
        compare_runs(first, first[:1])
    other = [make_line(1, question="Another?"), make_line(7)]
    with pytest.raises(EvaluationError, match="1 not in the second, 1 with another .*: 1 not in the first"):
        compare_runs(first, other)


def test_markdown_table(make_line: Make) -> None:
    lines = [
        make_line(0, correct=False, status="unanswerable"),
        make_line(1, tables=2, prompt_tokens=3000, cached_tokens=1000),
    ]
    runs = {"single": summarise(lines), "a|b": summarise([make_line(0, calls=None)])}
    assert markdown_table(runs).split("\n") == [
        "| strategy | n | EX (95 % interval) | coverage | 1 table | 2 tables | 3+ tables | calls | prompt tokens "
        "| computed | seconds |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
        "| single | 2 | 50.0 (9.5 to 90.5) | 50.0 | 0.0 (n=1) | 100.0 (n=1) | - | 1.00 | 1,550 | 1,050 | 1.0 |",
        "| a\\|b | 1 | 100.0 (20.7 to 100.0) | 100.0 | 100.0 (n=1) | - | - | - | 100 | 100 | 1.0 |",
    ]


def test_difficulties_are_columns(make_line: Make) -> None:
    runs = {
        "bird": summarise([make_line(0, difficulty="simple"), make_line(1, difficulty="moderate")]),
        "none": summarise([make_line(0)]),
    }
    header, _, first, second = markdown_table(runs).split("\n")
    assert header.endswith("| seconds | moderate | simple |")
    assert first.endswith("| 100.0 (n=1) | 100.0 (n=1) |")
    assert second.endswith("| 1.0 | - | - |")


def test_terminal_table(make_line: Make) -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(summary_table({"paper": summarise([make_line(0)])}, title="Spider"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for text in ("Spider", "strategy", "paper", "100.0 (20.7 to 100.0)", "computed"):
        assert text in shown
