"""Samples of a question in doubt: drawn only then, run, and counted as votes for their results."""

import json
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.memory import InMemorySaver

from route_sql.graph.context import Context
from route_sql.graph.recording import read_recording, record_run, write_recording
from route_sql.graph.replaying import replay_run
from route_sql.graph.signals import ANSWER_SIGNALS, NO_ANSWER_SIGNALS
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import PromptTask, ScriptedModel, task_of
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome

QUESTION = Question(question="Who lives in Bergen?", database="shop")
NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
SAME = "SELECT c.name FROM customer AS c WHERE c.city = 'Bergen'"
ALL = "SELECT name FROM customer"
CITIES = "SELECT city FROM customer"
IDS = "SELECT id FROM customer"
NONE = "SELECT name FROM customer WHERE city = 'Rome'"
ZERO = "SELECT COUNT(*) FROM customer WHERE city = 'Rome'"
NULL = "SELECT SUM(price), 0.0, '0.00' FROM product WHERE price < 0"
BROKEN = "SELECT nam FROM customer"
LACKING = "SELECT city FROM sale WHERE day > '2024-02-01'"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
THREAD: Any = {"configurable": {"thread_id": "1"}}


class Sampled(ScriptedModel):
    """A scripted model with a temperature: its samples are a list, by their numbers from 1 on."""

    temperature: float = 0.0
    seed: int = 0
    samples: list[str] = []
    drawn: list[tuple[int, float, bool]] = []
    """Seed, temperature, and whether the prompt showed the whole schema."""

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        if "temperature" not in kwargs:
            return super()._generate(messages)
        self.drawn.append((kwargs["seed"], kwargs["temperature"], "product" in str(messages[-1].content)))
        self._replies[task_of(messages)].insert(0, self.samples[kwargs["seed"] - 1])
        return super()._generate(messages)


def sampled(*samples: str, draft: str = ALL, second: str = CITIES) -> Sampled:
    """A model of two queries that disagree, and a verdict without a correction."""
    model = Sampled(history=[], samples=[*samples], drawn=[], otherwise=_otherwise)
    model.enqueue("sql", draft, second)
    return model


def _otherwise(task: PromptTask, prompt: str) -> str:
    replies: dict[PromptTask, str] = {"verdict": "verdict: right", "link": "{}", "continuation": BROKEN, "sql": BROKEN}
    return replies[task]


async def ask(model: ScriptedModel, catalog: Catalog, samples: int = 0, **more: Any) -> dict[str, Any]:
    """The values of the state at the end of a run."""
    checks = more.pop("checks", ())
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver(), checks=checks)
    await graph.ainvoke(QUESTION, THREAD, context=Context(samples=samples, **more))
    values: dict[str, Any] = (await graph.aget_state(THREAD)).values
    return values


def nodes(state: dict[str, Any]) -> list[str]:
    return [entry["node"] for entry in state["ledger"]]


async def test_in_doubt_the_result_of_most_samples_is_the_answer(catalog: Catalog) -> None:
    model = sampled(NAMES, IDS, SAME, CITIES)
    state = await ask(model, catalog, 4)
    assert (state["sql"], state["rows"], state["status"]) == (NAMES, [["Ida"], ["Una"]], "ok")
    assert nodes(state) == ["draft", "generate", "correct_noise", "sample", "sample", "sample", "sample"]
    assert sorted(model.drawn) == [(1, 0.7, True), (2, 0.7, True), (3, 0.7, False), (4, 0.7, False)]
    assert [(each["number"], each["schema"]) for each in state["samples"]["drawn"]] == [
        (1, "full"), (2, "full"), (3, "linked"), (4, "linked"),
    ]  # fmt: skip
    json.dumps(state)


async def test_a_question_without_doubt_gets_no_samples(catalog: Catalog) -> None:
    model = sampled(ALL, ALL, draft=NAMES, second=SAME)
    state = await ask(model, catalog, 2)
    assert (nodes(state), state["sql"], model.drawn) == (["draft", "generate"], NAMES, [])


@pytest.mark.parametrize(
    "choices",
    [{"samples": 0}, {"samples": 2, "without": ("sample",)}, {"samples": 2, "strategy": "paper"}],
    ids=str,
)
async def test_samples_are_a_choice_of_adaptive(catalog: Catalog, choices: dict[str, Any]) -> None:
    model = sampled(NAMES, NAMES)
    state = await ask(model, catalog, **choices)
    assert model.drawn == [] and state.get("samples") is None
    assert not {"votes", "voted_results"} & state["assessment"]["signals"].keys()


async def test_a_model_without_a_temperature_is_not_sampled(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL, CITIES).enqueue("verdict", "verdict: right")
    assert nodes(await ask(model, catalog, 4)) == ["draft", "generate", "correct_noise"]


async def test_samples_of_the_same_words_vote_too_but_run_once(catalog: Catalog) -> None:
    state = await ask(sampled(IDS, NAMES, NAMES, NAMES, ALL), catalog, 5)
    assert state["sql"] == NAMES
    assert [each["sql"] for each in state["candidates"]] == [ALL, CITIES, IDS, NAMES]
    assert state["assessment"]["signals"]["votes"] == 0.6


