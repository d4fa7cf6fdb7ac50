"""What a caller may not see is in no prompt, no answer and no note, whatever the model asks for."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.execute_sql import make_execute_sql
from route_sql.tools.values.find_values import make_find_values

STAFF = """
CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT, wage TEXT, town TEXT);
CREATE TABLE payroll (staff_id INTEGER REFERENCES staff(id), iban TEXT);
CREATE TABLE visit (staff_id INTEGER REFERENCES staff(id), payroll_id INTEGER REFERENCES payroll(staff_id), day TEXT);
INSERT INTO staff VALUES (1, 'Ida', 'Wealthy', 'Bergen'), (2, 'Ole', 'Poor', 'Oslo');
INSERT INTO payroll VALUES (1, 'NO93 Iban');
INSERT INTO visit VALUES (1, 1, '2024-01-05');
"""
QUESTION = Question(question="Who in bergen is wealthy and has 'NO93 Iban'?", database="staff")
BASE = 'url = "staff.sqlite"\nhide = ["payroll", "visit.payroll_id"]\n'
CLERK = Context(strategy="single", hide=("staff.wage",))
SINGLE = Context(strategy="single")
ALL = "SELECT * FROM staff"


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    with closing(sqlite3.connect(tmp_path / "staff.sqlite")) as connection:
        connection.executescript(STAFF)
    (tmp_path / "databases.toml").write_text(f"[databases.staff]\n{BASE}")
    async with Catalog.from_toml(tmp_path / "databases.toml", {}) as opened:
        yield opened


def graph_of(model: ScriptedModel, catalog: Catalog, **given: Any) -> Any:
    return build_graph(model, catalog, **given)


def prompts(model: ScriptedModel, asked: str = QUESTION["question"]) -> str:
    """All prompts of the model, without the question itself."""
    texts = [str(message.content) for _, messages in model.history for message in messages]
    return "\n".join(texts).replace(asked, "")


def words_in(text: str, *words: str) -> list[str]:
    return [word for word in words if word in text.casefold()]


async def test_no_prompt_names_what_the_catalog_hides(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL, ALL)
    answer = await graph_of(model, catalog).ainvoke(QUESTION)
    assert answer["columns"] == ["id", "name", "wage", "town"]
    assert words_in(prompts(model), "payroll", "iban") == []
    # What is visible is there, the matched values too.
    assert words_in(prompts(model), "staff.town = 'bergen'", "staff.wage = 'wealthy'", "visit") == [
        "staff.town = 'bergen'",
        "staff.wage = 'wealthy'",
        "visit",
    ]


async def test_a_caller_sees_less_and_a_star_shows_what_it_sees(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL)
    answer = await graph_of(model, catalog).ainvoke(QUESTION, context=CLERK)
    assert (answer["columns"], answer["rows"][0]) == (["id", "name", "town"], [1, "Ida", "Bergen"])
    assert words_in(prompts(model) + json.dumps(answer), "payroll", "iban", "wage", "wealthy") == []


ASKED = [
    "SELECT wage FROM staff",
    "SELECT s.wage FROM staff AS s",
    "SELECT name FROM staff WHERE wage = 'Wealthy'",
    "SELECT name FROM staff ORDER BY staff.wage",
    "SELECT (SELECT max(wage) FROM staff)",
    "SELECT iban FROM payroll",
    "SELECT * FROM staff NATURAL JOIN payroll",
    "WITH x AS (SELECT * FROM payroll) SELECT * FROM x",
    "SELECT sql FROM sqlite_master",
    "SELECT visit.payroll_id FROM visit",
]


@pytest.mark.parametrize("sql", ASKED)
async def test_a_model_that_asks_for_it_gets_nothing_and_no_hint(
    model: ScriptedModel, catalog: Catalog, sql: str
) -> None:
    model.enqueue("sql", sql, sql).enqueue("link", '{"staff": ["wage"], "payroll": []}')
    model.enqueue("verdict", "right", "right").enqueue("continuation", sql.removeprefix("SELECT "))
    answer = await graph_of(model, catalog).ainvoke(QUESTION, context={"hide": ["staff.wage"]})
    assert answer["status"] in ("error", "refused")
    assert answer["rows"] == []
    said = prompts(model).replace(sql, "") + str(answer["error"]) + str(answer["notes"])
    hidden = ("wealthy", "iban", "payroll", "wage", "sqlite_master")
    assert [word for word in words_in(said, *hidden) if word not in sql.casefold()] == []
    for task in model.leftover:
        model.leftover[task].clear()


async def test_a_column_that_is_hidden_and_one_that_never_was_get_the_same_prompts(
    model: ScriptedModel, catalog: Catalog
) -> None:
    reported = []
    for name in ("wage", "cage"):
        sql = f"SELECT {name} FROM staff"
        model.history.clear()
        model.enqueue("sql", sql, sql).enqueue("link", "{}").enqueue("verdict", "right").enqueue("continuation", name)
        answer = await graph_of(model, catalog).ainvoke(QUESTION, context={"hide": ["staff.wage"]})
        reported.append((prompts(model) + str(answer["error"])).replace(name, "X"))
        for task in model.leftover:
            model.leftover[task].clear()
    assert reported[0] == reported[1]


async def test_callers_with_different_rights_do_not_mix(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", *[ALL] * 20)
    graph = graph_of(model, catalog)
    contexts = [CLERK, SINGLE] * 10
    answers = await asyncio.gather(*(graph.ainvoke(QUESTION, context=context) for context in contexts))
    for context, answer in zip(contexts, answers, strict=True):
        assert ("wage" in answer["columns"]) == (context is SINGLE)
        assert ("Wealthy" in json.dumps(answer)) == (context is SINGLE)
    reported = [str(messages[-1].content).replace(QUESTION["question"], "") for _, messages in model.history]
    assert sorted("wage" in text for text in reported) == [False] * 10 + [True] * 10
    assert ["wage" in text for text in reported] == ["Wealthy" in text for text in reported]


async def test_a_context_never_widens_what_the_catalog_shows(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", "SELECT iban FROM payroll")
    context = Context(strategy="single", allow=("*", "payroll", "payroll.iban"))
    answer = await graph_of(model, catalog).ainvoke(QUESTION, context=context)
    assert (answer["status"], answer["rows"]) == ("error", [])
    assert words_in(prompts(model), "payroll", "iban") == []


async def test_an_executor_that_knows_no_rights_is_not_asked(model: ScriptedModel, catalog: Catalog) -> None:
    @tool(response_format="content_and_artifact")
    async def own(sql: str, database: str) -> tuple[str, Outcome]:
        """Run SQL on the whole database."""
        return "", await catalog.get(database).execute(sql)

    model.enqueue("sql", ALL, ALL)
    graph = graph_of(model, catalog, executor=own)
    refused = await graph.ainvoke(QUESTION, context=CLERK)
    assert (refused["status"], refused["rows"]) == ("refused", [])
    assert (await graph.ainvoke(QUESTION, context=SINGLE))["status"] == "ok"


@pytest.mark.parametrize("rights", [{"hide": "staff.wage"}, {"allow": "staff"}, {"hide": [1]}, {"hide": None}])
async def test_rights_that_are_no_lists_are_not_taken(
    model: ScriptedModel, catalog: Catalog, rights: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="must be a list of names"):
        await graph_of(model, catalog).ainvoke(QUESTION, context=rights)


def test_a_model_is_not_offered_the_rights(catalog: Catalog) -> None:
    for offered, names in ((make_execute_sql(catalog), {"sql", "database", "seconds"}),
                           (make_find_values(catalog), {"question", "database"})):  # fmt: skip
        schema: Any = offered.tool_call_schema
        assert set(schema.model_json_schema()["properties"]) == names
