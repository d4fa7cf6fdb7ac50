"""Tests of your own context tool and check: the real graph and database, and a model that replies from a script.

pytest examples/test_your_own_tools.py    (with pytest-asyncio, asyncio_mode = auto)
"""

from pathlib import Path

import pytest

from route_sql import Answer, Catalog, Outcome, Question, build_graph
from route_sql.demo.database import build_demo_database
from route_sql.testing import ScriptedModel

REGULARS = "SELECT patient_id FROM appointment GROUP BY patient_id HAVING COUNT(*) > 3"
COUNTED = f"SELECT COUNT(*) FROM ({REGULARS})"


async def glossary(question: Question) -> list[str]:
    """A context tool: notes before the agents start."""
    return ["'regulars' are patients with more than three appointments"] if "regulars" in question["question"] else []


def one_number(question: str, sql: str, outcome: Outcome) -> str | None:
    """A check: a reason to doubt a candidate, or None."""
    is_wrong = question.startswith("How many") and outcome["row_count"] != 1
    return "The question asks for one number." if is_wrong else None


@pytest.fixture
def model() -> ScriptedModel:
    """A model without replies yet; each test adds its own."""
    return ScriptedModel(history=[])


async def ask(model: ScriptedModel, question: str, folder: Path) -> Answer:
    """Ask about the demo clinic, with both extensions."""
    catalog, name = Catalog.from_url(build_demo_database(folder / "clinic.sqlite"))
    async with catalog:
        graph = build_graph(model, catalog, context_tools=[glossary], checks=[one_number])
        return (await graph.ainvoke(Question(question=question, database=name), version="v2")).value


async def test_the_glossary_reaches_the_model(model: ScriptedModel, tmp_path: Path) -> None:
    model.enqueue("sql", COUNTED, COUNTED)  # the draft, and a second opinion that agrees
    await ask(model, "How many regulars are there?", tmp_path)
    assert all("more than three appointments" in str(messages[-1].content) for _, messages in model.history)
    assert not model.leftover


async def test_a_list_is_doubted_and_corrected(model: ScriptedModel, tmp_path: Path) -> None:
    model.enqueue("sql", REGULARS, REGULARS).enqueue("link", "{}")
    model.enqueue("verdict", f"verdict: wrong\n{COUNTED}")
    answer = await ask(model, "How many regulars are there?", tmp_path)
    assert answer["sql"] == COUNTED and answer["row_count"] == 1
    assert model.tasks == ["sql", "link", "sql", "verdict"] and not model.leftover