async def test_a_sample_in_a_foreign_dialect_votes_for_its_translation(ducks: Catalog) -> None:
    foreign = "SELECT `full name` FROM customer"
    state = await ask(sampled(foreign, foreign, draft=foreign, second=IDS), ducks, 2)
    assert [each["agent"] for each in state["candidates"]] == ["draft", "generate"]
    assert state["sql"] == 'SELECT "full name" FROM customer' and state["assessment"]["signals"]["votes"] == 1.0


async def test_an_earlier_candidate_wins_by_the_votes_of_samples(catalog: Catalog) -> None:
    state = await ask(sampled(CITIES, CITIES, IDS, ALL), catalog, 4)
    assert state["sql"] == CITIES and state["rows"] == [["Bergen"], ["Oslo"], ["Bergen"]]
    assert len(state["candidates"]) == 3


@pytest.mark.parametrize("nothing", [NONE, ZERO, NULL])
async def test_empty_and_zero_results_do_not_count_where_there_are_others(catalog: Catalog, nothing: str) -> None:
    state = await ask(sampled(nothing, nothing, nothing, NAMES), catalog, 4)
    assert state["sql"] == NAMES
    assert state["assessment"]["signals"]["votes"] == 0.25
    assert "Only 1 of 4 samples returned the answer's rows." in state["doubts"]


@pytest.mark.parametrize("nothing", [NONE, ZERO])
async def test_they_count_where_there_are_no_others(catalog: Catalog, nothing: str) -> None:
    state = await ask(sampled(nothing, nothing, BROKEN), catalog, 3)
    assert state["sql"] == nothing


async def test_a_result_with_a_complaint_does_not_count_where_there_are_others(catalog: Catalog) -> None:
    def no_ids(question: str, sql: str, outcome: Outcome) -> str | None:
        return "Nobody wants ids." if "id" in outcome["columns"] else None

    state = await ask(sampled(IDS, IDS, IDS, NAMES), catalog, 4, checks=[no_ids])
    assert state["sql"] == NAMES
    state = await ask(sampled(IDS, IDS), catalog, 2, checks=[no_ids])
    assert state["sql"] == IDS and "Nobody wants ids." in state["doubts"]


async def test_the_joins_of_a_sample_are_repaired(catalog: Catalog) -> None:
    state = await ask(sampled(LACKING, LACKING, IDS), catalog, 3)
    assert "JOIN customer" in state["sql"] and state["rows"] == [["Bergen"]]
    counted = [sample["counts_for"] for sample in state["samples"]["drawn"]]
    assert counted == [state["sql"], state["sql"], IDS]
    agents = [each["agent"] for each in state["candidates"]]
    assert agents == ["draft", "generate", "sample", "complete_joins", "sample"]


async def test_a_query_check_refuses_samples_too_and_the_audit_names_them(catalog: Catalog) -> None:
    def no_bergen(question: str, sql: str, database: str) -> str | None:
        return "Not Bergen." if "Bergen" in sql else None

    audited: list[Any] = []
    graph: Any = build_graph(sampled(NAMES, NAMES, SAME, IDS), catalog, query_checks=[no_bergen], audit=audited.append)
    answer = await graph.ainvoke(QUESTION, context=Context(samples=4))
    assert answer["sql"] == IDS
    assert [each["decision"] for each in audited] == ["allowed", "allowed", "refused", "refused", "allowed"]


async def test_samples_see_no_more_than_the_caller_may(catalog: Catalog) -> None:
    model = sampled(NAMES, "SELECT price FROM product", draft="SELECT id FROM customer", second=ALL)
    state = await ask(model, catalog, 2, hide=("customer.city", "product"))
    assert [each["status"] for each in state["candidates"]][2:] == ["error", "error"] and state["sql"] == IDS
    prompts = [str(messages[-1].content) for _, messages in model.history]
    assert len(model.drawn) == 2 and not any(word in prompt for prompt in prompts for word in ("price", "city"))


async def test_where_no_sample_runs_the_best_of_the_others_is_the_answer(catalog: Catalog) -> None:
    state = await ask(sampled(BROKEN, "I can't."), catalog, 2)
    assert (state["sql"], state["status"]) == (ALL, "ok")
    assert nodes(state).count("sample") == 2 and "votes" not in state["assessment"]["signals"]


async def test_where_nothing_runs_a_sample_is_the_answer(catalog: Catalog) -> None:
    state = await ask(sampled(NAMES, BROKEN, draft=BROKEN, second=BROKEN), catalog, 2)
    assert (state["sql"], state["status"]) == (NAMES, "ok")


async def test_every_signal_of_a_run_may_be_weighed_and_no_other(catalog: Catalog) -> None:
    model = sampled(NAMES, SAME)
    model.logprob = -0.1
    state = await ask(model, catalog, 2)
    assert state["assessment"]["signals"].keys() == ANSWER_SIGNALS
    assert state["no_answer"]["signals"].keys() == NO_ANSWER_SIGNALS


