"""Checks before a query runs: a complaint, and a check that fails, refuse the query."""

import asyncio
from pathlib import Path
from typing import Any

import duckdb
import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome

ALL = "SELECT * FROM sale"
NARROW = "SELECT * FROM sale WHERE day >= '2024-02-01'"
QUESTION = Question(question="Which sales were there?", database="shop")
SINGLE = Context(strategy="single")
REASON = "Queries on sale need a range of days."


async def needs_days(question: str, sql: str, database: str) -> str | None:
    return REASON if "sale" in sql and "day" not in sql else None


class Recorded:
    """An executor that keeps the SQL that it was called with."""

    def __init__(self, catalog: Catalog) -> None:
        self.ran: list[str] = []

        @tool(response_format="content_and_artifact")
        async def recorded(sql: str, database: str) -> tuple[str, Outcome]:
            """Run SQL and keep it."""
            self.ran.append(sql)
            return "", await catalog.get(database).execute(sql)

        self.tool = recorded


async def test_a_refused_query_does_not_run_and_the_answer_says_why(model: ScriptedModel, catalog: Catalog) -> None:
    executor = Recorded(catalog)
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, query_checks=[needs_days], executor=executor.tool)
    answer = await graph.ainvoke(QUESTION, context=SINGLE)
    assert (answer["status"], answer["sql"], answer["rows"]) == ("refused", ALL, [])
    assert answer["error"] == REASON and executor.ran == []


async def test_the_agents_read_the_reason_and_write_another_query(model: ScriptedModel, catalog: Catalog) -> None:
    executor = Recorded(catalog)
    model.enqueue("sql", ALL, ALL).enqueue("link", "{}").enqueue("verdict", f"verdict: wrong\n{NARROW}")
    graph: Any = build_graph(model, catalog, query_checks=[needs_days], executor=executor.tool)
    answer = await graph.ainvoke(QUESTION)
    assert (answer["status"], answer["sql"]) == ("ok", NARROW)
    assert REASON in str(model.history[-1][1][-1].content)
    assert executor.ran == [NARROW]


async def slow(question: str, sql: str, database: str) -> None:
    await asyncio.sleep(30)


def broken(question: str, sql: str, database: str) -> None:
    raise KeyError("sale")


def unclear(question: str, sql: str, database: str) -> Any:
    return False


def wordless(question: str, sql: str, database: str) -> str:
    return " \n"


def empty(question: str, sql: str, database: str) -> str:
    return ""


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (empty, "The query check empty failed: its text is blank; it must return a reason or None."),
        (slow, "The query check slow gave no result within 0.2 s."),
        (broken, "The query check broken failed: KeyError: 'sale'."),
        (unclear, "The query check unclear failed: it must return a text or None, not bool."),
        (wordless, "The query check wordless failed: its text is blank; it must return a reason or None."),
    ],
)
async def test_a_check_that_fails_lets_no_query_run(
    model: ScriptedModel, catalog: Catalog, check: Any, said: str
) -> None:
    executor = Recorded(catalog)
    model.enqueue("sql", NARROW)
    graph: Any = build_graph(
        model, catalog, query_checks=[needs_days, check], executor=executor.tool, extension_seconds=0.2
    )
    answer = await graph.ainvoke(QUESTION, context=SINGLE)
    assert answer["status"] == "refused" and executor.ran == []
    assert answer["error"] == f"{said} So the query was not run."


async def test_nobody_approves_a_query_that_is_refused(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL)
    graph: Any = build_graph(model, catalog, query_checks=[needs_days], checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    context = Context(strategy="single", approve=True)
    answer = await graph.ainvoke(QUESTION, thread, context=context, version="v2")
    assert not answer.interrupts and answer.value["error"] == REASON


async def test_a_query_check_sees_each_query_that_will_run(model: ScriptedModel, tmp_path: Path) -> None:
    seen: list[tuple[str, str, str]] = []

    def watches(question: str, sql: str, database: str) -> str | None:
        seen.append((question, sql, database))
        return REASON if '"' in sql else None

    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute("CREATE TABLE customer (name TEXT); INSERT INTO customer VALUES ('Ida')")
    catalog, _ = Catalog.from_url(tmp_path / "shop.duckdb")
    model.enqueue("sql", "SELECT `name` FROM customer")
    async with catalog:
        graph: Any = build_graph(model, catalog, query_checks=[watches])
        answer = await graph.ainvoke(QUESTION, context=SINGLE)
    # The first fails in DuckDB's dialect, and its translation is refused.
    translated = 'SELECT "name" FROM customer'
    assert seen == [(QUESTION["question"], sql, "shop") for sql in ("SELECT `name` FROM customer", translated)]
    assert answer["rows"] == []
