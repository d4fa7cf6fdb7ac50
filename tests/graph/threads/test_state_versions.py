"""Checkpoints that the last version wrote are read by this one, with a warning; those of a later version are not."""

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, Interrupt

from route_sql.graph.context import Context
from route_sql.graph.state import VERSION, Question
from route_sql.graph.threads.state_versions import OLD_KEYS, OLD_STATE
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

# Written by version 1: one paused before its second query, one of `paper` after `ground`, one that has answered.
RECORDED = json.loads(Path(__file__).with_name("states_of_version_1.json").read_text())
THREAD: Any = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}
QUESTION = Question(question="Who lives in Oslo?", database="shop")
NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
OTHER = "SELECT name FROM customer"
EVIDENCE = "Evidence: Bergen is a city."

pytestmark = pytest.mark.filterwarnings("default::FutureWarning")


async def stored(name: str) -> InMemorySaver:
    """A checkpointer that holds what version 1 wrote."""
    saver, recorded = InMemorySaver(), RECORDED[name]
    checkpoint = recorded["checkpoint"]
    config = await saver.aput(THREAD, checkpoint, recorded["metadata"], checkpoint["channel_versions"])
    for task, channel, values in recorded["writes"]:
        written = [Interrupt(value=each["interrupt"], id=each["id"]) for each in values]
        await saver.aput_writes(config, [(channel, written)], task)
    return saver


def prompts(model: ScriptedModel) -> list[str]:
    return [str(messages[-1].content) for _, messages in model.history]


@pytest.mark.parametrize(("answer", "status"), [(True, "ok"), ({"type": "reject"}, "refused")])
async def test_a_paused_run_is_resumed(model: ScriptedModel, catalog: Catalog, answer: object, status: str) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=await stored("paused"))
    before = await graph.aget_state(THREAD)
    assert before.interrupts[0].value == {"approve": NAMES, "database": "shop"}
    if status == "ok":  # a rejection ends the run
        model.enqueue("verdict", "verdict: right")
    with pytest.warns(FutureWarning, match="write question_evidence for hint"):
        result = await graph.ainvoke(Command(resume=answer), THREAD, context=Context(max_corrections=1), version="v2")
    tried = [(candidate["agent"], candidate["status"]) for candidate in result.value["candidates"]]
    assert tried == [("draft", "error"), ("generate", status)]
    for prompt in prompts(model):
        assert EVIDENCE in prompt and "customer.city = 'Bergen'" in prompt
        assert prompt.count("id INTEGER PRIMARY KEY") == 1, "product has it, and customer.id stays hidden"
    assert len(prompts(model)) == (status == "ok")
    values = (await graph.aget_state(THREAD)).values
    assert values["version"] == VERSION and values["choices"]["max_corrections"] == 1
    assert values["choices"]["rights"]["hide"] == ["customer.id"] and values["choices"]["approve"] is True
    assert [values.get(key) for key in OLD_KEYS] == [None] * len(OLD_KEYS)


async def test_a_run_of_two_agents_side_by_side_is_resumed(model: ScriptedModel, catalog: Catalog) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=await stored("paper"))
    model.enqueue("link", "{}").enqueue("sql", OTHER, NAMES).enqueue("verdict", "verdict: right")
    with pytest.warns(FutureWarning):
        answer = await graph.ainvoke(None, THREAD, context=Context(strategy="paper"))
    assert answer["sql"] == NAMES and sorted(model.tasks) == ["link", "sql", "sql", "verdict"]


@pytest.mark.parametrize("node", ["draft", "execute", "generate"])
async def test_a_state_of_version_1_can_be_edited_and_run_again(
    model: ScriptedModel, catalog: Catalog, node: str
) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=await stored("paused"))
    with pytest.warns(FutureWarning):
        edited = await graph.aupdate_state(THREAD, {"proposal": None}, as_node=node)
        model.enqueue("verdict", "verdict: right").enqueue("continuation", "")
        answer = await graph.ainvoke(None, edited)
    assert [candidate["agent"] for candidate in answer["candidates"]] == ["draft"]


async def test_the_next_question_of_a_thread_keeps_nothing_and_warns_of_nothing(
    model: ScriptedModel, catalog: Catalog, recwarn: pytest.WarningsRecorder
) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=await stored("answered"))
    model.enqueue("sql", NAMES)
    answer = await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single"))
    assert (answer["sql"], len(answer["candidates"]), len(answer["ledger"])) == (NAMES, 1, 1)
    assert "Evidence" not in prompts(model)[0]
    assert not recwarn.list
    values = (await graph.aget_state(THREAD)).values
    assert [values.get(key) for key in OLD_KEYS] == [None] * len(OLD_KEYS)


async def test_an_old_key_that_an_edit_writes_still_counts(model: ScriptedModel, catalog: Catalog) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    model.enqueue("sql", OTHER, NAMES)
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single"))
    history = [each async for each in graph.aget_state_history(THREAD)]
    before = next(each for each in history if each.next == ("generate",))
    with pytest.warns(FutureWarning) as warned:
        edited = await graph.aupdate_state(before.config, {"hint": "Bergen is a city."}, as_node="ground")
        answer = await graph.ainvoke(None, edited)
    assert str(warned[0].message) == OLD_STATE
    assert answer["sql"] == NAMES and EVIDENCE in prompts(model)[-1]


@pytest.mark.parametrize("version", [VERSION + 1, 0, "two", None])
async def test_another_version_is_refused(model: ScriptedModel, catalog: Catalog, version: object) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    model.enqueue("sql", NAMES)
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", approve=True))
    edited = await graph.aupdate_state(THREAD, {"version": version}, as_node="generate")
    with pytest.raises(InvalidInput, match="this route-sql reads the versions 1 and 2"):
        await graph.ainvoke(None, edited)


@pytest.mark.parametrize(
    "update",
    ["text", {}, {"begin": 1}, {"begin": [], "more": 1}, {"at": 5, "set": {}}, {"at": -1, "set": {}}, {"at": 0}],
)
async def test_an_update_of_a_list_in_no_known_form_is_refused(
    model: ScriptedModel, catalog: Catalog, update: object
) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    model.enqueue("sql", NAMES)
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single"))
    with pytest.raises(InvalidInput, match=r"by {'begin': \[...\]} \(it replaces\)"):
        await graph.aupdate_state(THREAD, {"attempts": update}, as_node="answer")
