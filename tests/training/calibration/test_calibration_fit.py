"""Fitting a calibration with the real library."""

import json
from pathlib import Path
from random import Random

import pytest
from support.chat_stub import ChatStub

pytest.importorskip("sklearn")

from route_sql.cli import main
from route_sql.training.calibration.calibrate import calibrate
from route_sql.training.calibration.figures import auroc
from route_sql.training.calibration.fitting import Observation, fit_logistic
from route_sql.training.calibration.observing import ObservedQuestion
from route_sql.training.errors import TrainingError


def made(n: int, seed: int = 0) -> list[ObservedQuestion]:
    """Questions on ten databases, of which the surprising ones are mostly wrong."""
    random = Random(seed)
    questions = []
    for index in range(n):
        surprise = random.random() * 2
        correct = random.random() > surprise / 2
        signals = {"surprise": surprise, "doubted": 0.0, "covered": 0.5}
        both = [Observation(f"db{index % 10}", kind, signals, correct) for kind in ("alone", "compared")]
        questions.append(ObservedQuestion(index, both, 2))
    return questions


def observations(verdict: dict[str, bool], surprise: float) -> list[Observation]:
    """Twenty answers on each database, right or wrong."""
    signals = [{"covered": n * surprise, "doubted": 0.0} for n in range(20)]
    return [Observation(name, "alone", each, right) for name, right in verdict.items() for each in signals]


def test_runs_that_are_all_alike_can_not_be_fitted() -> None:
    alike = [*observations({"a": True, "b": True}, 0), *observations({"a": False, "b": False}, 0)]
    with pytest.raises(TrainingError, match="no number of these runs differs from answer to answer"):
        fit_logistic(alike)


def test_databases_that_are_all_right_or_all_wrong_can_not_be_left_out() -> None:
    with pytest.raises(TrainingError, match="without some of the databases all answers are right, or all wrong"):
        fit_logistic(observations({"a": True, "b": False}, 0.1))


def test_a_signal_that_some_answers_lack_has_no_weight() -> None:
    mixed = [*observations({"a": True, "b": True}, 0.1), *observations({"a": False, "b": False}, 0.2)]
    for each in mixed[::2]:
        each.signals["surprise"] = each.signals["covered"] + 1
    assert [*fit_logistic(mixed).model.weights] == ["covered"]


def test_the_fit_finds_the_sign_and_its_confidence_is_a_probability() -> None:
    found = calibrate(made(600), "a test")
    weights = found.calibration.alone.weights
    assert weights["surprise"] < 0 and "covered" not in weights
    assert found.figures["calibration_error"] < 0.1
    assert (found.figures["auroc"] or 0) > 0.75


def test_the_plain_numbers_are_the_librarys() -> None:
    observations = [question.observations[0] for question in made(300)]
    fit = fit_logistic(observations)
    again = [(fit.model.probability(each.signals), each.correct) for each in observations]
    sure = sorted(again)[-100:]
    assert sum(correct for _, correct in sure) > 70
    assert auroc(fit.held_out) == pytest.approx(auroc(fit.held_out[::-1]))


@pytest.mark.parametrize(
    "observations",
    [
        [Observation("a", "alone", {"surprise": 1.0}, True)] * 5,
        [Observation("a", "alone", {"surprise": 1.0}, bool(n % 2)) for n in range(60)],
        [Observation(f"db{n % 3}", "alone", {"surprise": 1.0}, True) for n in range(60)],
    ],
    ids=["too few", "one database", "all right"],
)
def test_too_little_to_fit_is_refused(observations: list[Observation]) -> None:
    with pytest.raises(TrainingError, match="a calibration needs at least 30 answers"):
        fit_logistic(observations)


def test_answers_after_a_vote_are_fitted_with_their_votes() -> None:
    random = Random(1)
    questions = []
    for question in made(600):
        votes = random.random()
        signals = {**question.observations[0].signals, "votes": votes, "voted_results": 2.0}
        voted = Observation(question.observations[0].database, "voted", signals, random.random() < votes)
        questions.append(ObservedQuestion(question.index, [*question.observations, voted], 5))
    found = calibrate(questions, "a test")
    assert found.calibration.voted is not None and found.calibration.voted.weights["votes"] > 0
    assert found.voted is not None and (found.voted["auroc"] or 0) > 0.75
    assert "votes" not in found.calibration.compared.weights
    assert calibrate(made(600), "a test").not_voted == "no question was put to a vote"
    few = calibrate([*questions[:20], *made(600)[20:]], "a test")
    assert few.calibration.voted is None and few.voted is None and "here are 20" in few.not_voted
    assert few.alone["n"] == few.figures["n"] == 600


def test_the_model_is_not_asked_for_nothing(
    stub: ChatStub, tmp_path: Path, databases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [
        {"question": f"How many? {n}", "sql": "SELECT count(*) FROM customer", "database": "shop"} for n in range(60)
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    given = ["--questions", str(tmp_path / "log.jsonl"), "--databases", str(databases), "--model", stub.url]
    with pytest.raises(SystemExit) as ended:
        main(["train", "calibrate", *given, "--out", str(tmp_path / "calibration.json")])
    assert ended.value.code == 2 and "here are 60 on 1. Add questions" in capsys.readouterr().err
    assert not stub.bodies and not list(tmp_path.glob("calibration.json*"))
