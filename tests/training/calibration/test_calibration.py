"""From observed questions to where a run may end early; asking them through the real graph."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from support.chat_stub import ChatStub

from route_sql.cli import main
from route_sql.graph.confidence import Calibration, Logistic, read_calibration
from route_sql.graph.context import Context
from route_sql.graph.state import AnswerKind
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.training.calibration.calibrate import calibrate, observe_all
from route_sql.training.calibration.early_exit import choose_enough, exit_curve, lowest_difference
from route_sql.training.calibration.fitting import Observation, check_questions
from route_sql.training.calibration.observing import (
    ObservedQuestion,
    check_same_examples,
    example_digest,
    observations_of,
    observe,
    read_lines,
)
from route_sql.training.datasets.data_set import DataSet, Layout, open_data_set
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError, TrainingError
from route_sql.training.evaluation.kept_lines import keep_settings, write_lines
from route_sql.training.evaluation.run_log import meta_path
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy

BY_SURPRISE = Logistic(intercept=4.0, weights={"surprise": -4.0}, usual={})
CALIBRATION = Calibration(alone=BY_SURPRISE, compared=BY_SURPRISE)
SURE, UNSURE = 0.0, 1.5
ALL = "SELECT name FROM customer"
CITIES = "SELECT city FROM customer"
BERGEN = "SELECT name FROM customer WHERE city = 'Bergen'"


def observed(index: int, surprise: float, first: bool, last: bool, *, doubted: bool = False) -> ObservedQuestion:
    def one(kind: AnswerKind, correct: bool) -> Observation:
        return Observation("shop", kind, {"surprise": surprise, "doubted": float(doubted)}, correct)

    return ObservedQuestion(index, [one("alone", first), one("compared", last)], 2)


def test_a_sure_first_candidate_saves_the_second_call() -> None:
    questions = [observed(0, SURE, True, True), observed(1, UNSURE, False, True)]
    lowest, *_, always = exit_curve(questions, CALIBRATION)
    assert (lowest.ends_early, lowest.accuracy, lowest.calls) == (0.5, 1.0, 1.5)
    assert (always.enough, always.ends_early, always.calls, always.difference) == (1.0, 0.0, 2.0, 0.0)


def test_a_doubted_first_candidate_never_ends_a_run() -> None:
    (point, *_) = exit_curve([observed(0, SURE, True, True, doubted=True)], CALIBRATION)
    assert point.ends_early == 0.0


def test_a_lost_answer_counts_against_the_threshold() -> None:
    questions = [observed(0, SURE, False, True), *[observed(n, SURE, True, True) for n in range(1, 100)]]
    (point, *_) = exit_curve(questions, CALIBRATION)
    assert point.difference == -0.01 and point.lowest < -0.01
    assert choose_enough(exit_curve(questions, CALIBRATION)) > 0.5


def test_with_no_loss_on_enough_questions_the_lowest_threshold_is_chosen() -> None:
    assert choose_enough(exit_curve([observed(n, SURE, True, True) for n in range(300)], CALIBRATION)) == 0.5


def test_the_most_accurate_threshold_is_chosen_before_the_cheapest() -> None:
    questions = [observed(0, 0.9, False, True), *[observed(n, SURE, True, True) for n in range(1, 600)]]
    curve = exit_curve(questions, CALIBRATION)
    assert curve[0].lowest > -0.01 and curve[0].accuracy < 1.0
    chosen = next(point for point in curve if point.enough == choose_enough(curve))
    assert chosen.accuracy == 1.0 and chosen.calls < 2.0


def test_few_questions_say_too_little_to_end_early() -> None:
    assert choose_enough(exit_curve([observed(n, SURE, True, True) for n in range(50)], CALIBRATION)) == 1.0


def test_the_interval_by_hand() -> None:
    # 1 lost of 312: (0.5 - 1.5) / 314, spread sqrt(2 - 1 / 314) / 314.
    assert lowest_difference(0, 1, 312) == pytest.approx(-0.01200, abs=1e-4)
    assert lowest_difference(0, 0, 312) == pytest.approx(-0.00624, abs=1e-4)


def test_a_line_that_was_cut_off_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    assert read_lines(path) == []
    keep_settings(path, {})
    write_lines(path, asdict(observed(0, SURE, True, True)))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"index": 1, "observ')
    assert read_lines(path) == [observed(0, SURE, True, True)]
    keep_settings(path, {})
    write_lines(path, asdict(observed(1, SURE, True, True)))
    assert [each.index for each in read_lines(path)] == [0, 1]


def test_lines_of_another_run_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    keep_settings(path, {"model": "default"})
    write_lines(path, asdict(observed(0, SURE, True, True)))
    keep_settings(path, {"model": "default"})
    with pytest.raises(EvaluationError, match='model was "default", is "other"'):
        keep_settings(path, {"model": "other"})
    meta_path(path).unlink()
    with pytest.raises(EvaluationError, match="exists without lines.jsonl.meta.json, which holds its settings"):
        keep_settings(path, {"model": "default"})


def test_answers_to_questions_that_have_changed_are_not_mixed_in(tmp_path: Path) -> None:
    """The log was corrected, or got a row, since the run was begun."""
    path = tmp_path / "lines.jsonl"
    example = Example(index=0, database="shop", question="Who?", evidence="", sql=ALL)
    write_lines(path, asdict(replace(observed(0, SURE, True, True), digest=example_digest(example))))
    known = {each.index: each.digest for each in read_lines(path)}
    check_same_examples(path, known, [example])
    check_same_examples(path, {0: ""}, [replace(example, sql=BERGEN)])  # a line of an earlier version
    for changed in (replace(example, sql=BERGEN), replace(example, question="Which?")):
        with pytest.raises(EvaluationError, match="pair 1 of the questions file, or its SQL, was another one"):
            check_same_examples(path, known, [changed])


@pytest.mark.parametrize(
    "text", ["nothing\n", '{"index": 3}\n', "[1]\n", '{"index": 3, "observations": [{}], "calls": 1}\n']
)
def test_a_damaged_file_of_answers_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text(text)
    with pytest.raises(EvaluationError, match="is damaged or can't be read: .*; name another file"):
        read_lines(path)
    meta_path(path).write_text("{")
    with pytest.raises(EvaluationError, match="is damaged"):
        keep_settings(path, {})


def test_answers_that_can_not_be_written_are_an_error(tmp_path: Path) -> None:
    for work in (lambda: write_lines(tmp_path / "none" / "x", {}), lambda: keep_settings(tmp_path / "none" / "x", {})):
        with pytest.raises(EvaluationError, match="can't be written: .*; the same command resumes"):
            work()


async def test_a_question_is_observed_before_and_after_the_second_opinion(catalog: Catalog) -> None:
    model = ScriptedModel(history=[], logprob=-0.1).enqueue("sql", ALL, BERGEN).enqueue("verdict", "verdict: right")
    example = Example(index=7, database="shop", question="Who lives in Bergen?", evidence="", sql=BERGEN)
    found = await observe(build_graph(model, catalog), example, ExecutionAccuracy(catalog), Context())
    assert json.dumps([each.signals for each in found.observations])
    assert [(each.kind, each.correct) for each in found.observations] == [("alone", False), ("compared", False)]
    assert found.calls == 3 and len(observations_of([found], "alone")) == 1
    assert not model.leftover


async def test_a_gold_query_that_fails_says_nothing_of_the_model(catalog: Catalog) -> None:
    model = ScriptedModel(history=[], logprob=-0.1).enqueue("sql", ALL, ALL)
    example = Example(index=0, database="shop", question="Which customers are there?", evidence="", sql="SELECT x")
    found = await observe(build_graph(model, catalog), example, ExecutionAccuracy(catalog), Context())
    assert found.gold_fault and not observed(0, SURE, True, True).gold_fault
    with pytest.raises(TrainingError, match="here are 0 on 0"):
        calibrate([found] * 40, "a test")


@pytest.mark.parametrize(("layout", "right"), [("bird", True), ("spider", False)])
async def test_answers_are_judged_by_the_rule_of_the_layout(
    databases: Path, tmp_path: Path, layout: Layout, right: bool
) -> None:
    """BIRD compares sets of rows, so that rows may be repeated."""
    (questions := tmp_path / "dev.json").write_text(
        json.dumps([{"db_id": "shop", "question": "Which cities?", "SQL": CITIES, "query": CITIES}])
    )
    model = ScriptedModel(history=[], logprob=-0.1).enqueue("sql", f"{CITIES} GROUP BY city", f"{CITIES} GROUP BY city")
    async with open_data_set(DataSet(layout, questions, databases)) as data:
        (found,) = await observe_all(model, "scripted", data, tmp_path / "lines.jsonl", lambda *_: None)
    assert [each.correct for each in found.observations] == [right, right]


async def test_observing_never_ends_early(catalog: Catalog) -> None:
    model = ScriptedModel(history=[], logprob=-0.0001).enqueue("sql", ALL, ALL)
    example = Example(index=0, database="shop", question="Which customers are there?", evidence="", sql=ALL)
    sure = Calibration(BY_SURPRISE, BY_SURPRISE, enough=0.5)
    found = await observe(build_graph(model, catalog, calibration=sure), example, ExecutionAccuracy(catalog), Context())
    assert [(each.kind, each.correct) for each in found.observations] == [("alone", True), ("compared", True)]


class Sampled(ScriptedModel):
    temperature: float = 0.0
    seed: int = 0


async def test_with_samples_the_answer_after_the_vote_is_observed_too(catalog: Catalog) -> None:
    model = Sampled(history=[], logprob=-0.1).enqueue("sql", ALL, "SELECT city FROM customer", BERGEN, BERGEN)
    model.enqueue("verdict", "verdict: right")
    example = Example(index=7, database="shop", question="Who lives in Bergen?", evidence="", sql=BERGEN)
    context = Context(samples=2)
    found = await observe(build_graph(model, catalog), example, ExecutionAccuracy(catalog), context)
    kinds = [(each.kind, each.correct) for each in found.observations]
    assert kinds == [("alone", False), ("compared", False), ("voted", True)]
    voted = found.of("voted")
    assert voted is not None and voted.signals["votes"] == 1.0


async def test_a_calibration_made_with_samples_speaks_of_votes(catalog: Catalog) -> None:
    by_votes = Logistic(intercept=-1.0, weights={"votes": 3.0}, usual={})
    for voted in (by_votes, None):
        model = Sampled(history=[], logprob=-0.1).enqueue("sql", ALL, "SELECT city FROM customer", BERGEN, BERGEN)
        model.enqueue("verdict", "verdict: right")
        made = Calibration(BY_SURPRISE, BY_SURPRISE, voted=voted)
        kept = read_calibration(json.dumps(asdict(made)))
        assert kept == made
        graph: Any = build_graph(model, catalog, calibration=kept)
        question = {"question": "Who lives in Bergen?", "database": "shop"}
        answer = await graph.ainvoke(question, context=Context(samples=2))
        assert answer["calibrated"] is (voted is not None)
        if voted:
            assert answer["confidence"] == pytest.approx(by_votes.probability({"votes": 1.0}), abs=1e-4)


def test_early_exit_is_compared_with_the_answer_after_the_vote() -> None:
    after_vote = Observation("shop", "voted", {"surprise": UNSURE, "doubted": 0.0, "votes": 1.0}, True)
    question = observed(0, UNSURE, False, False)
    voted = ObservedQuestion(0, [*question.observations, after_vote], 4)
    assert exit_curve([voted], CALIBRATION)[-1].accuracy == 1.0
    assert exit_curve([question], CALIBRATION)[-1].accuracy == 0.0


@pytest.mark.parametrize(
    ("databases", "fault"),
    [(["a", "b"] * 10, "here are 20 on 2"), (["a"] * 300, "here are 300 on 1"), ([], "here are 0 on 0")],
    ids=["20 questions", "one database", "nothing"],
)
def test_questions_that_can_give_no_calibration_are_refused(databases: list[str], fault: str) -> None:
    with pytest.raises(TrainingError, match=f"at least 30 questions on 2 databases.*; {fault}. Add questions"):
        check_questions(databases)
    check_questions(["a", "b"] * 30)


def test_only_an_earlier_calibration_is_written_over(
    tmp_path: Path, databases: Path, stub: ChatStub, capsys: pytest.CaptureFixture[str]
) -> None:
    (log := tmp_path / "log.jsonl").write_text(json.dumps({"question": "How many?", "sql": ALL, "database": "shop"}))
    (earlier := tmp_path / "calibration.json").write_text(json.dumps(asdict(CALIBRATION)))
    said = {}
    for out in (log, earlier):
        given = ["--questions", str(log), "--databases", str(databases), "--model", stub.url, "--out", str(out)]
        with pytest.raises(SystemExit) as ended:
            main(["train", "calibrate", *given])
        assert ended.value.code == 2 and not stub.bodies
        said[out] = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "holds something else; name another file" in said[log] and "How many?" in log.read_text()
    assert "something else" not in said[earlier]
