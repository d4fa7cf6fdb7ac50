"""Whether verdicts on queries that returned rows are worth their calls: counted, and kept in the calibration."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from route_sql.graph.confidence import Calibration, Logistic, read_calibration
from route_sql.graph.context import Context
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.training.calibration.calibrate import observe_all
from route_sql.training.calibration.observing import ObservedQuestion, observe, read_lines
from route_sql.training.calibration.verdicts_on_rows import VerdictFigures, verdicts_on_rows
from route_sql.training.datasets.data_set import DataSet, OpenDataSet
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy

BERN = "SELECT name FROM customer WHERE city = 'Bern'"
CITIES = "SELECT city FROM customer WHERE city = 'Bern'"
ALL = "SELECT name FROM customer"
FAILS = "SELECT nam FROM customer"
EXAMPLE = Example(index=0, database="shop", question="Who lives in Bern?", evidence="", sql=BERN)
BY_TOKENS = Logistic(intercept=0.0, weights={"surprise": -4.0}, usual={})
WITHOUT = Calibration(alone=BY_TOKENS, compared=BY_TOKENS, correct_rows=False)


def asked(*changes: tuple[bool, bool] | None) -> list[ObservedQuestion]:
    return [ObservedQuestion(n, [], 1, verdict_on_rows=list(each) if each else None) for n, each in enumerate(changes)]


@pytest.mark.parametrize(
    ("changes", "figures", "help_"),
    [
        ([(False, True), (True, True), None], VerdictFigures(2, 1, 0), True),
        ([(True, True), (False, False)], VerdictFigures(2, 0, 0), False),
        ([(True, False), (False, True)], VerdictFigures(2, 1, 1), False),
        ([None, None], VerdictFigures(0, 0, 0), True),
    ],
    ids=["one more right", "nothing changed", "as many wrong as right", "never asked"],
)
def test_verdicts_are_kept_if_they_make_more_answers_right_than_wrong(
    changes: list[tuple[bool, bool] | None], figures: VerdictFigures, help_: bool
) -> None:
    found = verdicts_on_rows(asked(*changes))
    assert found == figures and found.help is help_


@pytest.mark.parametrize(
    ("queries", "verdict", "found"),
    [
        ((ALL, BERN), f"verdict: wrong\n{BERN} AND id > 0", [False, True]),
        ((BERN, ALL), f"verdict: wrong\n{ALL} WHERE id > 0", [True, False]),
        ((BERN, CITIES), "verdict: right", [True, True]),
        ((BERN, BERN), None, None),
        ((FAILS, "SELECT nix FROM customer"), f"verdict: wrong\n{BERN}", None),
    ],
    ids=["became right", "became wrong", "nothing changed", "no verdict", "no rows before it"],
)
async def test_the_answer_before_and_after_a_verdict_is_judged(
    catalog: Catalog, queries: tuple[str, str], verdict: str | None, found: list[bool] | None
) -> None:
    model = ScriptedModel(history=[], logprob=-0.1).enqueue("sql", *queries)
    if queries[0] == FAILS:
        model.enqueue("link", "customer: name, city")
    if verdict:
        model.enqueue("verdict", verdict)
    question = await observe(build_graph(model, catalog), EXAMPLE, ExecutionAccuracy(catalog), Context())
    assert question.verdict_on_rows == found and not model.leftover


async def test_a_model_that_has_a_calibration_is_observed_without_it(catalog: Catalog, tmp_path: Path) -> None:
    """It would leave out the verdicts that are counted."""

    class Carrying(ScriptedModel):
        calibration: Calibration = WITHOUT

    model = Carrying(history=[], logprob=-0.1).enqueue("sql", BERN, CITIES).enqueue("verdict", "verdict: right")
    data_set = DataSet("log", tmp_path / "log.jsonl")
    data = OpenDataSet(data_set, [EXAMPLE], catalog, frozenset(), entries=1, excluded=0, whole=[EXAMPLE])
    (question,) = await observe_all(model, "a model", data, tmp_path / "lines.jsonl", lambda done, of: None)
    assert question.verdict_on_rows == [True, True] and not model.leftover
    assert read_lines(tmp_path / "lines.jsonl") == [question]


def test_the_calibration_keeps_it_and_older_files_lack_it() -> None:
    text = json.dumps(asdict(WITHOUT))
    assert not read_calibration(text).correct_rows
    older = {name: value for name, value in json.loads(text).items() if name != "correct_rows"}
    assert read_calibration(json.dumps(older)) == replace(WITHOUT, correct_rows=True)
