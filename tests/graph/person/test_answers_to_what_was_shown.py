"""A person's answer counts only for the query that was shown, also where one node asks several questions."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from route_sql.graph.context import Context
from route_sql.graph.extensions.audit import AuditEntry
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

APPROVING = Context(strategy="single", approve=True)
THREAD: Any = {"configurable": {"thread_id": "1"}}
QUESTIONS = [Question(question=f"Who is customer number {each}?", database="shop") for each in (1, 2, 3)]
REJECT = {"type": "reject"}


class Outer(TypedDict, total=False):
    """The state of the graph around ours."""

    sql: list[str]
    seen: bool


Asking = Callable[[Any], Awaitable[list[Any]]]


def query_of(number: int) -> str:
    return f"SELECT name FROM customer WHERE id = {number}"


def answered(task: str, prompt: str) -> str:
    """A query that names the last question's number."""
    return query_of(int(re.findall(r"number (\d)", prompt)[-1]))


async def only_one(inner: Any) -> list[Any]:
    return [await inner.ainvoke(QUESTIONS[0])]


async def in_order(inner: Any) -> list[Any]:
    return [await inner.ainvoke(question) for question in QUESTIONS]


async def at_once(inner: Any) -> list[Any]:
    return list(await asyncio.gather(*map(inner.ainvoke, QUESTIONS)))


async def in_a_batch(inner: Any) -> list[Any]:
    return list(await inner.abatch(QUESTIONS))


async def last_first(inner: Any) -> list[Any]:
    """The first question begins last, but a resumed one is at its approval at once."""
    waiting = [0.1, 0.05, 0.0]

    async def one(place: int) -> Any:
        await asyncio.sleep(waiting[place])
        return await inner.ainvoke(QUESTIONS[place])

    return list(await asyncio.gather(*map(one, range(len(QUESTIONS)))))


def in_threads(inner: Any) -> list[Any]:
    return list(inner.batch(QUESTIONS))


class SlowForTheFirst(ScriptedModel):
    """A scripted model whose reply to the first question takes longer."""

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        if "number 1" in str(messages[-1].content):
            await asyncio.sleep(0.1)
        return self._generate(messages, stop, **kwargs)


def around(inner: Any, ask: Asking) -> Any:
    async def node(state: Outer) -> Outer:
        return Outer(sql=[each["sql"] for each in await ask(inner)])

    return compiled(node, InMemorySaver())


def compiled(node: Any, saver: BaseCheckpointSaver[str]) -> Any:
    builder = StateGraph(Outer, context_schema=Context)
    builder.add_node("ask", node)
    builder.add_edge(START, "ask")
    return builder.compile(checkpointer=saver)


class Person:
    """Answers what is shown, and compares it with the audit."""

    def __init__(self, answers: dict[str, Any] | None = None, *, names_them: bool = False) -> None:
        self.answers, self.names_them = answers or {}, names_them
        self.shown: list[str] = []
        self.audit: list[tuple[str, str]] = []

    def record(self, entry: AuditEntry) -> None:
        """Record a query, which must have been shown and answered so."""
        assert entry["sql"] in self.shown
        assert entry["decision"] == ("rejected" if self.answers.get(entry["sql"]) == REJECT else "approved")
        self.audit.append((entry["sql"], entry["decision"]))

    def answer(self, result: dict[str, Any]) -> Any:
        """The answer to the one query that is shown; None if none is."""
        if not (waiting := result.get("__interrupt__")):
            return None
        self.shown.append(waiting[0].value["approve"])
        said = self.answers.get(self.shown[-1], True)
        return Command(resume={waiting[0].id: said} if self.names_them else said)


async def led(graph: Any, person: Person, **how: Any) -> dict[str, Any]:
    result = await graph.ainvoke({}, THREAD, context=APPROVING, **how)
    for _ in range(12):
        if (answer := person.answer(result)) is None:
            return dict(result)
        result = await graph.ainvoke(answer, THREAD, context=APPROVING, **how)
        await asyncio.sleep(0.15)  # what a node began before its interrupt runs on
    raise AssertionError(f"asked without end: {person.shown}")


