"""Rows that the state keeps once are there wherever a candidate is shown, chosen or checked."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.asking import run_with_story
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph, make_builder
from route_sql.pages.run_page import run_page
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome

THREAD: Any = {"configurable": {"thread_id": "1"}}
QUESTION = Question(question="Which customers are there?", database="shop")
MANY = "SELECT a.name, b.name AS other, c.name AS third FROM customer a, customer b, customer c, customer d"
NAMES = "SELECT name FROM customer"
TWO = [f"{MANY} WHERE a.id < 3", f"{MANY} WHERE a.id > 1"]


async def test_a_picked_candidate_has_all_its_rows_and_is_not_approved_again(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", *TWO).enqueue("verdict", "verdict: right")
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    context = Context(approve=True, clarify=True, min_confidence=0.99)
    paused = await graph.ainvoke(QUESTION, THREAD, context=context, version="v2")
    while "approve" in paused.interrupts[0].value:
        paused = await graph.ainvoke(Command(resume=True), THREAD, version="v2")
    rows_of = (await graph.aget_state(THREAD)).values["rows_of"]
    (other,) = [sql for sql in paused.interrupts[0].value["readings"] if sql != rows_of]
    ended = await graph.ainvoke(Command(resume={"reading": other}), THREAD, version="v2")
    assert not ended.interrupts
    answer = ended.value
    assert (answer["sql"], answer["status"], len(answer["rows"]), answer["row_count"]) == (other, "ok", 54, 54)
    assert (await graph.aget_state(THREAD)).values["rows_of"] == other


@pytest.mark.parametrize(
    ("decision", "decided", "sql", "status", "row_count", "confidence"),
    [
        ({"type": "edit", "sql": NAMES}, {"agent": "person", "decision": "edited"}, NAMES, "ok", 3, 1.0),
        ({"type": "edit", "sql": "DROP TABLE sale"}, {"agent": "person"}, "DROP TABLE sale", "refused", 0, 0.0),
        ({"type": "reject"}, {"agent": "generate", "decision": "rejected"}, TWO[1], "refused", 0, 0.0),
        ({"type": "approve"}, {"agent": "generate", "decision": "approved"}, TWO[1], "ok", 54, None),
    ],
)
async def test_a_person_decides_about_a_query_that_runs_again_for_its_rows(
    model: ScriptedModel, catalog: Catalog, decision: Any, decided: dict[str, Any], sql: str, status: str,
    row_count: int, confidence: float | None,
) -> None:  # fmt: skip
    """The second query leads by the agreement of the third, so the state holds the rows of the first alone."""
    model.enqueue("sql", *TWO).enqueue("verdict", f"verdict: wrong\n{MANY} WHERE a.id >= 2")
    graph: Any = make_builder(model, catalog).compile(checkpointer=InMemorySaver(), interrupt_before=["answer"])
    await graph.ainvoke(QUESTION, THREAD, context=Context())
    paused = await graph.ainvoke(None, THREAD, context=Context(approve=True))
    assert paused["__interrupt__"][0].value["approve"] == TWO[1]
    answer = await graph.ainvoke(Command(resume=decision), THREAD)
    assert (answer["sql"], answer["status"], answer["row_count"]) == (sql, status, row_count)
    (listed,) = [each for each in answer["candidates"] if each["sql"] == sql]
    assert decided.items() <= listed.items() and confidence in (None, answer["confidence"])
    kept = (await graph.aget_state(THREAD)).values
    assert (kept["rows_of"], len(kept["rows"])) == (sql, row_count)
    assert kept.get("last_turn", {}).get("sql") == (sql if status == "ok" else None)


async def test_checks_and_the_corrector_see_rows_that_the_state_keeps_once(
    model: ScriptedModel, catalog: Catalog
) -> None:
    seen: list[int] = []

    def counting(question: str, sql: str, outcome: Outcome) -> None:
        seen.append(len(outcome["rows"]))

    model.enqueue("sql", *TWO).enqueue("verdict", "verdict: right")
    await build_graph(model, catalog, checks=[counting]).ainvoke(QUESTION)
    assert seen == [54, 54]
    assert "Ida | Ida | Ole" in str(model.history[-1][1][-1].content)


async def test_the_page_of_a_run_shows_the_rows_of_the_chosen_candidate(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", MANY)
    graph = build_graph(model, catalog)
    state = await run_with_story(graph, QUESTION, Context(strategy="single"), lambda event: None)
    assert not state["attempts"][0]["outcome"]["rows"]
    assert run_page(state).count("<td>Ida</td>") > len([row for row in state["rows"] for cell in row if cell == "Ida"])
