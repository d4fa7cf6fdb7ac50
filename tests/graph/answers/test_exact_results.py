"""Results that no number of JSON or of a checkpointer holds come through a whole run, exactly."""

import json
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

THREAD: Any = {"configurable": {"thread_id": "1"}}
SINGLE = Context(strategy="single")


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Catalog]:
    duckdb = pytest.importorskip("duckdb")
    file = tmp_path / "bank.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE account (wei HUGEINT, rate DECIMAL(38, 20), opened DATE)")
        connection.execute("INSERT INTO account VALUES (100000000000000000001, 0.10000000000000000001, 'infinity')")
    catalog, _ = Catalog.from_url(file)
    async with catalog:
        yield catalog


async def test_an_answer_is_exact_through_a_checkpointer(model: ScriptedModel, bank: Catalog) -> None:
    model.enqueue("sql", "SELECT wei, rate, opened FROM account")
    graph = build_graph(model, bank, checkpointer=InMemorySaver())
    await graph.ainvoke(Question(question="Which accounts?", database="bank"), THREAD, context=SINGLE)
    kept = (await graph.aget_state(THREAD)).values
    assert kept["rows"] == [["100000000000000000001", "0.10000000000000000001", "infinity"]]
    assert json.loads(json.dumps(kept["attempts"])) == kept["attempts"]
    assert kept["attempts"][0]["outcome"]["rows"] == kept["rows"]


async def test_cells_of_an_executor_of_ones_own_are_made_plain(model: ScriptedModel, catalog: Catalog) -> None:
    @tool(response_format="content_and_artifact")
    async def warehouse(sql: str, database: str) -> tuple[str, Any]:
        """Run SQL elsewhere."""
        outcome = await catalog.get(database).execute(sql)
        rows = [[2**64, Decimal("0.10"), date(2024, 1, 2)]]
        return "", {**outcome, "columns": ["wei", "rate", "opened"], "rows": rows}

    model.enqueue("sql", "SELECT name FROM customer")
    graph = build_graph(model, catalog, executor=warehouse, checkpointer=InMemorySaver())
    answer = await graph.ainvoke(Question(question="Which?", database="shop"), THREAD, context=SINGLE)
    assert answer["rows"] == [["18446744073709551616", 0.1, "2024-01-02"]]
