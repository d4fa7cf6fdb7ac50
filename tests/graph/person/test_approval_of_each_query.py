"""A person approves each query that is run, also a translated one and one that is run again."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.executing import NOT_APPROVED
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

QUESTION = Question(question="Which names are there?", database="shop")
SINGLE = Context(strategy="single")
APPROVING = Context(strategy="single", approve=True)
THREAD: Any = {"configurable": {"thread_id": "1"}}
REJECT = {"type": "reject"}
FOREIGN = "SELECT `full name` FROM customer"
OWN = 'SELECT "full name" FROM customer'


def asked_for(result: Any) -> list[str]:
    return [each.value["approve"] for each in result.interrupts]


async def paused(model: ScriptedModel, catalog: Catalog, sql: str) -> tuple[Any, Any]:
    model.enqueue("sql", sql)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    return graph, await graph.ainvoke(QUESTION, THREAD, context=APPROVING, version="v2")


async def test_a_rejected_query_is_not_translated(model: ScriptedModel, ducks: Catalog) -> None:
    graph, first = await paused(model, ducks, FOREIGN)
    assert asked_for(first) == [FOREIGN]
    result = await graph.ainvoke(Command(resume=REJECT), THREAD, context=APPROVING, version="v2")
    assert not result.interrupts
    assert (result.value["status"], result.value["error"], result.value["rows"]) == ("refused", NOT_APPROVED, [])


@pytest.mark.parametrize("by_id", [False, True])
@pytest.mark.parametrize(("answer", "rows"), [(True, [["Ida"]]), (REJECT, [])])
async def test_an_approved_query_does_not_approve_its_translation(
    model: ScriptedModel, ducks: Catalog, answer: object, rows: list[Any], by_id: bool
) -> None:
    graph, first = await paused(model, ducks, FOREIGN)
    yes: Any = {first.interrupts[0].id: True} if by_id else True
    second = await graph.ainvoke(Command(resume=yes), THREAD, context=APPROVING, version="v2")
    assert asked_for(second) == [OWN] and not second.value["rows"]
    then: Any = {second.interrupts[0].id: answer} if by_id else answer
    last = await graph.ainvoke(Command(resume=then), THREAD, context=SINGLE, version="v2")
    assert last.value["rows"] == rows and not last.interrupts


@pytest.mark.parametrize("approved", [True, REJECT])
async def test_a_run_from_an_earlier_checkpoint_asks_again(
    model: ScriptedModel, catalog: Catalog, approved: object
) -> None:
    graph, _ = await paused(model, catalog, "SELECT * FROM customer")
    await graph.ainvoke(Command(resume=approved), THREAD, context=APPROVING)
    before = [each async for each in graph.aget_state_history(THREAD) if each.next == ("execute",)]
    again = await graph.ainvoke(None, before[-1].config, context=None, version="v2")
    assert asked_for(again) == ["SELECT * FROM customer"] and not again.value["rows"]


async def test_a_run_from_an_earlier_checkpoint_keeps_its_rights(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", "SELECT * FROM customer", "SELECT * FROM customer")
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    clerk = Context(strategy="single", hide=("customer.city",))
    await graph.ainvoke(QUESTION, THREAD, context=clerk)
    history = [each async for each in graph.aget_state_history(THREAD)]
    for node in ("execute", "generate"):
        before = next(each for each in history if each.next == (node,))
        answer = await graph.ainvoke(None, before.config, context=SINGLE)
        assert answer["columns"] == ["id", "name"]
    assert "city" not in "".join(str(messages[-1].content) for _, messages in model.history)
