"""The example of approval in a terminal, with a scripted model and a person who types."""

from pathlib import Path

import pytest
from support.example_programs import load_example

from route_sql import Answer, Catalog
from route_sql.demo.database import build_demo_database
from route_sql.testing import ScriptedModel

WRONG = "SELECT COUNT(*) FROM doctor"
RIGHT = "SELECT COUNT(*) FROM appointment WHERE status = 'Cancelled'"


async def asked(folder: Path, model: ScriptedModel, *typed: str) -> tuple[Answer, list[str]]:
    """The answer to a person who types these lines, and the prompts that the person saw."""
    catalog, name = Catalog.from_url(build_demo_database(folder / "clinic.sqlite"))
    lines, shown = list(typed), list[str]()

    def read(prompt: str) -> str:
        shown.append(prompt)
        return lines.pop(0)

    question = {"question": "How many appointments were cancelled?", "database": name}
    async with catalog:
        answer: Answer = await load_example("approve_in_a_terminal").ask(model, catalog, question, read)
    assert not lines and not model.leftover
    return answer, shown


async def test_a_person_approves(tmp_path: Path) -> None:
    answer, shown = await asked(tmp_path, ScriptedModel(history=[]).enqueue("sql", RIGHT, RIGHT), " Yes ")
    assert (answer["sql"], answer["status"]) == (RIGHT, "ok") and len(shown) == 1 and RIGHT in shown[0]


async def test_a_person_types_another_query(tmp_path: Path) -> None:
    answer, shown = await asked(tmp_path, ScriptedModel(history=[]).enqueue("sql", WRONG), RIGHT)
    assert [each["agent"] for each in answer["candidates"]] == ["person"]
    assert (answer["sql"], answer["status"]) == (RIGHT, "ok") and len(shown) == 1


@pytest.mark.parametrize("reason", ["count appointments, not doctors", ""])
async def test_a_person_says_why_not(tmp_path: Path, reason: str) -> None:
    model = ScriptedModel(history=[]).enqueue("sql", WRONG).enqueue("verdict", f"verdict: wrong\n{RIGHT}")
    answer, shown = await asked(tmp_path, model, reason, RIGHT)
    assert reason in str(model.history[1][1][-1].content)
    assert (answer["sql"], answer["status"]) == (RIGHT, "ok") and RIGHT in shown[1]