@pytest.mark.parametrize("names_them", [False, True])
@pytest.mark.parametrize("checkpointer", [None, True])
@pytest.mark.parametrize(
    ("ask", "model_class"),
    [
        (in_order, ScriptedModel),
        (at_once, SlowForTheFirst),
        (in_a_batch, SlowForTheFirst),
        (last_first, ScriptedModel),
    ],
)
async def test_each_query_of_a_node_runs_as_it_was_answered(
    catalog: Catalog, ask: Asking, model_class: type[ScriptedModel], checkpointer: Any, names_them: bool
) -> None:
    person = Person({query_of(2): REJECT}, names_them=names_them)
    model = model_class(history=[], otherwise=answered)
    inner = build_graph(model, catalog, checkpointer=checkpointer, audit=person.record)
    result = await led(around(inner, ask), person)
    assert sorted(result["sql"]) == [query_of(each) for each in (1, 2, 3)]
    assert dict(person.audit) == {query_of(1): "approved", query_of(2): "rejected", query_of(3): "approved"}


def test_the_same_holds_without_a_loop(catalog: Catalog, tmp_path: Any) -> None:
    person = Person({query_of(2): REJECT})
    inner = build_graph(ScriptedModel(history=[], otherwise=answered), catalog, audit=person.record)
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        graph = compiled(lambda _: Outer(sql=[each["sql"] for each in in_threads(inner)]), saver)
        result = graph.invoke({}, THREAD, context=APPROVING)
        for _ in range(12):
            if (answer := person.answer(result)) is None:
                break
            result = graph.invoke(answer, THREAD, context=APPROVING)
    assert dict(person.audit) == {query_of(1): "approved", query_of(2): "rejected", query_of(3): "approved"}
    assert len(result["sql"]) == 3


async def test_a_rejected_query_does_not_run_when_the_next_one_is_approved(catalog: Catalog) -> None:
    person = Person({query_of(1): REJECT})
    inner = build_graph(ScriptedModel(history=[], otherwise=answered), catalog, audit=person.record)
    with pytest.raises(InvalidInput, match="durability='exit' forgets the answer to a node's first question"):
        await led(around(inner, in_order), person, durability="exit")
    assert person.audit == [(query_of(1), "rejected")]


async def test_one_question_in_a_node_is_approved_with_checkpoints_at_the_end(catalog: Catalog) -> None:
    person = Person()
    inner = build_graph(ScriptedModel(history=[], otherwise=answered), catalog, audit=person.record)
    assert (await led(around(inner, only_one), person, durability="exit"))["sql"] == [query_of(1)]


async def test_a_graph_that_keeps_its_runs_needs_no_other_checkpoints(catalog: Catalog) -> None:
    person = Person({query_of(1): REJECT})
    model = ScriptedModel(history=[], otherwise=answered)
    inner = build_graph(model, catalog, checkpointer=True, audit=person.record)
    result = await led(around(inner, in_order), person, durability="exit")
    assert result["sql"] == [query_of(1), query_of(2), query_of(3)]


@pytest.mark.parametrize("choice", [{"approve": True}, {"clarify": True}])
async def test_a_graph_that_keeps_nothing_asks_nobody(catalog: Catalog, choice: dict[str, Any]) -> None:
    inner = build_graph(ScriptedModel(history=[]), catalog, checkpointer=False)
    with pytest.raises(InvalidInput, match="need a checkpointer, and this graph was compiled with checkpointer=False"):
        await around(inner, in_order).ainvoke({}, THREAD, context=Context(**choice))


async def test_an_answer_sent_twice_is_not_one_to_the_translation(model: ScriptedModel, ducks: Catalog) -> None:
    model.enqueue("sql", "SELECT `full name` FROM customer")
    graph: Any = build_graph(model, ducks, checkpointer=InMemorySaver())
    result = await graph.ainvoke({**QUESTIONS[0]}, THREAD, context=APPROVING)
    answer: Any = Command(resume={result["__interrupt__"][0].id: True})
    for _ in range(2):
        result = await graph.ainvoke(answer, THREAD, context=APPROVING)
        assert [each.value["approve"] for each in result["__interrupt__"]] == ['SELECT "full name" FROM customer']


async def test_an_answer_before_any_query_was_shown_counts_for_none(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", query_of(1))
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTIONS[0], THREAD, context=APPROVING, interrupt_before=["execute"])
    for _ in range(2):
        result = await graph.ainvoke(Command(resume=True), THREAD, context=APPROVING)
    assert result["rows"] == [["Ida"]]


async def test_an_answer_that_comes_with_an_update_counts(catalog: Catalog) -> None:
    person = Person()
    inner = build_graph(ScriptedModel(history=[], otherwise=answered), catalog, audit=person.record)
    graph = around(inner, only_one)
    answer = person.answer(await graph.ainvoke({}, THREAD, context=APPROVING))
    result = await graph.ainvoke(Command(resume=answer.resume, update={"seen": True}), THREAD, context=APPROVING)
    assert result == {"sql": [query_of(1)], "seen": True}
