"""The graph on the real embedded model."""

from pathlib import Path

import pytest

from route_sql.demo.database import build_demo_database
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome

pytestmark = pytest.mark.model


def doubtful(question: str, sql: str, outcome: Outcome) -> str:
    """A check that is never content, so that every agent is asked."""
    return "The result looks wrong."


async def test_the_four_tasks_of_a_question_compute_the_schema_once(
    embedded_server: EmbeddedServer, tmp_path: Path
) -> None:
    catalog, name = Catalog.from_url(build_demo_database(tmp_path / "clinic.sqlite"))
    chat = embedded_server.chat_model(max_tokens=48)
    async with catalog:
        # Without generate, which sees a part of the schema, every call is on the full schema.
        context = Context(strategy="paper", without=("generate",), deadline=5)
        question = Question(question="How many appointments were cancelled in 2024?", database=name)
        answer = await build_graph(chat, catalog, checks=[doubtful]).ainvoke(question, context=context)
    await chat.aclose()
    # The first two are asked side by side, and either may reach the server first.
    first, *others = sorted(answer["ledger"], key=lambda entry: entry["cached_tokens"] or 0)
    assert {"draft", "link_schema", "correct_noise"} <= {entry["node"] for entry in answer["ledger"]}
    schema_tokens = 300  # the demo's schema alone is more than that
    for entry in others:
        assert entry["cached_tokens"] > first["prompt_tokens"] - 150 > schema_tokens
        assert entry["prompt_tokens"] - entry["cached_tokens"] < 250


async def test_a_question_about_the_demo_is_answered(embedded_server: EmbeddedServer, tmp_path: Path) -> None:
    catalog, name = Catalog.from_url(build_demo_database(tmp_path / "clinic.sqlite"))
    chat = embedded_server.chat_model()
    async with catalog:
        question = Question(question="How many appointments were cancelled?", database=name)
        answer = await build_graph(chat, catalog).ainvoke(question)
    await chat.aclose()
    assert answer["status"] == "ok"
    assert answer["rows"] == [[await count_cancelled(tmp_path)]]


async def count_cancelled(folder: Path) -> object:
    catalog, name = Catalog.from_url(folder / "clinic.sqlite")
    async with catalog:
        outcome = await catalog.get(name).execute("SELECT COUNT(*) FROM appointment WHERE status = 'Cancelled'")
    return outcome["rows"][0][0]
