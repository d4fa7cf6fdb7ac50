"""A resumed run keeps its rights and its approval, whatever it is resumed with."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import DatabaseUnavailable, UnknownDatabase

ALL = "SELECT * FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")
THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVE = {"type": "approve"}
YES = [True, APPROVE, {"decisions": [APPROVE]}]
NO: list[Any] = [
    False, 0, 1, 1.0, "", "no", "yes", "True", "true", "approve", [], [True], [APPROVE], {"approve": True},
    {"approve": False}, {"type": "reject"}, {"type": "Approve"}, {"type": "edit"}, {"type": "approve", "args": {}},
    {"type": ["approve"]}, {"decisions": []}, {"decisions": APPROVE}, {"decisions": [True]},
    {"decisions": [{"type": "reject"}]}, {"decisions": [APPROVE, APPROVE]}, {"decisions": [APPROVE], "more": 1},
    {"decisions": [{"type": "approve", "message": "x"}]}, {"decisions": {"decisions": [APPROVE]}},
]  # fmt: skip


@pytest.mark.parametrize("context", [Context(strategy="single", approve=True), None])
@pytest.mark.parametrize(("answer", "status"), [*((yes, "ok") for yes in YES), *((no, "refused") for no in NO)])
async def test_only_a_clear_yes_runs_the_query(
    model: ScriptedModel, catalog: Catalog, context: Any, answer: object, status: str
) -> None:
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    begun = Context(strategy="single", approve=True)
    await graph.ainvoke(QUESTION, THREAD, context=begun)
    resumed = context or {"strategy": "single"}
    result = await graph.ainvoke(Command(resume=answer), THREAD, context=resumed)
    assert (result["status"], bool(result["rows"])) == (status, status == "ok")


@pytest.mark.parametrize(
    ("given", "columns"),
    [
        (None, ["id", "name"]),
        (Context(strategy="single", allow=("*",)), ["id", "name"]),
        (Context(strategy="single", hide=("customer.name",)), ["id"]),
        (Context(strategy="single", allow=("customer.name",)), ["name"]),
    ],
)
async def test_a_resumed_run_has_the_narrower_of_both_rights(
    model: ScriptedModel, catalog: Catalog, given: Any, columns: list[str]
) -> None:
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    begun = Context(strategy="single", approve=True, allow=("customer",), hide=("customer.city",))
    await graph.ainvoke(QUESTION, THREAD, context=begun)
    result = await graph.ainvoke(Command(resume=True), THREAD, context=given)
    assert result["columns"] == columns


@pytest.mark.parametrize("edited", [False, True, "yes", None, 0])
async def test_only_false_in_an_edited_state_skips_approval(
    model: ScriptedModel, catalog: Catalog, edited: object
) -> None:
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", approve=True))
    choices = (await graph.aget_state(THREAD)).values["choices"]
    await graph.aupdate_state(THREAD, {"choices": {**choices, "approve": edited}}, as_node="generate")
    result = await graph.ainvoke(None, THREAD, version="v2")
    assert bool(result.interrupts) is (edited is not False)


async def test_a_resumed_run_keeps_its_strategy_and_has_the_lower_of_both_limits(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", approve=True, row_limit=2))
    paused = [each async for each in graph.aget_state_history(THREAD)][0]
    shown = []
    for row_limit in (None, 1, 3):
        edited = await graph.aupdate_state(paused.config, {"notes": []}, as_node="generate")
        await graph.ainvoke(None, edited)
        result = await graph.ainvoke(Command(resume=True), THREAD, context=Context(row_limit=row_limit))
        assert [entry["node"] for entry in result["ledger"]] == ["generate"]
        shown.append(len(result["rows"]))
    assert shown == [2, 1, 2]


@pytest.mark.parametrize(
    ("rights", "error"),
    [
        ({"hide": ("email",)}, DatabaseUnavailable),
        ({"hide": ("customer.emial",)}, DatabaseUnavailable),
        ({"allow": ()}, DatabaseUnavailable),
        ({"allow": ("other:customer",)}, UnknownDatabase),
    ],
)
async def test_rights_that_fit_nothing_raise(
    model: ScriptedModel, catalog: Catalog, rights: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await build_graph(model, catalog).ainvoke(QUESTION, context=Context(**rights))


@pytest.mark.parametrize("hide", [" customer.city", "customer . city ", "shop:customer.city", "shop: customer.city"])
async def test_blanks_and_the_databases_name_hide_as_meant(model: ScriptedModel, catalog: Catalog, hide: str) -> None:
    model.enqueue("sql", ALL)
    result = await build_graph(model, catalog).ainvoke(QUESTION, context=Context(strategy="single", hide=(hide,)))
    assert result["columns"] == ["id", "name"]
