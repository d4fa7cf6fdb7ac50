"""What the adaptive strategy does while nothing runs: it asks the generator by chance, if the model can be asked so."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

BROKEN = "SELECT nam FROM customer"
NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"


class WarmModel(ScriptedModel):
    """A scripted model with a temperature, which keeps what it was called with."""

    temperature: float = 0.0
    seed: int = 0
    given: list[dict[str, Any]] = []

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.given.append(kwargs)
        return super()._generate(messages)


@pytest.fixture
def warm() -> Iterator[WarmModel]:
    model = WarmModel(history=[], given=[])
    model.enqueue("link", "{}").enqueue("verdict", f"verdict: wrong\n{BROKEN}").enqueue("continuation", BROKEN)
    yield model
    assert not model.leftover


async def ask(model: ScriptedModel, catalog: Catalog, **choices: Any) -> tuple[Answer, list[str]]:
    question = Question(question="Who lives in Bergen?", database="shop")
    graph = build_graph(model, catalog)
    answer = (await graph.ainvoke(question, context=Context(**choices), version="v2")).value
    return answer, [entry["node"] for entry in answer["ledger"]]


async def test_the_first_sample_that_runs_is_the_answer(warm: WarmModel, catalog: Catalog) -> None:
    warm.enqueue("sql", BROKEN, BROKEN, "SELECT town FROM customer", NAMES)
    answer, calls = await ask(warm, catalog)
    assert (answer["sql"], answer["status"]) == (NAMES, "ok")
    assert calls == ["draft", "link_schema", "generate", "correct_noise", "continue_writing", "generate", "generate"]
    drawn = [(given["temperature"], given["seed"]) for given in warm.given if "temperature" in given]
    assert drawn == [(0.7, 1), (0.7, 2)] and warm.given[2].get("temperature") is None


@pytest.mark.parametrize("most", [0, 1, 3])
async def test_samples_end(warm: WarmModel, catalog: Catalog, most: int) -> None:
    warm.enqueue("sql", *[BROKEN] * (2 + most))
    answer, calls = await ask(warm, catalog, max_samples=most)
    assert answer["status"] == "error"
    assert calls.count("generate") == 1 + most
    assert [candidate["sql"] for candidate in answer["candidates"]] == [BROKEN, BROKEN]


async def test_a_model_without_a_temperature_is_not_sampled(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("link", "{}").enqueue("verdict", "verdict: right").enqueue("continuation", BROKEN)
    model.enqueue("sql", BROKEN, BROKEN)
    _, calls = await ask(model, catalog)
    assert calls.count("generate") == 1


async def test_who_approves_each_query_is_not_asked_about_samples(warm: WarmModel, catalog: Catalog) -> None:
    warm.enqueue("sql", BROKEN, BROKEN)
    graph = build_graph(warm, catalog, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    given: Any = Question(question="Who lives in Bergen?", database="shop")
    while (state := await graph.ainvoke(given, config, context=Context(approve=True), version="v2")).interrupts:
        given = Command(resume=True)
    assert [entry["node"] for entry in state.value["ledger"]].count("generate") == 1
