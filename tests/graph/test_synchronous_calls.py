"""`invoke`, `stream` and `batch`: in a script, where a loop runs already, and in the threads of a web server."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from support.chat_stub import ChatStub, hanging

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.serving.client.chat import ChatTGI
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

QUESTION = Question(question="Who are the customers?", database="shop")
NAMES = "SELECT name FROM customer"
ROWS = [["Ida"], ["Ole"], ["Una"]]
THREAD: Any = {"configurable": {"thread_id": "1"}}


@pytest.fixture
def databases(shop: Path) -> Iterator[Catalog]:
    catalog, _ = Catalog.from_url(shop)
    with catalog:
        yield catalog


def answering() -> ScriptedModel:
    replies = {"sql": NAMES, "link": "{}", "verdict": "verdict: right", "continuation": NAMES}
    return ScriptedModel(history=[], otherwise=lambda task, _: replies[task])


@pytest.mark.parametrize("strategy", ["single", "adaptive", "paper"])
def test_a_question_is_asked_without_a_loop(databases: Catalog, strategy: Any) -> None:
    graph: Any = build_graph(answering(), databases)
    answer = graph.invoke(QUESTION, context=Context(strategy=strategy))
    assert (answer["status"], answer["rows"]) == ("ok", ROWS)


def test_the_stream_has_every_node(databases: Catalog) -> None:
    graph: Any = build_graph(answering(), databases)
    parts = list(graph.stream(QUESTION, context=Context(strategy="single"), stream_mode="updates"))
    assert [name for part in parts for name in part] == ["ground", "generate", "execute", "answer"]


def test_a_batch_answers_side_by_side(databases: Catalog) -> None:
    graph: Any = build_graph(answering(), databases)
    assert [answer["rows"] for answer in graph.batch([QUESTION] * 8)] == [ROWS] * 8


async def test_it_works_where_a_loop_runs_as_in_a_notebook(databases: Catalog) -> None:
    graph: Any = build_graph(answering(), databases)
    assert graph.invoke(QUESTION)["rows"] == ROWS
    assert [each["rows"] for each in graph.batch([QUESTION] * 2)] == [ROWS] * 2


def test_threads_of_a_web_server_ask_at_once(databases: Catalog) -> None:
    graph: Any = build_graph(answering(), databases, checkpointer=InMemorySaver())

    def ask(number: int) -> Any:
        return graph.invoke(QUESTION, {"configurable": {"thread_id": str(number)}})

    with ThreadPoolExecutor(16) as threads:
        assert [answer["rows"] for answer in threads.map(ask, range(32))] == [ROWS] * 32


def test_a_query_is_approved_and_a_follow_up_is_one(databases: Catalog, tmp_path: Path) -> None:
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        model = answering()
        graph: Any = build_graph(model, databases, checkpointer=saver)
        context = Context(strategy="single", approve=True)
        stopped = graph.invoke(QUESTION, THREAD, context=context)
        assert stopped["__interrupt__"][0].value["approve"] == NAMES and not stopped["rows"]
        assert graph.invoke(Command(resume=True), THREAD, context=context)["rows"] == ROWS
        graph.invoke({**QUESTION, "question": "And by city?"}, THREAD, context=Context(strategy="single"))
        assert "Earlier question" in str(model.history[-1][1][-1].content)


def test_a_closed_model_leaves_no_connection_of_a_question(
    databases: Catalog, stub: ChatStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(handler: Any, stub: ChatStub) -> None:
        body = json.dumps({"choices": [{"message": {"content": NAMES}}]}).encode()
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        hanging(handler, stub)

    monkeypatch.setenv("NO_PROXY", "*")
    stub.enqueue(kept)
    # Connections to an address that is not written as the loopback are kept for the next question.
    model = ChatTGI(base_url=stub.url.replace("127.0.0.1", "127.1"), model="m", wording="instruct")
    graph: Any = build_graph(model, databases)
    assert graph.invoke(QUESTION, context=Context(strategy="single"))["rows"] == ROWS
    assert not stub.hung_up.is_set()
    model.close()
    assert stub.hung_up.wait(5)


def test_an_error_of_the_graph_is_raised_to_the_caller(databases: Catalog) -> None:
    graph: Any = build_graph(answering(), databases)
    with pytest.raises(InvalidInput, match="the input's question must be a text"):
        graph.invoke({**QUESTION, "question": ""})


def test_async_calls_before_and_after_work_too(databases: Catalog) -> None:
    graph: Any = build_graph(answering(), databases)
    assert graph.invoke(QUESTION)["rows"] == asyncio.run(graph.ainvoke(QUESTION))["rows"] == ROWS


def test_a_synchronous_call_within_another_does_not_wait_for_ever(databases: Catalog) -> None:
    inner: Any = build_graph(answering(), databases)

    async def check(question: str, sql: str, outcome: Any) -> str | None:
        inner.invoke(QUESTION)
        return None

    graph: Any = build_graph(answering(), databases, checks=[check])
    (note,) = graph.invoke(QUESTION)["notes"]
    assert note.startswith("The check check failed: InvalidInput: ") and "await ainvoke" in note


def test_a_synchronous_check_may_ask_another_graph(databases: Catalog) -> None:
    inner: Any = build_graph(answering(), databases)
    asked: list[Any] = []

    def check(question: str, sql: str, outcome: Any) -> None:
        asked.append(inner.invoke(QUESTION)["rows"])

    graph: Any = build_graph(answering(), databases, checks=[check])
    assert graph.invoke(QUESTION)["notes"] == [] and asked and asked[0] == ROWS
