"""Our graph within another one, with that graph's context: who calls it keeps its rights, and never gets more."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from route_sql.graph.context import Context
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

ALL = "SELECT * FROM customer"
QUESTION = {"question": "Who are the customers?", "database": "shop"}
CLERK = Context(strategy="single", hide=("customer.city",))
PLAIN = {"strategy": "single", "hide": ["customer.city"]}


class Outer(TypedDict, total=False):
    """The state of the graph around ours."""

    question: str
    database: str
    columns: list[str]


@dataclass
class House:
    """A context of somebody else's that holds ours."""

    user: str = "ida"
    route_sql: Any = field(default_factory=lambda: CLERK)


@dataclass
class Stranger:
    """A context of somebody else's that knows nothing of us."""

    hide: tuple[str, ...] = ("customer.city",)


def as_a_node(inner: Any, context_schema: Any) -> Any:
    builder = StateGraph(Outer, context_schema=context_schema)
    builder.add_node("ask", inner)
    builder.add_edge(START, "ask")
    return builder.compile()


def called_in_a_node(inner: Any, context_schema: Any) -> Any:
    async def ask(state: Outer) -> Outer:
        return Outer(columns=(await inner.ainvoke(QUESTION))["columns"])

    return as_a_node(ask, context_schema)


def called_on_a_thread(inner: Any, context_schema: Any) -> Any:
    async def ask(state: Outer) -> Outer:
        return Outer(columns=(await inner.ainvoke(QUESTION, {"configurable": {"thread_id": "own"}}))["columns"])

    return as_a_node(ask, context_schema)


def called_without_a_loop(inner: Any, context_schema: Any) -> Any:
    def ask(state: Outer) -> Outer:
        return Outer(columns=inner.invoke(QUESTION, {"configurable": {"thread_id": "own"}})["columns"])

    return as_a_node(ask, context_schema)


Around = Callable[[Any, Any], Any]
WAYS = pytest.mark.parametrize("around", [as_a_node, called_in_a_node, called_on_a_thread, called_without_a_loop])


@WAYS
@pytest.mark.parametrize(
    ("schema", "context"),
    [
        (House, House()),
        (House, {"user": "una"}),
        (House, House(route_sql=PLAIN)),
        (Context, CLERK),
        (None, CLERK),
        (None, PLAIN),
        (None, {"user": "ida", "route_sql": CLERK}),
        (None, {"user": "ida", "route_sql": PLAIN}),
    ],
)
async def test_what_the_context_around_it_says_to_us_holds(
    model: ScriptedModel, catalog: Catalog, around: Around, schema: Any, context: Any
) -> None:
    model.enqueue("sql", ALL)
    answer = await around(build_graph(model, catalog), schema).ainvoke(QUESTION, context=context)
    assert answer["columns"] == ["id", "name"]
    assert "city" not in str(model.history[0][1][-1].content)


@WAYS
@pytest.mark.parametrize(("schema", "context"), [(None, None), (House, None), (House, House(route_sql=None))])
async def test_no_context_is_the_defaults(
    model: ScriptedModel, catalog: Catalog, around: Around, schema: Any, context: Any
) -> None:
    model.enqueue("sql", ALL, ALL)
    answer = await around(build_graph(model, catalog), schema).ainvoke(QUESTION, context=context)
    assert answer["columns"] == ["id", "name", "city"]


