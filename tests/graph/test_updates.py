"""The updates of a streamed run: plain JSON, and lists that begin empty with each question."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.context import Context, Strategy
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

QUESTION = Question(question="Where did they live who bought late?", database="shop", evidence="late is February")
THREAD: Any = {"configurable": {"thread_id": "1"}}
LACKING = "SELECT city FROM sale WHERE day > '2024-02-01'"
CITIES = "SELECT T1.city FROM sale JOIN customer AS T1 ON sale.customer_id = T1.id WHERE sale.day > '2024-02-01'"
NAMES = "SELECT name FROM customer"
BROKEN = ("SELECT nam FROM customer", "SELECT nme FROM customer", "SELECT nae FROM customer")
THREE_TABLES = (
    "SELECT product.name FROM sale JOIN customer ON sale.customer_id = customer.id "
    "JOIN product ON sale.product_id = product.id"
)


class WarmModel(ScriptedModel):
    """A scripted model that can be sampled."""

    temperature: float = 0.0

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return super()._generate(messages)


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    warm = WarmModel(history=[])
    yield warm
    assert not warm.leftover


def line_up(model: ScriptedModel, case: str) -> None:
    if case == "repair":
        model.enqueue("sql", LACKING, f"{CITIES} ORDER BY 1").enqueue("link", "{}")
    elif case == "paper":
        model.enqueue("link", "{}").enqueue("sql", NAMES, THREE_TABLES).enqueue("verdict", "verdict: right")
        model.enqueue("continuation", f"{THREE_TABLES} ORDER BY product.name")
    elif case == "samples":
        model.enqueue("sql", BROKEN[0], BROKEN[1], NAMES)
    else:
        model.enqueue("sql", NAMES)


async def updates(graph: Any, given: Any, context: Context) -> AsyncIterator[dict[str, Any]]:
    async for update in graph.astream(given, THREAD, context=context, stream_mode="updates"):
        # LangGraph's own object; what is in it is ours.
        for each in update.pop("__interrupt__", ()):
            json.dumps(each.value)
        assert json.loads(json.dumps(update)) == update
        yield update


CASES: list[tuple[str, Strategy, set[str], dict[str, Any]]] = [
    ("repair", "adaptive", {"ground", "draft", "link_schema", "complete_joins", "generate", "execute", "answer"}, {}),
    ("paper", "paper", {"ground", "link_schema", "draft", "correct_noise", "continue_writing", "answer"}, {}),
    ("samples", "adaptive", {"ground", "draft", "generate", "answer"},
     {"without": ("link_schema", "correct_noise", "continue_writing")}),
    ("single", "single", {"ground", "generate", "execute", "answer"}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "strategy", "nodes", "choices"), CASES)
async def test_every_update_is_plain_json_and_lists_begin_empty(
    model: ScriptedModel, catalog: Catalog, case: str, strategy: Strategy, nodes: set[str], choices: Any
) -> None:
    graph = build_graph(model, catalog, checkpointer=InMemorySaver())
    kept = []
    for _ in range(2):
        line_up(model, case)
        seen = [update async for update in updates(graph, QUESTION, Context(strategy=strategy, **choices))]
        assert {name for update in seen for name in update} >= nodes
        values = (await graph.aget_state(THREAD)).values
        kept.append([len(values[key]) for key in ("candidates", "attempts", "ledger", "notes")])
    assert kept[0] == kept[1] and kept[0][0] == kept[0][1] > 0


async def test_the_updates_of_an_interrupted_run_are_plain_json(model: ScriptedModel, catalog: Catalog) -> None:
    graph = build_graph(model, catalog, checkpointer=InMemorySaver())
    context = Context(strategy="single", approve=True, allow=("customer",), hide=("customer.city",))
    for _ in range(2):
        line_up(model, "single")
        first = [name async for update in updates(graph, QUESTION, context) for name in update]
        then = [name async for update in updates(graph, Command(resume=True), context) for name in update]
        assert (first, then) == (["ground", "generate"], ["execute", "answer"])
        assert len((await graph.aget_state(THREAD)).values["candidates"]) == 1


async def test_a_question_after_one_that_was_abandoned_begins_empty(model: ScriptedModel, catalog: Catalog) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    model.enqueue("link", "{}").enqueue("sql", NAMES, THREE_TABLES)
    context = Context(strategy="paper", approve=True)
    paused = await graph.ainvoke(QUESTION, THREAD, context=context, version="v2")
    assert paused.interrupts
    await graph.ainvoke(Command(resume=True), THREAD, context=context)
    model.enqueue("sql", NAMES)
    answer = await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single"))
    assert len(answer["candidates"]) == len(answer["ledger"]) == 1


async def test_prompts_and_replies_are_kept_by_choice_alone(model: ScriptedModel, catalog: Catalog) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    for is_kept in (True, False):
        line_up(model, "repair")
        await graph.ainvoke(QUESTION, THREAD, context=Context(keep_prompts=is_kept))
        values = (await graph.aget_state(THREAD)).values
        exchanges = values["exchanges"]
        assert [each["node"] for each in exchanges] == ([e["node"] for e in values["ledger"]] if is_kept else [])
        if is_kept:
            assert exchanges[0]["reply"] == LACKING and "who bought late" in exchanges[0]["messages"][-1]["content"]
            assert json.loads(json.dumps(exchanges)) == exchanges
