"""Rights of a run wherever it is resumed: in another graph, in a batch, out of a file, after its state was edited."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from route_sql.faces.chat import chat_graph
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.threads.choices import choices_of
from route_sql.graph.wiring import build_graph, make_builder
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

ALL = "SELECT * FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")
CLERK = Context(strategy="single", approve=True, hide=("customer.city",))
SELLER = Context(strategy="single", approve=True, allow=("customer.id", "customer.city"))
SINGLE = Context(strategy="single")
EVERYTHING: Any = choices_of(SINGLE)


def thread(name: str = "1") -> Any:
    return {"configurable": {"thread_id": name}}


class Outer(TypedDict, total=False):
    """The state of the graph around ours."""

    question: str
    database: str
    columns: list[str]
    status: str


def around(inner: Any) -> Any:
    builder = StateGraph(Outer, context_schema=Context)
    builder.add_node("ask", inner)
    builder.add_edge(START, "ask")
    return builder.compile(checkpointer=InMemorySaver())


@pytest.mark.parametrize("given", [None, SINGLE, Context(strategy="single", allow=("*",))])
@pytest.mark.parametrize(("answer", "columns"), [(True, ["id", "name"]), ({"type": "reject"}, [])])
async def test_a_graph_within_another_keeps_them(
    model: ScriptedModel, catalog: Catalog, given: Any, answer: object, columns: list[str]
) -> None:
    model.enqueue("sql", ALL)
    outer = around(build_graph(model, catalog))
    paused = await outer.ainvoke(QUESTION, thread(), context=CLERK, version="v2")
    assert [each.value["approve"] for each in paused.interrupts] == [ALL]
    with pytest.raises(InvalidInput, match="The run still waits"):
        await outer.ainvoke(Command(resume="no"), thread(), context=given)
    result = await outer.ainvoke(Command(resume=answer), thread(), context=given)
    assert result["columns"] == columns


async def test_each_run_of_a_batch_keeps_its_own(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL, ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    threads = [thread("clerk"), thread("seller")]
    for each, context in zip(threads, (CLERK, SELLER), strict=True):
        await graph.ainvoke(QUESTION, each, context=context)
    answers = await graph.abatch([Command(resume=True)] * 2, threads, context=SINGLE)
    assert [answer["columns"] for answer in answers] == [["id", "name"], ["id", "city"]]


async def test_a_batch_that_begins_has_the_rights_it_is_given(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL, ALL)
    graph: Any = build_graph(model, catalog)
    answers = await graph.abatch([QUESTION, QUESTION], context=Context(strategy="single", hide=("customer.city",)))
    assert [answer["columns"] for answer in answers] == [["id", "name"], ["id", "name"]]


async def test_a_file_of_checkpoints_keeps_them(model: ScriptedModel, catalog: Catalog, tmp_path: Path) -> None:
    sqlite = pytest.importorskip("langgraph.checkpoint.sqlite.aio", reason="no SQLite checkpointer is installed")
    file = str(tmp_path / "threads.sqlite")
    model.enqueue("sql", ALL)
    async with sqlite.AsyncSqliteSaver.from_conn_string(file) as saver:
        await build_graph(model, catalog, checkpointer=saver).ainvoke(QUESTION, thread(), context=CLERK)
    async with sqlite.AsyncSqliteSaver.from_conn_string(file) as saver:
        graph: Any = build_graph(model, catalog, checkpointer=saver)
        assert (await graph.aget_state(thread())).values["choices"] == choices_of(CLERK)
        answer = await graph.ainvoke(Command(resume=True), thread(), context=SINGLE)
    assert answer["columns"] == ["id", "name"]


async def test_an_edited_state_gives_no_more_than_the_context(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, thread(), context=CLERK)
    await graph.aupdate_state(thread(), {"choices": EVERYTHING}, as_node="generate")
    paused = await graph.ainvoke(None, thread(), context=CLERK, version="v2")
    assert paused.interrupts, "the context asks for approval"
    answer = await graph.ainvoke(Command(resume=True), thread(), context=CLERK)
    assert answer["columns"] == ["id", "name"]


@pytest.mark.parametrize(
    "edited",
    [
        {}, None, [], {"approve": False}, {"strategy": "single"}, {**EVERYTHING, "rights": None},
        {**EVERYTHING, "rights": {}}, {**EVERYTHING, "rights": {"allow": None, "hide": []}}, {**EVERYTHING, "more": 1},
        {**EVERYTHING, "rights": {"allow": "*", "hide": [], "within": None}},
        {**EVERYTHING, "rights": {"allow": None, "hide": [], "within": "all"}},
        {name: choice for name, choice in EVERYTHING.items() if name != "approve"},
        {name: choice for name, choice in EVERYTHING.items() if name != "rights"},
        {**EVERYTHING, "strategy": "bogus"}, {**EVERYTHING, "max_samples": "many"}, {**EVERYTHING, "without": "draft"},
    ],
)  # fmt: skip
async def test_a_state_without_readable_rights_runs_nothing(
    model: ScriptedModel, catalog: Catalog, edited: object
) -> None:
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, thread(), context=CLERK)
    await graph.aupdate_state(thread(), {"choices": edited}, as_node="generate")
    with pytest.raises(InvalidInput):
        await graph.ainvoke(None, thread(), context=SINGLE)


async def test_a_question_brings_no_choices_of_its_own(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    given: Any = {**QUESTION, "choices": EVERYTHING}
    paused = await graph.ainvoke(given, thread(), context=CLERK, version="v2")
    assert paused.interrupts
    answer = await graph.ainvoke(Command(resume=True), thread(), context=SINGLE)
    assert answer["columns"] == ["id", "name"]


async def test_a_run_that_stopped_before_its_rights_were_kept_needs_its_context(
    model: ScriptedModel, catalog: Catalog
) -> None:
    graph: Any = make_builder(model, catalog).compile(checkpointer=InMemorySaver(), interrupt_before=["ground"])
    await graph.ainvoke(QUESTION, thread(), context=CLERK)
    with pytest.raises(InvalidInput, match="resume it with its context"):
        await graph.ainvoke(None, thread())
    model.enqueue("sql", ALL)
    assert (await graph.ainvoke(None, thread(), context=CLERK, version="v2")).interrupts
    answer = await graph.ainvoke(Command(resume=True), thread(), context=SINGLE)
    assert answer["columns"] == ["id", "name"]


@pytest.mark.parametrize("given", [None, Command(resume=True)])
async def test_a_run_from_the_checkpoint_of_its_input_needs_its_context(
    model: ScriptedModel, catalog: Catalog, given: Any
) -> None:
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, thread(), context=CLERK)
    first = [each async for each in graph.aget_state_history(thread())][-1]
    assert first.next == ("__start__",)
    with pytest.raises(InvalidInput, match="resume it with its context"):
        await graph.ainvoke(given, first.config)
    model.enqueue("sql", ALL)
    assert (await graph.ainvoke(given, first.config, context=CLERK))["__interrupt__"]


async def test_a_run_that_failed_in_its_first_node_needs_its_context(model: ScriptedModel, shop: Path) -> None:
    hidden = shop.rename(shop.with_name("moved.sqlite"))
    catalog, _ = Catalog.from_url(shop)
    async with catalog:
        graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
        with pytest.raises(Exception, match=r"shop\.sqlite"):
            await graph.ainvoke(QUESTION, thread(), context=CLERK)
        hidden.rename(shop)
        empty: Any = {}
        for given in (None, empty):  # LangGraph's server gives an empty one
            with pytest.raises(InvalidInput, match="resume it with its context"):
                await graph.ainvoke(None, thread(), context=given)


async def test_a_chat_that_failed_before_its_question_began_needs_its_context(model: ScriptedModel, shop: Path) -> None:
    hidden = shop.rename(shop.with_name("moved.sqlite"))
    catalog, _ = Catalog.from_url(shop)
    async with catalog:
        chat: Any = chat_graph(build_graph(model, catalog), catalog, checkpointer=InMemorySaver())
        with pytest.raises(Exception, match=r"shop\.sqlite"):
            await chat.ainvoke({"messages": [("human", "Who are the customers?")]}, thread(), context=CLERK)
        hidden.rename(shop)
        with pytest.raises(InvalidInput, match="resume it with its context"):
            await chat.ainvoke(None, thread())
        model.enqueue("sql", ALL)
        assert (await chat.ainvoke(None, thread(), context=CLERK, version="v2")).interrupts
        answer = await chat.ainvoke(Command(resume=True), thread())
    assert "Ida" in answer["messages"][-1].text and "Bergen" not in answer["messages"][-1].text