@WAYS
@pytest.mark.parametrize(
    ("schema", "context", "said"),
    [
        (Stranger, Stranger(), "the context Stranger is not one of route-sql's. Give it a route_sql that holds"),
        (None, {"user": "ida", "hide": ["customer.city"]}, "the context dict with user is not one"),
        (None, {"route_sql": {"hid": ["customer.city"]}}, "with hid is not one"),
        (None, {"route_sql": {"hide": "customer.city"}}, "hide in the context must be a list of names"),
        (House, House(route_sql="clerk"), "the context str is not one"),
    ],
)
async def test_a_context_that_says_nothing_to_us_is_refused(
    model: ScriptedModel, catalog: Catalog, around: Around, schema: Any, context: Any, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        await around(build_graph(model, catalog), schema).ainvoke(QUESTION, context=context)
    assert model.history == []


async def test_a_context_that_a_node_gives_is_above_the_one_around_it(model: ScriptedModel, catalog: Catalog) -> None:
    inner: Any = build_graph(model, catalog)

    async def ask(state: Outer) -> Outer:
        return Outer(columns=(await inner.ainvoke(QUESTION, context=CLERK))["columns"])

    model.enqueue("sql", ALL)
    answer = await as_a_node(ask, Stranger).ainvoke(QUESTION, context=Stranger())
    assert answer["columns"] == ["id", "name"]


async def test_a_query_is_approved_on_a_thread_of_its_own(model: ScriptedModel, catalog: Catalog) -> None:
    inner: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    own: Any = {"configurable": {"thread_id": "own"}}

    async def ask(state: Outer) -> Outer:
        return Outer(columns=[each.value["approve"] for each in (await inner.ainvoke(QUESTION, own))["__interrupt__"]])

    model.enqueue("sql", ALL)
    around = as_a_node(ask, Context)
    answer = await around.ainvoke(QUESTION, context=Context(strategy="single", approve=True))
    assert answer["columns"] == [ALL]
    assert (await inner.ainvoke(Command(resume=True), own))["columns"] == ["id", "name", "city"]


def asking_twice(inner: Any, saver: Any = None) -> Any:
    builder = StateGraph(Outer, context_schema=Context)
    builder.add_node("first", inner)
    builder.add_node("second", inner)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    return builder.compile(checkpointer=saver or InMemorySaver())


CAREFUL = Context(strategy="single", approve=True, hide=("customer.city",))
THREAD: Any = {"configurable": {"thread_id": "1"}}


async def test_a_new_question_after_a_resume_without_the_context_is_refused(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", ALL, ALL)
    outer = asking_twice(build_graph(model, catalog))
    await outer.ainvoke(QUESTION, THREAD, context=CAREFUL)
    with pytest.raises(InvalidInput, match="graph was resumed without it"):
        await outer.ainvoke(Command(resume=True), THREAD)
    paused = await outer.ainvoke(None, THREAD, context=CAREFUL, version="v2")
    assert [each.value["approve"] for each in paused.interrupts] == [ALL]
    assert (await outer.ainvoke(Command(resume=True), THREAD, context=CAREFUL))["columns"] == ["id", "name"]


def test_nor_is_it_answered_where_the_checkpointer_can_not_be_awaited(
    model: ScriptedModel, catalog: Catalog, tmp_path: Path
) -> None:
    sqlite = pytest.importorskip("langgraph.checkpoint.sqlite", reason="no SQLite checkpointer is installed")
    model.enqueue("sql", ALL)
    with sqlite.SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        outer = asking_twice(build_graph(model, catalog), saver)
        outer.invoke(QUESTION, THREAD, context=CAREFUL)
        with pytest.raises(InvalidInput, match="graph was resumed without it"):
            outer.invoke(Command(resume=True), THREAD)


@pytest.mark.parametrize(("begun", "resumed", "calls"), [(None, None, 4), (CAREFUL, Context(strategy="single"), 2)])
async def test_a_graph_without_a_context_or_with_a_given_one_answers(
    model: ScriptedModel, catalog: Catalog, begun: Any, resumed: Any, calls: int
) -> None:
    def wait(state: Outer) -> Outer:
        interrupt("May I?")
        return Outer()

    builder: Any = StateGraph(Outer, context_schema=Context)
    for name, node in {
        "first": build_graph(model, catalog),
        "wait": wait,
        "second": build_graph(model, catalog),
    }.items():
        builder.add_node(name, node)
    builder.add_edge(START, "first")
    builder.add_edge("first", "wait")
    builder.add_edge("wait", "second")
    outer: Any = builder.compile(checkpointer=InMemorySaver())
    model.enqueue("sql", *[ALL] * calls)
    paused = await outer.ainvoke(QUESTION, THREAD, context=begun, version="v2")
    while paused.interrupts:
        paused = await outer.ainvoke(Command(resume=True), THREAD, context=resumed, version="v2")
    assert paused.value["columns"] == ["id", "name", "city"]
