"""Exchanges: each prompt and reply in the state, by choice."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from route_sql.graph.calls.exchanges import REPLY_CHARS
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

NAMES = "SELECT name FROM customer"
COUNTED = "SELECT COUNT(*) FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")
THREAD: Any = {"configurable": {"thread_id": "1"}}


async def test_each_prompt_and_reply_is_kept_by_choice(model: ScriptedModel, catalog: Catalog) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    model.enqueue("sql", NAMES, COUNTED).enqueue("verdict", "verdict: right")
    await graph.ainvoke(QUESTION, THREAD, context=Context(keep_prompts=True, max_corrections=1))
    state = (await graph.aget_state(THREAD)).values
    kept = state["exchanges"]
    assert [each["node"] for each in kept] == [call["node"] for call in state["ledger"]]
    assert [each["node"] for each in kept] == ["draft", "generate", "correct_noise"]
    assert [each["reply"] for each in kept] == [NAMES, COUNTED, "verdict: right"]
    for each, (_, messages) in zip(kept, model.history, strict=True):
        assert [message["content"] for message in each["messages"]] == [message.content for message in messages]
        assert [message["role"] for message in each["messages"]][:: len(messages) - 1] == ["system", "human"]

    model.enqueue("sql", NAMES)
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single"))
    assert (await graph.aget_state(THREAD)).values["exchanges"] == []


async def test_a_long_reply_is_clipped(model: ScriptedModel, catalog: Catalog) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    model.enqueue("sql", f"{NAMES}\n" + "x" * 3 * REPLY_CHARS)
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", keep_prompts=True))
    (kept,) = (await graph.aget_state(THREAD)).values["exchanges"]
    assert len(kept["reply"]) == REPLY_CHARS


def test_the_choice_is_true_or_false() -> None:
    with pytest.raises(InvalidInput, match="keep_prompts in the context must be true or false"):
        Context(keep_prompts="no")  # type: ignore[arg-type]
