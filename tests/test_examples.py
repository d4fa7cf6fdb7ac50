"""The examples run: with a scripted model each, and as programs with the embedded one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlglot import ParseError
from support.example_programs import load_example

from route_sql.testing import ScriptedModel

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
COUNT = "SELECT COUNT(*) FROM appointment WHERE status = 'Cancelled'"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(history=[])


def notes(model: ScriptedModel) -> str:
    return str(model.history[0][1][-1].content).partition("<<<NOTES")[2].partition("NOTES>>>")[0]


async def test_a_glossary(model: ScriptedModel) -> None:
    sql = "SELECT COUNT(*) FROM patient WHERE insurer_id IS NULL"
    model.enqueue("sql", sql, sql)
    assert (await load_example("own_glossary").ask(model))["rows"] == [[64]]
    assert "a self-payer is a patient whose insurer_id is NULL" in notes(model)


async def test_a_context_tool(model: ScriptedModel) -> None:
    sql = "SELECT COUNT(*) FROM appointment"
    model.enqueue("sql", sql, sql)
    answer = await load_example("own_context_tool").ask(model)
    assert answer["status"] == "ok" and answer["notes"] == []
    assert "the appointments begin at 20" in notes(model)


async def test_a_check(model: ScriptedModel) -> None:
    wrong, right = "SELECT supervisor_id FROM doctor", "SELECT COUNT(supervisor_id) FROM doctor"
    model.enqueue("sql", wrong, wrong).enqueue("link", "{}").enqueue("verdict", f"verdict: wrong\n{right}")
    answer = await load_example("own_check").ask(model)
    assert answer["sql"] == right
    assert "The question asks for one number, but the query returns" in str(model.history[-1][1][-1].content)


async def test_a_check_that_refuses(model: ScriptedModel) -> None:
    bounded = f"{COUNT} AND starts_at >= '2020-01-01'"
    model.enqueue("sql", COUNT, COUNT).enqueue("link", "{}").enqueue("verdict", f"verdict: wrong\n{bounded}")
    answer = await load_example("own_query_check").ask(model)
    assert (answer["status"], answer["sql"]) == ("ok", bounded)
    assert [each["status"] for each in answer["candidates"]] == ["refused", "refused", "ok"]
    assert answer["candidates"][0]["error"].startswith("The table appointment is large: add a condition on starts_at")


async def test_a_query_that_the_check_can_not_read_is_refused(model: ScriptedModel) -> None:
    check = load_example("own_query_check").by_date
    with pytest.raises(ParseError):
        check("?", "SELECT FROM (", "clinic")


async def test_an_executor_with_a_cost_estimate(model: ScriptedModel) -> None:
    costly = "SELECT COUNT(*) FROM patient AS a, appointment AS b, diagnosis AS c, prescription AS d"
    cheap = "SELECT COUNT(*) FROM patient JOIN insurer USING (insurer_id) WHERE plan = 'Private'"
    model.enqueue("sql", costly, cheap).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    answer = await load_example("own_executor").ask(model)
    assert (answer["sql"], answer["status"]) == (cheap, "ok")
    first = answer["candidates"][0]
    assert (first["status"], first["error"]) == (
        "refused", "The query reads 4 tables from end to end, at most 2 may be."
    )  # fmt: skip


async def test_a_node(model: ScriptedModel) -> None:
    model.enqueue("sql", *["SELECT name FROM department"] * 2)
    answer = await load_example("own_node").ask(model)
    assert answer["sentence"].startswith("Which departments are there? 6 rows, confidence ")


async def test_a_tool_of_the_model_context_protocol(model: ScriptedModel) -> None:
    sql = "SELECT COUNT(*) FROM appointment WHERE status = 'No-show'"
    model.enqueue("sql", sql, sql)
    answer = await load_example("own_mcp_tool").ask(model)
    assert answer["status"] == "ok" and answer["notes"] == []
    assert "a no-show is an appointment with status 'No-show'" in notes(model)


NEEDS_MORE = ("team_with_a_supervisor.py", "tool_of_an_agent.py", "web_server_with_threads.py")
"""Programs that need another model, or serve for ever; `test_face_examples` runs their functions."""
PROGRAMS = sorted(
    path.name for path in EXAMPLES.glob("*.py") if not path.name.startswith("test_") and path.name not in NEEDS_MORE
)


@pytest.mark.model
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_example_runs_as_a_program(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    given: dict[str, Any] = {"cwd": tmp_path, "env": dict(os.environ), "input": "y\n" * 9}  # a person who approves
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **given)
    assert ended.returncode == 0 and ended.stdout.strip(), ended.stderr[-2000:]
