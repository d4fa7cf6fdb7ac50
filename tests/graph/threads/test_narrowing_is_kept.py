"""Narrower rights and limits of a resume last, even if the resumed step ends without an update of the state."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.fields.proposals import Proposal
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph, make_builder
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

OTHER_DIALECT, TRANSLATED = "SELECT `full name`, id FROM customer", 'SELECT "full name", id FROM customer'
ALL, NAMES = "SELECT * FROM customer", "SELECT name FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")
CLERK, DUCK_CLERK = Context(hide=("customer.city",)), Context(hide=("customer.id",))
SINGLE, ASKED = Context(strategy="single"), Context(strategy="single", approve=True)
THREAD: Any = {"configurable": {"thread_id": "1"}}


class Around(Question, Answer, total=False):
    """The state of a graph around ours."""


def itself(model: ScriptedModel, catalog: Catalog) -> Any:
    return build_graph(model, catalog, checkpointer=InMemorySaver())


def in_another(model: ScriptedModel, catalog: Catalog) -> Any:
    builder = StateGraph(Around, context_schema=Context)
    builder.add_node("ask", build_graph(model, catalog))
    builder.add_edge(START, "ask")
    return builder.compile(checkpointer=InMemorySaver())


def called_in_another(model: ScriptedModel, catalog: Catalog) -> Any:
    inner = build_graph(model, catalog)

    async def ask(state: Question) -> Any:
        return await inner.ainvoke(state)

    builder = StateGraph(Around, context_schema=Context)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    return builder.compile(checkpointer=InMemorySaver())


@pytest.fixture
async def saver(tmp_path: Path) -> AsyncIterator[Any]:
    sqlite = pytest.importorskip("langgraph.checkpoint.sqlite.aio", reason="no SQLite checkpointer is installed")
    async with sqlite.AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as opened:
        yield opened


@pytest.mark.parametrize("make", [itself, in_another, called_in_another])
@pytest.mark.parametrize("durability", ["sync", "exit"])
async def test_a_second_query_of_the_step(model: ScriptedModel, ducks: Catalog, make: Any, durability: Any) -> None:
    model.enqueue("sql", OTHER_DIALECT)
    graph = make(model, ducks)
    await graph.ainvoke(QUESTION, THREAD, context=ASKED, durability=durability)
    paused = await graph.ainvoke(Command(resume=True), THREAD, context=DUCK_CLERK, durability=durability)
    assert paused["__interrupt__"][0].value["approve"] == TRANSLATED
    answer = await graph.ainvoke(Command(resume=True), THREAD, durability=durability)
    assert answer["status"] == "refused" and "Ida" not in str(answer)


@pytest.mark.parametrize("second", [None, Context(row_limit=1, deadline=60.0)])
async def test_limits_of_a_second_query_of_the_step(model: ScriptedModel, ducks: Catalog, second: Any) -> None:
    model.enqueue("sql", f"{OTHER_DIALECT}, range(5)")
    graph = itself(model, ducks)
    await graph.ainvoke(QUESTION, THREAD, context=ASKED)
    await graph.ainvoke(Command(resume=True), THREAD, context=Context(row_limit=2, deadline=2.0))
    answer = await graph.ainvoke(Command(resume=True), THREAD, context=second)
    choices = (await graph.aget_state(THREAD)).values["choices"]
    assert (len(answer["rows"]), answer["row_count"]) == (1 if second else 2, 5)
    assert choices["deadline"] == 2.0, "the lower one counts"


async def test_limits_of_a_later_step(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES, ALL).enqueue("link", "customer(name, city)").enqueue("verdict", "Yes")
    graph = itself(model, catalog)
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="paper", approve=True))
    await graph.ainvoke(Command(resume=True), THREAD, context=Context(row_limit=2, deadline=2.0))
    answer = await graph.ainvoke(Command(resume=True), THREAD)
    assert (len(answer["rows"]), len(answer["candidates"])) == (2, 2)
    assert (await graph.aget_state(THREAD)).values["choices"]["deadline"] == 2.0


async def test_a_file_of_checkpoints(model: ScriptedModel, ducks: Catalog, saver: Any) -> None:
    model.enqueue("sql", OTHER_DIALECT)
    graph: Any = build_graph(model, ducks, checkpointer=saver)
    await graph.ainvoke(QUESTION, THREAD, context=ASKED)
    await graph.ainvoke(Command(resume=True), THREAD, context=DUCK_CLERK)
    await graph.ainvoke(Command(resume=True), THREAD, context=Context(allow=("customer",)))
    answer = await build_graph(model, ducks, checkpointer=saver).ainvoke(Command(resume=True), THREAD)
    assert answer["status"] == "refused" and "Ida" not in str(answer)


def test_calls_without_an_event_loop(model: ScriptedModel, shop: Path) -> None:
    model.enqueue("sql", NAMES)
    catalog, _ = Catalog.from_url(shop)
    with catalog:
        graph: Any = make_builder(model, catalog).compile(checkpointer=InMemorySaver(), interrupt_before=["execute"])
        graph.invoke(QUESTION, THREAD, context=SINGLE)
        graph.invoke(None, THREAD, context=ASKED)
        assert graph.invoke(Command(resume={"type": "reject"}), THREAD)["status"] == "refused"


async def test_a_rejected_query_does_not_run(model: ScriptedModel, catalog: Catalog) -> None:
    """Approval was asked for by the resume alone."""
    model.enqueue("sql", ALL)
    graph: Any = make_builder(model, catalog).compile(checkpointer=InMemorySaver(), interrupt_before=["execute"])
    await graph.ainvoke(QUESTION, THREAD, context=SINGLE)
    assert "__interrupt__" in await graph.ainvoke(None, THREAD, context=ASKED)
    assert "__interrupt__" in await graph.ainvoke(None, THREAD), "it still waits"
    answer = await graph.ainvoke(Command(resume={"type": "reject"}), THREAD)
    assert answer["status"] == "refused" and answer["rows"] == []


async def test_a_step_that_fails(model: ScriptedModel, shop: Path) -> None:
    model.enqueue("sql", ALL)
    catalog, _ = Catalog.from_url(shop)
    async with catalog:
        graph = itself(model, catalog)
        await graph.ainvoke(QUESTION, THREAD, context=ASKED)
        moved = shop.rename(shop.with_name("moved.sqlite"))
        with pytest.raises(Exception, match=r"shop\.sqlite"):
            await graph.ainvoke(Command(resume=True), THREAD, context=CLERK)
        moved.rename(shop)
        answer = await graph.ainvoke(None, THREAD)
    assert answer["columns"] == ["id", "name"], "the approval lasts, and so do the rights that came with it"


@pytest.mark.parametrize("edit", ["update_state", "fork"])
async def test_an_edit_of_the_state_and_a_fork(model: ScriptedModel, ducks: Catalog, edit: str) -> None:
    model.enqueue("sql", OTHER_DIALECT)
    graph = itself(model, ducks)
    await graph.ainvoke(QUESTION, THREAD, context=ASKED)
    config: Any = (await graph.aget_state(THREAD)).config
    await graph.ainvoke(Command(resume=True), THREAD, context=DUCK_CLERK)
    if edit == "update_state":
        edited = {"proposal": Proposal(agent="generate", sql=TRANSLATED, scores=None)}
        config = await graph.aupdate_state(THREAD, edited, as_node="generate")
    await graph.ainvoke(None, config)
    await graph.ainvoke(Command(resume=True), THREAD)
    answer = await graph.ainvoke(Command(resume=True), THREAD)
    assert "Ida" not in str(answer)


async def test_agents_side_by_side(model: ScriptedModel, catalog: Catalog) -> None:
    paper = Context(strategy="paper")
    model.enqueue("sql", NAMES, ALL).enqueue("link", "customer(name, city)").enqueue("verdict", "Yes")
    breakpoints = ["link_schema", "execute"]
    graph: Any = make_builder(model, catalog).compile(checkpointer=InMemorySaver(), interrupt_before=breakpoints)
    await graph.ainvoke(QUESTION, THREAD, context=paper)
    await graph.ainvoke(None, THREAD, context=CLERK)
    assert (await graph.aget_state(THREAD)).values["choices"]["rights"]["hide"] == ["customer.city"]
    while (await graph.aget_state(THREAD)).next:
        answer = await graph.ainvoke(None, THREAD)
    assert len(answer["candidates"]) == 2 and "Bergen" not in str(answer)


async def test_one_of_two_agents_fails(model: ScriptedModel, catalog: Catalog) -> None:
    """The other one has ended, and LangGraph keeps what it has written, but not for the one that runs again."""
    model.otherwise = lambda task, prompt: {"sql": NAMES}[task]
    graph: Any = make_builder(model, catalog).compile(
        checkpointer=InMemorySaver(), interrupt_before=["link_schema", "execute"]
    )
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="paper", without=("generate",)))
    with pytest.raises(KeyError, match="link"):
        await graph.ainvoke(None, THREAD, context=CLERK)
    model.otherwise = lambda task, prompt: {"sql": NAMES, "link": "customer(name)"}[task]
    before = len(model.history)
    await graph.ainvoke(None, THREAD)
    assert "Bergen" not in str(model.history[before:]), "a sample of a hidden column"
    state = (await graph.aget_state(THREAD)).values
    assert state["choices"]["rights"]["hide"] == ["customer.city"] and state["proposal"]["sql"] == NAMES


async def test_a_resume_that_is_refused_narrows_nothing(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL)
    graph: Any = make_builder(model, catalog).compile(checkpointer=InMemorySaver(), interrupt_before=["answer"])
    await graph.ainvoke(QUESTION, THREAD, context=SINGLE)
    with pytest.raises(InvalidInput, match="narrower rights"):
        await graph.ainvoke(None, THREAD, context=CLERK)
    assert (await graph.ainvoke(None, THREAD))["columns"] == ["id", "name", "city"]
