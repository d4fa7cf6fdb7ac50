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
from route_sql.tools.errors import DatabaseUnavailable, InvalidInput, UnknownDatabase

ALL = "SELECT * FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")
THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVE = {"type": "approve"}
REJECT = {"type": "reject"}
BLANK = {"sql": None, "reason": ""}
APPROVING = Context(strategy="single", approve=True)
YES = [True, APPROVE, {**APPROVE, **BLANK}, {"decisions": [APPROVE]}]
NO = [
    REJECT, {**REJECT, **BLANK}, {**REJECT, "reason": "too many"}, {"decisions": [REJECT]},
    {"decisions": [{**REJECT, "message": "too many"}]},
]  # fmt: skip
WRONG: list[Any] = [
    False, 0, 1, 1.0, "", "no", "yes", "True", "true", "approve", [], [True], [APPROVE], {"approve": True},
    {"approve": False}, {"type": "Approve"}, {"type": "respond"}, {"type": None}, {"type": True},
    {"type": "edit"}, {"type": "edit", "sql": " "}, {"type": "edit", "sql": 1}, {"type": "edit", "sql": [ALL]},
    {"type": "edit", "sql": ALL, "reason": "better"}, {"type": "edit", "sql": ALL, "database": "other"},
    {"sql": ALL}, {**APPROVE, "sql": ALL}, {**APPROVE, "reason": "fine"}, {**REJECT, "sql": ALL}, {**REJECT, "why": ""},
    {**REJECT, "message": "too many"}, {**APPROVE, "args": {}}, {"type": ["approve"]}, {"decisions": []},
    {"decisions": APPROVE}, {"decisions": [True]}, {"decisions": [APPROVE, APPROVE]}, {"decisions": [APPROVE, REJECT]},
    {"decisions": [APPROVE], "more": 1}, {"decisions": [{**APPROVE, "message": "x"}]},
    {"decisions": {"decisions": [APPROVE]}}, {"decisions": [{"decisions": [APPROVE]}]},
    {"decisions": [{"type": "edit"}]},
    {"decisions": [{"type": "edit", "edited_action": {"name": "q", "args": {"sql": ALL, "database": "other"}}}]},
    {"decisions": [{"type": "edit", "edited_action": {"name": "q", "args": {}}}]}, {"decisions": [{"type": "respond"}]},
]  # fmt: skip


@pytest.mark.parametrize("context", [APPROVING, None])
@pytest.mark.parametrize(("answer", "status"), [*((yes, "ok") for yes in YES), *((no, "refused") for no in NO)])
async def test_only_a_clear_yes_runs_the_query(
    model: ScriptedModel, catalog: Catalog, context: Any, answer: object, status: str
) -> None:
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=APPROVING)
    resumed = context or {"strategy": "single"}
    result = await graph.ainvoke(Command(resume=answer), THREAD, context=resumed)
    assert (result["status"], bool(result["rows"])) == (status, status == "ok")


@pytest.mark.parametrize("by_id", [False, True])
async def test_any_other_answer_is_refused_with_the_forms_and_the_run_waits(
    model: ScriptedModel, catalog: Catalog, by_id: bool
) -> None:
    for number, answer in enumerate(WRONG):
        model.enqueue("sql", ALL)
        thread: Any = {"configurable": {"thread_id": str(number)}}
        graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
        waiting = (await graph.ainvoke(QUESTION, thread, context=APPROVING, version="v2")).interrupts
        for _ in range(2):
            with pytest.raises(InvalidInput, match=r"'type': 'edit', 'sql': .* The run still waits"):
                await graph.ainvoke(Command(resume={waiting[0].id: answer} if by_id else answer), thread)
            kept = await graph.aget_state(thread)
            assert (kept.next, kept.interrupts) == (("execute",), waiting), answer
            assert not kept.values["attempts"]
        result = await graph.ainvoke(Command(resume={waiting[0].id: True} if by_id else True), thread)
        assert (result["status"], len(result["candidates"])) == ("ok", 1)


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
