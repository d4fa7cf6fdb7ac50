"""Checkpoints hold plain values: they name no module of ours, so that files of the code can move."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

THREAD: Any = {"configurable": {"thread_id": "1"}}
QUESTION: Any = {"question": "Who are the customers?", "database": "shop"}


async def _bytes_of(saver: AsyncSqliteSaver) -> bytes:
    """Every text and blob that the checkpointer stored."""
    stored = b""
    for table in ("checkpoints", "writes"):
        for row in await (await saver.conn.execute(f"SELECT * FROM {table}")).fetchall():
            stored += b"\n".join(each if isinstance(each, bytes) else str(each).encode() for each in row)
    return stored


async def _answered(graph: Any, decision: Any) -> str | None:
    """Status of the answer; None while the run still waits."""
    try:
        return str((await graph.ainvoke(Command(resume=decision), THREAD))["status"])
    except InvalidInput:
        return None


@pytest.mark.parametrize(("decision", "status"), [({"type": "approve"}, "ok"), ({"type": "no such decision"}, None)])
async def test_a_checkpoint_names_no_module(
    model: ScriptedModel, catalog: Catalog, tmp_path: Path, decision: Any, status: str | None
) -> None:
    model.enqueue("sql", "SELECT name FROM customer")
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "kept.db")) as saver:
        graph: Any = build_graph(model, catalog, checkpointer=saver)
        await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", approve=True, keep_prompts=True))
        assert await _answered(graph, decision) == status
        stored = await _bytes_of(saver)
    assert b"SELECT name FROM customer" in stored
    assert b"route_sql." not in stored
