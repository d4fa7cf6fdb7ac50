"""Seconds of samples: what came in time counts, and the run answers with the best so far."""

import asyncio
import time
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.memory import InMemorySaver

from route_sql.graph.context import Context
from route_sql.graph.recording import record_run
from route_sql.graph.replaying import replay_run
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import PromptTask, ScriptedModel, task_of
from route_sql.tools.database.catalog import Catalog

QUESTION = Question(question="Who lives in Bergen?", database="shop")
NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
ALL = "SELECT name FROM customer"
CITIES = "SELECT city FROM customer"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
THREAD: Any = {"configurable": {"thread_id": "1"}}


class SlowSamples(ScriptedModel):
    """A scripted model whose samples, by their numbers from 1 on, are SQL and the seconds that it takes."""

    temperature: float = 0.0
    seed: int = 0
    samples: list[tuple[str, float]] = []
    stopped: list[int] = []

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if "temperature" not in kwargs:
            return self._generate(messages)
        sql, seconds = self.samples[kwargs["seed"] - 1]
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.stopped.append(kwargs["seed"])
            raise
        self._replies[task_of(messages)].insert(0, sql)
        return self._generate(messages)


def slow(*samples: tuple[str, float]) -> SlowSamples:
    model = SlowSamples(history=[], samples=[*samples], stopped=[], otherwise=_otherwise)
    model.enqueue("sql", ALL, CITIES)
    return model


def _otherwise(task: PromptTask, prompt: str) -> str:
    return "verdict: right" if task == "verdict" else "{}"


async def timed(model: SlowSamples, catalog: Catalog, **choices: Any) -> tuple[dict[str, Any], float]:
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    began = time.monotonic()
    await graph.ainvoke(QUESTION, THREAD, context=Context(**choices))
    took = time.monotonic() - began
    return (await graph.aget_state(THREAD)).values, took


async def test_samples_that_came_in_time_count(catalog: Catalog) -> None:
    model = slow((NAMES, 0), (NAMES, 60), (CITIES, 60), (NAMES, 0))
    state, took = await timed(model, catalog, samples=4, sample_seconds=5)
    assert (state["sql"], took < 20) == (NAMES, True)
    assert sorted(model.stopped) == [2, 3]
    assert [each["number"] for each in state["samples"]["drawn"]] == [1, 4]
    assert "2 of 4 samples came within 4 s." in state["notes"]
    assert [entry["node"] for entry in state["ledger"]].count("sample") == 2


async def test_without_a_sample_in_time_the_best_so_far_is_the_answer(catalog: Catalog) -> None:
    state, took = await timed(slow((NAMES, 60), (NAMES, 60)), catalog, samples=2, sample_seconds=0.5)
    assert (state["sql"], state["status"], took < 20) == (ALL, "ok", True)
    assert state["samples"]["drawn"] == [] and state["samples"]["counted"] is True
    assert "0 of 2 samples came within 0.4 s." in state["notes"]


async def test_the_queries_of_samples_end_with_their_time(catalog: Catalog) -> None:
    state, took = await timed(slow((NAMES, 0), (ENDLESS, 0), (CITIES, 0)), catalog, samples=3, sample_seconds=1)
    assert took < 20
    assert [each["status"] for each in state["candidates"]] == ["ok", "ok", "ok", "timeout"]
    assert state["sql"] == NAMES, "the third sample had no time, and the second returned nothing"
    assert [sample.get("counts_for") for sample in state["samples"]["drawn"]] == [NAMES, ENDLESS, None]


async def test_the_budget_of_the_question_bounds_them_too(catalog: Catalog) -> None:
    model = slow((NAMES, 0), (NAMES, 60))
    state, took = await timed(model, catalog, samples=2, sample_seconds=60, seconds=4)
    assert (state["sql"], state["status"], took < 20) == (NAMES, "ok", True)
    assert state["notes"] and "samples came within" in state["notes"][0]


async def test_a_failure_of_the_model_is_raised_and_stops_the_other_requests(catalog: Catalog) -> None:
    model = slow((NAMES, 60))  # the second sample has no reply: an IndexError of the model
    with pytest.raises(IndexError):
        await timed(model, catalog, samples=2)
    assert model.stopped == [1]


class Together(SlowSamples):
    """The same for a server that gives several completions, or fewer than it was asked for."""

    completions_at_once: int = 8
    given: int = 8
    asked: list[tuple[int, int]] = []
    """Seed and number of completions of each request for samples."""

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if "temperature" not in kwargs:
            return self._generate(messages)
        first, count = kwargs["seed"], kwargs.pop("n", 1)
        self.asked.append((first, count))
        found: list[ChatGeneration] = []
        for number in range(first, first + min(count, self.given)):
            one = await super()._agenerate(messages, **{**kwargs, "seed": number})
            found += [each for each in one.generations if isinstance(each, ChatGeneration)]
            if number > first:
                found[-1].message.usage_metadata = None  # type: ignore[attr-defined]
        return ChatResult(generations=found)


def together(given: int, *samples: str, at_once: int = 8, logprob: float | None = -0.5) -> Together:
    model = Together(
        history=[],
        samples=[(sql, 0) for sql in samples],
        stopped=[],
        asked=[],
        otherwise=_otherwise,
        given=given,
        completions_at_once=at_once,
        logprob=logprob,
    )
    model.enqueue("sql", ALL, CITIES)
    return model


async def test_samples_of_one_prompt_are_one_request_and_one_call(catalog: Catalog) -> None:
    model = together(8, NAMES, ALL, NAMES, CITIES)
    state, _ = await timed(model, catalog, samples=4)
    assert (state["sql"], sorted(model.asked)) == (NAMES, [(1, 2), (3, 2)])
    calls = [entry for entry in state["ledger"] if entry["node"] == "sample"]
    assert [call["completions"] for call in calls] == [2, 2]
    # The prompt was read once, and both completions were written: 3 tokens each.
    assert [(call["prompt_tokens"], call["completion_tokens"]) for call in calls] == [(10, 6), (10, 6)]
    assert all(call["cached_tokens"] == 4 for call in calls)


async def test_what_a_server_does_not_give_is_asked_for_one_by_one(catalog: Catalog) -> None:
    model = together(1, NAMES, ALL, NAMES, CITIES)
    state, _ = await timed(model, catalog, samples=4)
    assert state["sql"] == NAMES and sorted(model.asked) == [(1, 2), (2, 1), (3, 2), (4, 1)]
    calls = [entry for entry in state["ledger"] if entry["node"] == "sample"]
    assert len(calls) == 4 and all("completions" not in call for call in calls)


async def test_a_request_asks_for_no_more_than_the_server_gives(catalog: Catalog) -> None:
    model = together(2, *[NAMES] * 6, at_once=2)
    await timed(model, catalog, samples=6)
    assert sorted(model.asked) == [(1, 2), (3, 1), (4, 2), (6, 1)]


async def test_samples_of_one_request_are_recorded_and_replayed_as_one(catalog: Catalog) -> None:
    _, recording = await record_run(together(8, NAMES, ALL, NAMES, CITIES), catalog, QUESTION, Context(samples=4))
    drawn = [(each["sample"], each["drawn_with"]) for each in recording["exchanges"] if each["node"] == "sample"]
    assert sorted(drawn) == [(1, 1), (2, 1), (3, 3), (4, 3)]
    replay = await replay_run(recording)
    assert replay.divergences == [] and replay.answer is not None
    without_time = [{**each, "seconds": 0} for each in replay.answer["ledger"]]
    assert without_time == [{**each, "seconds": 0} for each in recording["answer"]["ledger"]]
