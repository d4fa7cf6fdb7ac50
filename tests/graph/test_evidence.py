"""The evidence of a question: in all its prompts, and in no other question's."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph, make_builder
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
EVIDENCE = "with 'there' bergen is meant"
QUESTION = Question(question="Who lives there?", database="shop", evidence=EVIDENCE)
BARE = Question(question="Who lives there?", database="shop")
SINGLE = Context(strategy="single")
THREAD: Any = {"configurable": {"thread_id": "1"}}


def prompts(model: ScriptedModel) -> list[str]:
    return [str(messages[-1].content) for _, messages in model.history]


async def test_a_run_that_was_abandoned_leaves_no_evidence_to_the_next_question(
    model: ScriptedModel, catalog: Catalog
) -> None:
    graph = build_graph(model, catalog, checkpointer=InMemorySaver())
    model.enqueue("sql", NAMES, NAMES)
    context = Context(strategy="single", approve=True)
    assert (await graph.ainvoke(QUESTION, THREAD, context=context, version="v2")).interrupts
    await graph.ainvoke(BARE, THREAD, context=SINGLE)
    first, second = prompts(model)
    assert f"Evidence: {EVIDENCE}" in first
    assert "Evidence" not in second


async def test_a_run_that_stopped_before_its_first_node_leaves_none_either(
    model: ScriptedModel, catalog: Catalog
) -> None:
    graph = make_builder(model, catalog).compile(checkpointer=InMemorySaver(), interrupt_before=["ground"])
    model.enqueue("sql", NAMES, NAMES)
    await graph.ainvoke(QUESTION, THREAD, context=SINGLE)
    await graph.ainvoke(None, THREAD, context=SINGLE)
    await graph.ainvoke(QUESTION, THREAD, context=SINGLE)
    await graph.ainvoke(BARE, THREAD, context=SINGLE)
    await graph.ainvoke(None, THREAD, context=SINGLE)
    assert [f"Evidence: {EVIDENCE}" in text for text in prompts(model)] == [True, False]


async def test_every_agent_is_told_the_evidence_after_a_pause_too(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES, "SELECT name FROM customer").enqueue("link", "{}").enqueue("verdict", "verdict: right")
    graph = build_graph(model, catalog, checkpointer=InMemorySaver())
    context = Context(strategy="paper", approve=True)
    paused = await graph.ainvoke(QUESTION, THREAD, context=context, version="v2")
    while paused.interrupts:
        paused = await graph.ainvoke(Command(resume=True), THREAD, context=context, version="v2")
    assert len(model.history) == 4
    assert all(f"Evidence: {EVIDENCE}" in text for text in prompts(model))


async def test_no_cells_are_looked_for_in_the_evidence(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES)
    await build_graph(model, catalog).ainvoke(QUESTION, context=SINGLE)
    assert f"Evidence: {EVIDENCE}" in prompts(model)[0] and "NOTES" not in prompts(model)[0]


async def test_a_large_schema_is_cut_by_the_evidence_too(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES, NAMES)
    graph = build_graph(model, catalog)
    context = Context(strategy="single", schema_chars=60)
    await graph.ainvoke(BARE, context=context)
    await graph.ainvoke({**BARE, "evidence": "things are products, and their price tells"}, context=context)
    assert ["product (" in text for text in prompts(model)] == [False, True]


async def test_of_what_is_left_the_evidence_says_which_table_keeps_its_samples(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", NAMES, NAMES)
    graph = build_graph(model, catalog)
    context = Context(strategy="single", schema_chars=280)
    await graph.ainvoke(BARE, context=context)
    await graph.ainvoke({**BARE, "evidence": "things are products, and their price tells"}, context=context)
    assert [("product (" in text, "'lamp'" in text) for text in prompts(model)] == [(True, False), (True, True)]


async def test_evidence_that_is_null_is_none(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES)
    question: Any = {**BARE, "evidence": None}
    await build_graph(model, catalog).ainvoke(question, context=SINGLE)
    assert "Evidence" not in prompts(model)[0]
