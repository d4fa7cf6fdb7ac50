"""A candidate that fails for want of a join gets it, and is then a candidate like others."""

from typing import Any

import pytest

from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph, make_builder
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

LACKING = "SELECT city FROM sale WHERE day > '2024-02-01'"
CITIES = "SELECT T1.city FROM sale JOIN customer AS T1 ON sale.customer_id = T1.id WHERE sale.day > '2024-02-01'"
NAMES = "SELECT name FROM customer WHERE id IN (SELECT customer_id FROM sale WHERE day > '2024-02-01')"
OTHERS = "SELECT name FROM customer WHERE city = 'Oslo'"
UNKNOWN = "SELECT shoe_size FROM customer"


async def ask(model: ScriptedModel, catalog: Catalog, **choices: Any) -> tuple[Answer, list[tuple[str, str]]]:
    graph = build_graph(model, catalog)
    question = Question(question="Where did they live who bought late?", database="shop")
    answer = (await graph.ainvoke(question, context=Context(**choices), version="v2")).value
    return answer, [(candidate["agent"], candidate["status"]) for candidate in answer["candidates"]]


async def test_a_candidate_that_another_agrees_with(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", LACKING, CITIES + " ORDER BY 1").enqueue("link", "{}")
    answer, tried = await ask(model, catalog)
    assert tried == [("draft", "error"), ("complete_joins", "ok"), ("generate", "ok")]
    assert answer["rows"] == [["Bergen"]] and model.tasks == ["sql", "link", "sql"]
    linked = model.history[2][1][-1].text
    assert "customer (" in linked and "product (" not in linked, "the generator is shown what was joined"


async def test_what_the_model_wrote_stands_above_what_was_mended(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", LACKING, OTHERS).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    answer, _ = await ask(model, catalog)
    assert answer["sql"] == OTHERS


async def test_the_candidates_of_every_agent_are_looked_at(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", UNKNOWN, LACKING).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    answer, tried = await ask(model, catalog)
    assert (answer["sql"], answer["status"]) == (CITIES, "ok")
    assert tried == [("draft", "error"), ("generate", "error"), ("complete_joins", "ok")]


async def test_where_two_tables_are_as_near_nothing_is_guessed(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", "SELECT name FROM sale", NAMES).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    answer, tried = await ask(model, catalog)
    assert tried == [("draft", "error"), ("generate", "ok")] and answer["sql"] == NAMES


async def test_no_row_for_want_of_a_key(model: ScriptedModel, catalog: Catalog) -> None:
    off_key = "SELECT T1.city FROM customer AS T1 JOIN sale AS T2 ON T1.name = T2.day WHERE T2.product_id = 2"
    model.enqueue("sql", off_key, OTHERS).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    answer, tried = await ask(model, catalog)
    assert tried == [("draft", "empty"), ("complete_joins", "ok"), ("generate", "ok")]
    assert answer["candidates"][1]["sql"] == off_key.replace("T1.name = T2.day", "T1.id = T2.customer_id")


CHANCE = "SELECT T1.name FROM customer AS T1 JOIN sale AS T2 ON T1.id = T2.product_id WHERE T2.day > '2024-02-01'"


async def test_rows_that_meet_by_chance(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", CHANCE, NAMES).enqueue("link", "{}")
    answer, tried = await ask(model, catalog)
    assert tried == [("draft", "ok"), ("complete_joins", "ok"), ("generate", "ok")]
    assert answer["sql"] == NAMES and model.tasks == ["sql", "link", "sql"], "two agree, so nobody else is asked"
    assert answer["candidates"][1]["sql"] == CHANCE.replace("T2.product_id", "T2.customer_id")


async def test_the_noise_corrector_is_told_of_keys_that_have_nothing_in_common(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", CHANCE, CHANCE).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    answer, _ = await ask(model, catalog, without=("complete_joins",))
    assert "T1.id = T2.product_id compares keys of different things" in model.history[-1][1][-1].text
    assert answer["sql"] == CHANCE


async def test_a_callers_doubt_of_a_query_whose_joins_are_on_keys(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", CITIES, CITIES).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    graph = build_graph(model, catalog, checks=[lambda question, sql, outcome: "Too few."])
    answer = await graph.ainvoke({"question": "Where?", "database": "shop"})
    assert [candidate["agent"] for candidate in answer["candidates"]] == ["draft", "generate"]


async def test_no_join_leads_to_what_the_caller_may_not_see(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", LACKING, NAMES).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    _, tried = await ask(model, catalog, hide=("customer.city",))
    assert [agent for agent, _ in tried] == ["draft", "generate"]


@pytest.mark.parametrize("choices", [{"without": ("complete_joins",)}, {"strategy": "paper"}])
async def test_it_can_be_switched_off_and_is_not_published(
    model: ScriptedModel, catalog: Catalog, choices: dict[str, Any]
) -> None:
    model.enqueue("sql", LACKING, NAMES).enqueue("link", "{}").enqueue("verdict", "verdict: right")
    _, tried = await ask(model, catalog, **choices)
    assert tried == [("draft", "error"), ("generate", "ok")]


async def test_single_is_one_call_and_no_more(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", LACKING)
    answer, _ = await ask(model, catalog, strategy="single")
    assert answer["status"] == "error"


async def test_a_doubted_join_is_repaired_once(model: ScriptedModel, catalog: Catalog) -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    graph: Any = make_builder(model, catalog).compile(checkpointer=InMemorySaver(), interrupt_before=["complete_joins"])
    config: Any = {"configurable": {"thread_id": "1"}}
    model.enqueue("sql", CHANCE, NAMES).enqueue("link", "{}")
    await graph.ainvoke({"question": "Where?", "database": "shop"}, config)
    (attempt,) = (await graph.aget_state(config)).values["attempts"]
    assert attempt["repaired"] == CHANCE.replace("T2.product_id", "T2.customer_id") and not attempt.get("joins_checked")
    changed = {"at": 0, "set": {"repaired": NAMES}}
    edited = await graph.aupdate_state(config, {"attempts": changed}, as_node="execute")
    answer = await graph.ainvoke(None, edited)
    assert answer["candidates"][1]["sql"] == NAMES, "the kept repair is run, no other is computed"
    assert (await graph.aget_state(config)).values["attempts"][0]["joins_checked"] is True


async def test_a_thread_begins_anew(model: ScriptedModel, catalog: Catalog) -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    graph = build_graph(model, catalog, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    for _ in range(2):
        model.enqueue("sql", LACKING, CITIES + " ORDER BY 1").enqueue("link", "{}")
        answer = await graph.ainvoke({"question": "Where?", "database": "shop"}, config)
        assert [candidate["agent"] for candidate in answer["candidates"]] == ["draft", "complete_joins", "generate"]
