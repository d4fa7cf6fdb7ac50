"""Confidence, doubts, the early end of a sure run, and answers below the caller's bound."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from route_sql.graph.confidence import Calibration, Logistic, read_calibration
from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
COUNT = "SELECT COUNT(*) FROM customer WHERE city = 'Bergen'"
QUESTION = Question(question="Which customers live in Bergen?", database="shop")
BY_TOKENS = Logistic(intercept=4.0, weights={"surprise": -4.0}, usual={})
CALIBRATION = Calibration(alone=BY_TOKENS, compared=BY_TOKENS, enough=0.9, made_from="a test")


@pytest.fixture
def sure() -> Iterator[ScriptedModel]:
    yield from scripted(-0.001)


@pytest.fixture
def unsure() -> Iterator[ScriptedModel]:
    yield from scripted(-1.0)


def scripted(logprob: float) -> Iterator[ScriptedModel]:
    model = ScriptedModel(history=[], logprob=logprob)
    yield model
    assert not model.leftover


async def ask(
    model: ScriptedModel, catalog: Catalog, context: Context, calibration: Calibration | None = None
) -> Answer:
    graph = build_graph(model, catalog, calibration=calibration)
    answer: Answer = (await graph.ainvoke(QUESTION, context=context, version="v2")).value
    assert json.loads(json.dumps(answer)) == answer
    return answer


async def test_a_sure_draft_ends_the_run(sure: ScriptedModel, catalog: Catalog) -> None:
    sure.enqueue("sql", NAMES)
    answer = await ask(sure, catalog, Context(), CALIBRATION)
    assert sure.tasks == ["sql"]
    assert answer["confidence"] > 0.95 and answer["calibrated"] and not answer["doubts"]


async def test_a_draft_that_is_not_sure_gets_a_second_opinion(unsure: ScriptedModel, catalog: Catalog) -> None:
    unsure.enqueue("sql", NAMES, NAMES)
    answer = await ask(unsure, catalog, Context(), CALIBRATION)
    assert unsure.tasks == ["sql", "sql"] and answer["confidence"] < 0.9


@pytest.mark.parametrize("context", [Context(enough=1.0), Context(strategy="paper", without=("correct_noise",))])
async def test_nothing_ends_early_if_the_caller_or_the_published_order_says_so(
    sure: ScriptedModel, catalog: Catalog, context: Context
) -> None:
    sure.enqueue("sql", NAMES, NAMES)
    if context.strategy == "paper":
        sure.enqueue("link", "customer: name, city")
    await ask(sure, catalog, context, CALIBRATION)
    assert sure.tasks.count("sql") == 2


@pytest.mark.parametrize(
    ("draft", "doubt"),
    [
        ("SELECT name FROM customer WHERE city = 'Bodo'", "no row"),
        ("SELECT nam FROM customer", "no such column: nam"),
    ],
    ids=["no row", "an error"],
)
async def test_a_doubted_draft_never_ends_the_run(
    sure: ScriptedModel, catalog: Catalog, draft: str, doubt: str
) -> None:
    sure.enqueue("sql", draft, draft.replace("name", "id").replace("nam ", "nix "))
    sure.enqueue("link", "customer: name, city").enqueue("verdict", "verdict: right")
    if "nam " in draft:
        sure.enqueue("continuation", " FROM")
    answer = await ask(sure, catalog, Context(max_corrections=1), CALIBRATION)
    assert sure.tasks.count("sql") > 1 and doubt in answer["doubts"][0]


async def test_without_a_calibration_the_value_only_orders_and_every_reason_counts(
    sure: ScriptedModel, catalog: Catalog
) -> None:
    sure.enqueue("sql", NAMES, NAMES)
    answer = await ask(sure, catalog, Context())
    assert sure.tasks == ["sql", "sql"]
    assert not answer["calibrated"] and 0 < answer["confidence"] < 1


async def test_agreement_raises_and_disagreement_lowers_the_confidence(catalog: Catalog) -> None:
    found = []
    for second in (NAMES, COUNT):
        model = (
            ScriptedModel(history=[], logprob=-0.1).enqueue("sql", NAMES, second).enqueue("verdict", "verdict: right")
        )
        found.append(await ask(model, catalog, Context()))
    agreed, differing = found
    assert agreed["confidence"] > differing["confidence"]
    assert differing["doubts"] == ["The draft and the second opinion disagree: 2 rows against 1 row."]


async def test_a_model_without_log_probabilities_is_not_calibrated(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES, NAMES)
    answer = await ask(model, catalog, Context(), CALIBRATION)
    assert not answer["calibrated"]


async def test_an_answer_below_the_bound_is_unsure_and_keeps_its_rows(unsure: ScriptedModel, catalog: Catalog) -> None:
    unsure.enqueue("sql", NAMES, NAMES)
    answer = await ask(unsure, catalog, Context(min_confidence=0.99), CALIBRATION)
    assert (answer["status"], answer["sql"], answer["row_count"]) == ("unsure", NAMES, 2)


async def test_an_answer_that_did_not_run_has_no_confidence(sure: ScriptedModel, catalog: Catalog) -> None:
    sure.enqueue("sql", "SELECT nam FROM customer")
    answer = await ask(sure, catalog, Context(strategy="single", min_confidence=0.5), CALIBRATION)
    assert (answer["status"], answer["confidence"]) == ("error", 0.0)


async def test_a_value_that_nobody_named_is_a_doubt(sure: ScriptedModel, catalog: Catalog) -> None:
    sure.enqueue("sql", "SELECT name FROM customer WHERE city <> 'Paris'")
    answer = await ask(sure, catalog, Context(strategy="single"))
    assert answer["doubts"] == ["The query names a value that is neither in the question nor in its notes."]


@pytest.mark.parametrize(
    ("sql", "doubted"),
    [
        ("SELECT MAX(name) FROM customer WHERE city = 'Atlantis'", True),
        ("SELECT MAX(name) FROM customer", False),
        ("SELECT COUNT(*) FROM customer WHERE city = 'Atlantis'", False),
    ],
)
async def test_a_result_that_is_one_null_is_doubted(
    sure: ScriptedModel, catalog: Catalog, sql: str, doubted: bool
) -> None:
    sure.enqueue("sql", sql)
    answer = await ask(sure, catalog, Context(strategy="single"))
    assert answer["status"] == "ok"
    assert any("one NULL" in doubt for doubt in answer["doubts"]) is doubted


async def test_a_model_may_carry_its_calibration(sure: ScriptedModel, catalog: Catalog) -> None:
    class Carrying(ScriptedModel):
        calibration: Calibration = CALIBRATION

    model = Carrying(history=[], logprob=-0.001).enqueue("sql", NAMES)
    assert (await ask(model, catalog, Context()))["calibrated"]


@pytest.mark.parametrize("text", ["", "[]", '{"alone": 1}', '{"alone": {"intercept": 0, "weights": {}, "usual": {}}}'])
def test_what_is_no_calibration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a calibration"):
        read_calibration(text)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"alone": {"intercept": float("inf"), "weights": {}, "usual": {}}}, "alone.intercept"),
        ({"alone": {"intercept": 0, "weights": {"surprise": float("nan")}, "usual": {}}}, "alone.weights.surprise"),
        ({"compared": {"intercept": 0, "weights": {"magic": 1}, "usual": {}}}, "compared: .*signal magic"),
        ({"unanswerable": {"intercept": 0, "weights": {"votes": 1}, "usual": {}}}, "unanswerable.*: .*signal votes"),
        ({"enough": True}, "enough"),
        ({"enough": "0.5"}, "enough"),
        ({"correct_rows": 0}, "correct_rows"),
        ({"version": 7}, "version"),
        ({"alone": {"intercept": 0, "weights": {}, "usual": {}, "bias": 1}}, "alone.bias"),
    ],
)
def test_numbers_that_can_not_be_used_are_refused_with_their_place(change: dict[str, object], place: str) -> None:
    with pytest.raises(InvalidInput, match=f"not a calibration: {place}"):
        read_calibration(json.dumps({**asdict(CALIBRATION), **change}))


@pytest.mark.parametrize("given", [asdict(CALIBRATION), "calibration.json", Path("calibration.json")])
def test_the_graph_refuses_what_is_no_calibration(sure: ScriptedModel, catalog: Catalog, given: Calibration) -> None:
    with pytest.raises(InvalidInput, match="calibration must be a Calibration"):
        build_graph(sure, catalog, calibration=given)


def test_the_graph_refuses_a_calibration_that_was_made_with_wrong_numbers(
    sure: ScriptedModel, catalog: Catalog
) -> None:
    wrong = Logistic(intercept=float("nan"), weights={}, usual={})
    with pytest.raises(InvalidInput, match="alone.intercept"):
        build_graph(sure, catalog, calibration=replace(CALIBRATION, alone=wrong))


@pytest.mark.parametrize("share", [-0.1, 1.1, "0.5", True])
@pytest.mark.parametrize("key", ["enough", "min_confidence"])
def test_a_bound_is_a_number_from_0_to_1(key: str, share: object) -> None:
    with pytest.raises(InvalidInput, match=f"{key} in the context must be a number from 0 to 1"):
        Context(**{key: share})  # type: ignore[arg-type]
