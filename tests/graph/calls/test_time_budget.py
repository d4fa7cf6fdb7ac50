"""The time budget of a question: it answers with the best candidate so far."""

import asyncio
import re
import time
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.extensions.extension import Extension
from route_sql.graph.grounding import gather_ground
from route_sql.graph.schemas import Schemas
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
QUESTION = Question(question="Who lives in Bergen?", database="shop")
THREAD: Any = {"configurable": {"thread_id": "1"}}
RAN_OUT = "The time for the question (1 s) ran out."


class SlowModel(ScriptedModel):
    """A scripted model that takes some seconds for each call, in order; 0 for those after."""

    seconds: list[float] = []
    stopped: list[int] = []

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call = len(self.history)
        result = self._generate(messages, stop, **kwargs)
        try:
            await asyncio.sleep(self.seconds[call] if call < len(self.seconds) else 0)
        except asyncio.CancelledError:
            self.stopped.append(call)
            raise
        return result


def slow_model(*seconds: float) -> SlowModel:
    return SlowModel(history=[], seconds=list(seconds), stopped=[])


@pytest.fixture(autouse=True)
async def opened(catalog: Catalog) -> None:
    """Start the database's process before the time of a question runs."""
    await catalog.get("shop").execute("SELECT 1")


async def timed(graph: Any, context: Context, *more: Any) -> tuple[Any, float]:
    began = time.monotonic()
    answer = await graph.ainvoke(QUESTION, *more, context=context)
    return answer, time.monotonic() - began


async def test_the_best_so_far_is_the_answer(catalog: Catalog) -> None:
    model = slow_model(0, 60)
    model.enqueue("sql", NAMES, "SELECT 1")
    answer, took = await timed(build_graph(model, catalog), Context(seconds=1))
    assert (answer["sql"], answer["status"], answer["row_count"]) == (NAMES, "ok", 2)
    assert answer["notes"] == [RAN_OUT]
    assert 0.9 < took < 20 and model.stopped == [1]
    assert model.tasks == ["sql", "sql"]  # nobody else was asked


async def test_without_any_sql_the_answer_says_so(catalog: Catalog) -> None:
    model = slow_model(60)
    model.enqueue("sql", NAMES)
    answer, took = await timed(build_graph(model, catalog), Context(seconds=1))
    assert (answer["sql"], answer["status"], answer["rows"]) == (None, "timeout", [])
    assert answer["error"] == f"{RAN_OUT} No agent had written SQL."
    assert took < 20 and model.stopped == [0]


async def test_the_story_does_not_speak_of_a_reply_that_never_came(catalog: Catalog) -> None:
    graph, context = build_graph(slow_model(60).enqueue("sql", NAMES), catalog), Context(seconds=0.3)
    events = [each async for each in graph.astream(QUESTION, context=context, stream_mode="custom")]
    texts = [each["text"] for each in events if each["node"] == "draft"]
    assert texts == ["writing a draft", "stopped, since the time for the question is over"]


async def test_a_query_runs_no_longer_than_the_budget(catalog: Catalog) -> None:
    model = slow_model(0.5)
    model.enqueue("sql", ENDLESS)
    answer, took = await timed(build_graph(model, catalog), Context(strategy="single", seconds=1))
    assert (answer["sql"], answer["status"]) == (ENDLESS, "timeout")
    assert answer["error"] and took < 20
    assert [each["status"] for each in answer["candidates"]] == ["timeout"]


async def test_slow_extensions_end_with_the_budget(catalog: Catalog) -> None:
    async def slow(*given: Any) -> None:
        await asyncio.sleep(60)

    model = slow_model()
    model.enqueue("sql", NAMES)
    graph = build_graph(model, catalog, checks=[slow], extension_seconds=30)
    answer, took = await timed(graph, Context(seconds=1))
    assert (answer["sql"], answer["status"]) == (NAMES, "timeout")
    assert took < 20


async def test_slow_context_tools_leave_time_to_the_agents(catalog: Catalog) -> None:
    async def slow(question: Question) -> str:
        await asyncio.sleep(60)
        return "too late"

    model = slow_model()
    model.enqueue("sql", NAMES)
    graph = build_graph(model, catalog, context_tools=[slow], extension_seconds=30)
    answer, took = await timed(graph, Context(strategy="single", seconds=6))
    assert (answer["sql"], answer["status"]) == (NAMES, "ok")
    assert re.fullmatch(
        r"The context tool slow gave no result within [0-3](\.\d)? s, its part of the question's time", *answer["notes"]
    )
    assert took < 20


async def test_context_tools_get_half_of_the_time_that_is_left(catalog: Catalog) -> None:
    async def slow(question: Question) -> str:
        await asyncio.sleep(60)
        return "too late"

    tool, schemas = Extension("context tool", slow, 30), Schemas(catalog)
    began = time.monotonic() - 6
    ground = await gather_ground(QUESTION, catalog, schemas, [tool], Context(seconds=8), "", began=began)
    assert ground.remarks and time.monotonic() - began < 9.5  # half of all would end at 10


async def test_agents_side_by_side_spend_the_time_once(catalog: Catalog) -> None:
    model = slow_model(2, 2)
    model.enqueue("sql", NAMES, NAMES).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    answer, _ = await timed(build_graph(model, catalog), Context(strategy="paper", seconds=3.8))
    assert answer["status"] == "ok" and answer["notes"] == []
    assert not model.leftover


async def test_waiting_for_a_person_does_not_count(catalog: Catalog) -> None:
    model = slow_model()
    model.enqueue("sql", NAMES)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    context = Context(strategy="single", approve=True, seconds=3)
    await graph.ainvoke(QUESTION, THREAD, context=context)
    await asyncio.sleep(3.5)
    answer = await graph.ainvoke(Command(resume=True), THREAD)
    assert (answer["status"], answer["row_count"], answer["notes"]) == ("ok", 2, [])


async def test_the_next_question_of_a_thread_has_its_own_budget(catalog: Catalog) -> None:
    model = slow_model(2, 0, 2, 0)
    model.enqueue("sql", *[NAMES] * 4)
    graph = build_graph(model, catalog, checkpointer=InMemorySaver())
    for _ in range(2):
        answer, _ = await timed(graph, Context(seconds=3.5), THREAD)
        assert answer["status"] == "ok" and answer["notes"] == []


async def test_the_time_is_kept_in_the_state_only_for_a_budget(catalog: Catalog) -> None:
    model = slow_model(0.2)
    model.enqueue("sql", NAMES, NAMES)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await timed(graph, Context(strategy="single"), THREAD)
    assert (await graph.aget_state(THREAD)).values["spent"] == 0
    await timed(graph, Context(strategy="single", seconds=30), THREAD)
    assert 0 < (await graph.aget_state(THREAD)).values["spent"] < 30


@pytest.mark.parametrize("seconds", [0, -1, "5", float("nan")])
def test_a_budget_is_a_number_of_seconds(seconds: Any) -> None:
    with pytest.raises(InvalidInput, match="seconds in the context must be a number of seconds above 0"):
        Context(seconds=seconds)