async def test_confidence_after_a_vote_is_of_its_own_kind(catalog: Catalog) -> None:
    state = await ask(sampled(NAMES, SAME, NAMES, IDS), catalog, 4)
    assessment = state["assessment"]
    assert (assessment["kind"], assessment["calibrated"]) == ("voted", False)
    assert (assessment["signals"]["votes"], assessment["signals"]["voted_results"]) == (0.75, 2.0)
    # The draft and the second opinion are two other results; the samples don't count among them.
    assert (assessment["signals"]["differing"], assessment["signals"]["agreeing"]) == (2.0, 0.0)
    fewer = (await ask(sampled(NAMES, IDS, CITIES, ALL, NAMES), catalog, 5))["confidence"]
    assert fewer < state["confidence"] < 1.0


async def test_a_run_that_is_interrupted_before_the_vote_is_resumed(catalog: Catalog) -> None:
    model = sampled(NAMES, SAME)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(samples=2), interrupt_after=["sample"])
    paused = await graph.aget_state(THREAD)
    assert paused.next == ("execute",) and paused.values["samples"]["counted"] is False
    answer = await graph.ainvoke(None, THREAD)
    assert answer["sql"] == NAMES and len(model.drawn) == 2


async def test_a_run_that_is_resumed_with_approval_runs_no_sample(catalog: Catalog) -> None:
    graph: Any = build_graph(sampled(NAMES, SAME), catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(samples=2), interrupt_after=["sample"])
    answer = await graph.ainvoke(None, THREAD, context=Context(approve=True))
    assert answer["sql"] == ALL
    assert [each["agent"] for each in answer["candidates"]] == ["draft", "generate"]


async def test_the_next_question_of_a_thread_begins_without_samples(catalog: Catalog) -> None:
    model = sampled(NAMES, SAME)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(samples=2))
    model.enqueue("sql", CITIES)
    answer = await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single"))
    assert answer["sql"] == CITIES and (await graph.aget_state(THREAD)).values.get("samples") is None


async def test_the_story_tells_the_samples_and_their_vote(catalog: Catalog) -> None:
    graph = build_graph(sampled(NAMES, SAME, IDS, IDS), catalog)
    context = Context(samples=4)
    reported: list[Any] = [each async for each in graph.astream(QUESTION, context=context, stream_mode="custom")]
    texts = [event["text"] for event in reported]
    assert "drew 4 samples, 3 of them different" in texts
    assert texts.count("sample 1 returned 2 rows") == 1 and "sample 3 returned 3 rows" in texts
    assert "2 of 4 samples returned 2 rows" in texts


async def test_a_run_with_samples_is_recorded_and_replayed(catalog: Catalog, tmp_path: Any) -> None:
    model = sampled(NAMES, IDS, SAME, CITIES)
    model.logprob = -0.25
    _, recording = await record_run(model, catalog, QUESTION, Context(samples=4))
    write_recording(tmp_path, recording)
    kept = read_recording(tmp_path)
    drawn = [(each["sample"], each["reply"]) for each in kept["exchanges"] if each["node"] == "sample"]
    assert sorted(drawn, key=str) == [(1, NAMES), (2, IDS), (3, SAME), (4, CITIES)]
    kept["exchanges"].reverse()  # the order in which replies come is no part of the run
    replay = await replay_run(kept)
    assert replay.divergences == [] and replay.answer is not None
    assert replay.answer["sql"] == NAMES
    nodes_then = [entry["node"] for entry in kept["answer"]["ledger"]]
    assert [entry["node"] for entry in replay.answer["ledger"]] == nodes_then


async def test_a_recording_of_before_samples_is_replayed(model: ScriptedModel, catalog: Catalog, tmp_path: Any) -> None:
    model.enqueue("sql", NAMES, SAME)
    _, recording = await record_run(model, catalog, QUESTION)
    del recording["choices"]["samples"], recording["choices"]["sample_seconds"]
    write_recording(tmp_path, recording)
    assert (await replay_run(read_recording(tmp_path))).divergences == []


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"samples": -1}, "samples in the context must be a whole number from 0 to 16, not -1"),
        ({"samples": 17}, "samples in the context must be a whole number from 0 to 16, not 17"),
        ({"samples": True}, "samples in the context must be a whole number"),
        ({"samples": 2.5}, "samples in the context must be a whole number"),
        ({"samples": None}, "samples in the context must be a whole number"),
        ({"sample_seconds": 0}, "sample_seconds in the context must be a number of seconds above 0, not 0"),
        ({"sample_seconds": None}, "sample_seconds in the context must be a number of seconds above 0"),
        ({"sample_seconds": "9"}, "sample_seconds in the context must be a number of seconds above 0"),
        ({"sample_seconds": float("nan")}, "sample_seconds in the context must be a number of seconds above 0"),
    ],
    ids=str,
)
def test_wrong_choices_are_refused(choice: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Context(**choice)
