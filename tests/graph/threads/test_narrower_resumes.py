"""A run that is resumed with narrower rights: nothing that it found with wider ones is shown."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.threads.narrowing import NARROWER
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

WIDE, NAMES = "SELECT name, city FROM customer", "SELECT name FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")
CLERK = Context(hide=("customer.city",))
THREAD: Any = {"configurable": {"thread_id": "1"}}


def prompts(model: ScriptedModel, first: int) -> str:
    return "\n".join(str(message.content) for _, messages in model.history[first:] for message in messages)


async def test_rows_that_were_read_before_are_not_picked(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", WIDE)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    asked = await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", clarify=True, min_confidence=1.0))
    assert asked["__interrupt__"][0].value["readings"] == [WIDE]
    with pytest.raises(InvalidInput, match="narrower rights than those with which it found the readings"):
        await graph.ainvoke(Command(resume={"reading": WIDE}), THREAD, context=CLERK)
    answer = await graph.ainvoke(Command(resume={"reading": WIDE}), THREAD)
    assert answer["columns"] == ["name", "city"], "with the rights that the run had"


async def test_a_candidate_that_ran_before_is_in_no_answer_prompt_or_state(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", WIDE, NAMES).enqueue("link", "customer(name, city)").enqueue("verdict", "Yes")
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="paper", approve=True))
    paused = await graph.ainvoke(Command(resume=True), THREAD)
    assert paused["__interrupt__"][0].value["approve"] == NAMES
    before = len(model.history)
    answer = await graph.ainvoke(Command(resume=True), THREAD, context=CLERK)
    kept = {**(await graph.aget_state(THREAD)).values, "choices": None, "last_turn": None}
    assert "city" not in f"{answer} {kept}"
    for text in (str(answer), str(kept), prompts(model, before)):
        assert WIDE not in text and "Bergen" not in text
    assert answer["sql"] == NAMES and NARROWER in answer["notes"]


async def test_the_agents_after_a_query_that_failed_are_asked(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", "SELECT nam FROM customer", NAMES).enqueue("link", "customer(name)")
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(approve=True, without=("complete_joins", "correct_noise")))
    paused = await graph.ainvoke(Command(resume=True), THREAD, context=CLERK)
    assert paused["__interrupt__"][0].value["approve"] == NAMES


async def test_a_large_schema_is_cut_again(model: ScriptedModel, catalog: Catalog) -> None:
    """The part that the run has shown before names what is hidden now."""
    model.enqueue("sql", "SELECT nam FROM customer", NAMES).enqueue("link", "customer(name)")
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    context = Context(approve=True, schema_chars=60, without=("complete_joins", "correct_noise", "continue_writing"))
    await graph.ainvoke(QUESTION, THREAD, context=context)
    paused = await graph.ainvoke(Command(resume=True), THREAD, context=CLERK)
    assert paused["__interrupt__"][0].value["approve"] == NAMES
    before, linking, _ = (str(messages[-1].content) for _, messages in model.history)
    shown = [[name for name in ("customer", "product", "sale") if f"{name} (" in text] for text in (before, linking)]
    assert shown == [["customer"], ["customer"]]


async def test_a_resume_without_a_context_keeps_the_narrower_rights(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES, WIDE).enqueue("link", "customer(name)").enqueue("verdict", "Yes")
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="paper", approve=True))
    paused = await graph.ainvoke(Command(resume=True), THREAD, context=CLERK)
    assert paused["__interrupt__"][0].value["approve"] == WIDE
    answer = await graph.ainvoke(Command(resume=True), THREAD)
    assert answer["columns"] == ["name"] and "Bergen" not in str(answer)


async def test_every_old_checkpoint_shows_no_more_than_the_new_rights(model: ScriptedModel, catalog: Catalog) -> None:
    replies = {"sql": WIDE, "link": "customer(name, city)", "verdict": "No", "continuation": ""}
    model.otherwise = lambda task, prompt: replies[task]
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="paper"))
    async for old in graph.aget_state_history(THREAD):
        before = len(model.history)
        try:
            answer = await graph.ainvoke(None, old.config, context=CLERK) if old.next else {}
        except InvalidInput as error:
            assert old.next == ("answer",), "this node alone can do nothing without earlier ones"
            answer = {"error": str(error)}
        assert "Bergen" not in f"{answer} {prompts(model, before)}", old.next


async def test_the_same_rights_again_lose_nothing(model: ScriptedModel, catalog: Catalog) -> None:
    rights: dict[str, Any] = {"allow": ("customer", "sale"), "hide": ("customer.city",)}
    model.enqueue("sql", NAMES, NAMES).enqueue("link", "customer(name)").enqueue("verdict", "Yes")
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="paper", approve=True, **rights))
    answer = await graph.ainvoke(Command(resume=True), THREAD, context=Context(**rights))
    assert len(answer["candidates"]) == 2 and NARROWER not in answer["notes"]
