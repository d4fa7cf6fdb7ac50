"""A calibration can leave out verdicts on queries that returned rows."""

from typing import Any

import pytest

from route_sql.graph.confidence import Calibration, Logistic
from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
CITIES = "SELECT city FROM customer WHERE city = 'Bergen'"
NOBODY = "SELECT name FROM customer WHERE city = 'Bodo'"
FAILS = "SELECT nam FROM customer"
LACKS_A_JOIN = "SELECT city FROM sale WHERE day > '2024-02-01'"
QUESTION = Question(question="Which customers live in Bergen?", database="shop")
BY_TOKENS = Logistic(intercept=0.0, weights={"surprise": -4.0}, usual={})
WITHOUT = Calibration(alone=BY_TOKENS, compared=BY_TOKENS, correct_rows=False)


async def ask(model: ScriptedModel, catalog: Catalog, calibration: Calibration | None, **choices: Any) -> Answer:
    graph = build_graph(model, catalog, calibration=calibration)
    answer: Answer = (await graph.ainvoke(QUESTION, context=Context(**choices), version="v2")).value
    return answer


@pytest.mark.parametrize("calibration", [None, Calibration(alone=BY_TOKENS, compared=BY_TOKENS)])
async def test_without_such_a_calibration_queries_that_disagree_get_a_verdict(
    model: ScriptedModel, catalog: Catalog, calibration: Calibration | None
) -> None:
    model.enqueue("sql", NAMES, CITIES).enqueue("verdict", "verdict: right")
    await ask(model, catalog, calibration)
    assert model.tasks == ["sql", "sql", "verdict"]


@pytest.mark.parametrize("second", [CITIES, NOBODY, FAILS], ids=["other rows", "no row", "an error"])
async def test_once_a_query_has_returned_rows_no_verdict_is_asked(
    model: ScriptedModel, catalog: Catalog, second: str
) -> None:
    model.enqueue("sql", NAMES, second)
    answer = await ask(model, catalog, WITHOUT)
    assert model.tasks == ["sql", "sql"] and answer["sql"] == NAMES


@pytest.mark.parametrize("draft", [NOBODY, FAILS], ids=["no row", "an error"])
async def test_while_none_has_the_corrector_is_asked_and_its_correction_may_be_the_answer(
    model: ScriptedModel, catalog: Catalog, draft: str
) -> None:
    model.enqueue("sql", draft, "SELECT nix FROM customer").enqueue("link", "customer: name, city")
    model.enqueue("verdict", f"verdict: wrong\n{NAMES}")
    answer = await ask(model, catalog, WITHOUT)
    assert "verdict" in model.tasks and answer["sql"] == NAMES


async def test_rows_of_a_query_with_repaired_joins_do_not_count(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", LACKS_A_JOIN, FAILS).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    answer = await ask(model, catalog, WITHOUT)
    tried = [(each["agent"], each["status"]) for each in answer["candidates"]]
    assert ("complete_joins", "ok") in tried and model.tasks == ["sql", "link", "sql", "verdict"]


async def test_the_published_order_asks_the_corrector_all_the_same(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES, CITIES).enqueue("link", "customer: name, city").enqueue("verdict", "verdict: right")
    await ask(model, catalog, WITHOUT, strategy="paper")
    assert "verdict" in model.tasks
