"""Several questions on one thread: nothing of the last answer lingers, and rows are kept once."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from route_sql.graph.context import Context, Strategy
from route_sql.graph.wiring import build_graph
from route_sql.serving.errors import ServerUnavailable
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import RouteError

THREAD: Any = {"configurable": {"thread_id": "1"}}
SINGLE = Context(strategy="single")
NAMES = "SELECT name FROM customer"
FIRST = {"question": "Who are the customers?", "database": "shop"}
ANSWER = ("sql", "status", "confidence", "doubts", "columns", "row_count", "truncated", "error", "proposal")
LISTS = ("rows", "candidates", "attempts", "ledger", "notes")


class FailingModel(ScriptedModel):
    """Fails as a server that is gone does, from a given call on."""

    works: int = 1

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        if len(self.history) >= self.works:
            raise ServerUnavailable("the model server is gone")
        return super()._generate(messages, *args, **kwargs)


SECOND = [
    {"question": "Where do the customers live?", "database": "shop"},
    {"question": "Where do the customers live?", "database": "shops"},
    {"question": " ", "database": "shop"},
    {"question": "Where?", "database": "shop", "evidence": 3},
]


@pytest.mark.parametrize("second", SECOND)
async def test_a_question_that_fails_shows_nothing_of_the_one_before(catalog: Catalog, second: Any) -> None:
    model = FailingModel(history=[], otherwise=lambda *_: NAMES)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(FIRST, THREAD, context=SINGLE)
    shown = []
    with pytest.raises(RouteError):
        async for part in graph.astream(second, THREAD, context=SINGLE, stream_mode="values"):
            shown.append(part)
    values = (await graph.aget_state(THREAD)).values
    for each in [values, *shown]:
        assert not any(each.get(key) for key in (*ANSWER, *LISTS)), each
        assert NAMES not in json.dumps({**each, "last_turn": None})
    assert values["question"] == second["question"]


async def test_rights_that_are_refused_show_nothing_of_the_answer_before(catalog: Catalog) -> None:
    graph: Any = build_graph(
        FailingModel(history=[], otherwise=lambda *_: NAMES), catalog, checkpointer=InMemorySaver()
    )
    await graph.ainvoke(FIRST, THREAD, context=SINGLE)
    with pytest.raises(RouteError):
        await graph.ainvoke(FIRST, THREAD, context=Context(allow=("custmer",)))
    values = (await graph.aget_state(THREAD)).values
    assert not any(values.get(key) for key in (*ANSWER, *LISTS, "choices"))


async def test_the_first_answer_is_complete_and_the_second_is_only_the_second(
    model: ScriptedModel, catalog: Catalog
) -> None:
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    model.enqueue("sql", NAMES, "SELECT nam FROM customer")
    first = await graph.ainvoke(FIRST, THREAD, context=SINGLE)
    second = await graph.ainvoke(FIRST, THREAD, context=SINGLE)
    assert (first["status"], first["rows"]) == ("ok", [["Ida"], ["Ole"], ["Una"]])
    assert (second["status"], second["rows"], len(second["candidates"])) == ("error", [], 1)


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    path = tmp_path / "wide.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, day TEXT, remark TEXT)")
        rows = [(number, f"2024-01-{number % 28 + 1:02}", f"remark {number} " * 20) for number in range(500)]
        connection.executemany("INSERT INTO visit VALUES (?, ?, ?)", rows)
        connection.commit()
    return path


VISITS = "SELECT id, day, remark FROM visit"
MOST = 1.5
"""Bytes of checkpoints for a byte of the answer."""


async def bytes_a_question(wide: Path, file: Path, strategy: Strategy, limit: int) -> tuple[float, int]:
    """Bytes that five questions leave in a file of checkpoints, and those of an answer as JSON, for one question."""
    sql = f"{VISITS} LIMIT {limit}"
    replies = {"sql": sql, "link": "{}", "verdict": "verdict: right", "continuation": sql}
    model = ScriptedModel(history=[], otherwise=lambda task, _: replies[task])
    catalog, name = Catalog.from_url(wide)
    async with catalog, AsyncSqliteSaver.from_conn_string(str(file)) as saver:
        graph: Any = build_graph(model, catalog, checkpointer=saver)
        for number in range(5):
            question = {"question": f"Which visits are there? ({number})", "database": name}
            answer = await graph.ainvoke(question, THREAD, context=Context(strategy=strategy))
            assert len(answer["rows"]) == limit
            assert (await graph.aget_state(THREAD)).values["rows"] == answer["rows"]
    return file.stat().st_size / 5, len(json.dumps(answer))


@pytest.mark.parametrize("strategy", ["single", "adaptive", "paper"])
async def test_rows_are_kept_once(wide: Path, tmp_path: Path, strategy: Strategy) -> None:
    stored, size = await bytes_a_question(wide, tmp_path / "many.sqlite", strategy, 500)
    if strategy != "paper":
        assert stored <= MOST * size
    # Ten steps of the state without rows cost something too.
    without, least = await bytes_a_question(wide, tmp_path / "one.sqlite", strategy, 1)
    assert stored - without <= MOST * (size - least)


async def test_a_thread_of_another_process_has_every_answer(wide: Path, tmp_path: Path) -> None:
    catalog, name = Catalog.from_url(wide)
    file = str(tmp_path / "checkpoints.sqlite")
    limits = [500, 3, 0, 100] * 6  # more than the updates after which the rows are stored whole
    async with catalog:
        for limit in limits:
            model = ScriptedModel(history=[], otherwise=lambda *_, limit=limit: f"{VISITS} LIMIT {limit}")
            async with AsyncSqliteSaver.from_conn_string(file) as saver:
                graph: Any = build_graph(model, catalog, checkpointer=saver)
                await graph.ainvoke({"question": "Which visits?", "database": name}, THREAD, context=SINGLE)
        async with AsyncSqliteSaver.from_conn_string(file) as saver:
            graph = build_graph(ScriptedModel(history=[]), catalog, checkpointer=saver)
            history = [each.values async for each in graph.aget_state_history(THREAD) if "status" in each.values]
    counts = [len(values["rows"]) for values in history if not values.get("next")]
    assert [count for place, count in enumerate(counts) if place % 2 == 0][::-1] == limits


async def test_a_candidate_that_gets_the_lead_has_all_its_rows(catalog: Catalog) -> None:
    many = "SELECT a.name, b.name AS other, c.name AS third FROM customer a, customer b, customer c"
    queries = [f"{many} WHERE a.id < 3", f"{many} WHERE a.id > 1", f"{many} WHERE a.id > 1 ORDER BY 1"]
    model = ScriptedModel(history=[]).enqueue("sql", *queries[:2])
    model.enqueue("verdict", f"verdict: wrong\n{queries[2]}")
    graph: Any = build_graph(model, catalog)
    answer = await graph.ainvoke(FIRST)
    assert (answer["sql"], answer["status"]) == (queries[1], "ok") and not model.leftover
    assert {row[0] for row in answer["rows"]} == {"Ole", "Una"} and len(answer["rows"]) == answer["row_count"] == 18
