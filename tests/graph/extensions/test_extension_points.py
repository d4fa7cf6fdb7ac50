"""What users bring: context tools, checks, an executor, approval, nodes, streams; and what the state holds."""

import asyncio
import json
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question, State
from route_sql.graph.wiring import build_graph, make_builder
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.errors import DatabaseUnavailable, UnknownDatabase
from route_sql.tools.execute_sql import make_execute_sql

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
QUESTION = Question(question="Who lives in bergen?", database="shop")
SINGLE = Context(strategy="single")


@tool
def glossary(question: str) -> list[str]:
    """The company's terms."""
    return ["a regular is a customer with two sales", f"asked was: {question}"]


async def broken(question: Question) -> list[str]:
    raise ConnectionError("the glossary server is down")


def graph_of(model: ScriptedModel, catalog: Catalog, **given: Any) -> Any:
    """The graph, untyped, as clients in JSON use it."""
    return build_graph(model, catalog, **given)


def prompt(model: ScriptedModel, call: int = -1) -> str:
    return str(model.history[call][1][-1].content)


async def test_notes_of_context_tools_and_matched_values_reach_the_prompt(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", NAMES)
    graph = graph_of(model, catalog, context_tools=[glossary])
    await graph.ainvoke(QUESTION, context=SINGLE)
    assert "<<<NOTES\ncustomer.city = 'Bergen'\na regular is a customer with two sales\n" in prompt(model)


async def test_a_context_tool_that_fails_is_reported_and_the_question_answered(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", NAMES)
    answer = await graph_of(model, catalog, context_tools=[broken]).ainvoke(QUESTION, context=SINGLE)
    assert answer["status"] == "ok"
    assert answer["notes"] == ["The context tool broken failed: ConnectionError: the glossary server is down"]


async def test_a_complaint_of_a_check_has_the_agents_look_again(model: ScriptedModel, catalog: Catalog) -> None:
    async def one_row(question: str, sql: str, outcome: Outcome) -> str | None:
        await asyncio.sleep(0)
        return "One row is wanted." if outcome["row_count"] > 1 else None

    one = f"{NAMES} LIMIT 1"
    model.enqueue("sql", NAMES, NAMES).enqueue("link", "{}").enqueue("verdict", f"verdict: wrong\n{one}")
    answer = await graph_of(model, catalog, checks=[one_row]).ainvoke(QUESTION)
    assert answer["sql"] == one
    assert "One row is wanted." in prompt(model)


async def test_an_executor_of_ones_own(model: ScriptedModel, catalog: Catalog) -> None:
    asked: list[str] = []

    @tool(response_format="content_and_artifact")
    async def audited(sql: str, database: str) -> tuple[str, Outcome]:
        """Run SQL and keep a record of it."""
        asked.append(sql)
        return "", await catalog.get(database).execute(sql)

    model.enqueue("sql", NAMES)
    answer = await graph_of(model, catalog, executor=audited).ainvoke(QUESTION, context=SINGLE)
    assert (asked, answer["row_count"]) == ([NAMES], 2)


@pytest.mark.parametrize(("decision", "status"), [(True, "ok"), ({"type": "reject"}, "refused")])
async def test_approval_is_asked_before_a_query_runs(
    model: ScriptedModel, catalog: Catalog, decision: object, status: str
) -> None:
    model.enqueue("sql", NAMES)
    graph = graph_of(model, catalog, checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    context = Context(strategy="single", approve=True)
    paused = await graph.ainvoke(QUESTION, thread, context=context, version="v2")
    assert [interrupt.value for interrupt in paused.interrupts] == [{"approve": NAMES, "database": "shop"}]
    answer = await graph.ainvoke(Command(resume=decision), thread, context=context)
    assert answer["status"] == status


async def test_a_node_of_ones_own(model: ScriptedModel, catalog: Catalog) -> None:
    async def shout(state: State) -> dict[str, object]:
        return {"notes": [f"{state['row_count']} rows!"]}

    builder = make_builder(model, catalog)
    builder.edges.discard(("answer", END))
    builder.add_node("shout", shout)
    builder.add_edge("answer", "shout")
    builder.add_edge("shout", END)
    model.enqueue("sql", NAMES)
    answer = await builder.compile().ainvoke(QUESTION, context=SINGLE)
    assert answer["notes"] == ["2 rows!"]


async def test_every_node_and_the_tokens_stream(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES)
    graph = graph_of(model, catalog)
    nodes: list[str] = []
    tokens: list[str] = []
    async for part in graph.astream(QUESTION, context=SINGLE, stream_mode=["updates", "messages"], version="v2"):
        if part["type"] == "updates":
            nodes.extend(part["data"])
        else:
            tokens.append(str(part["data"][0].content))
    assert nodes == ["ground", "generate", "execute", "answer"]
    assert "".join(tokens) == NAMES


async def test_the_state_is_json_to_the_last_field(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES, NAMES)
    graph = graph_of(model, catalog, checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    await graph.ainvoke(QUESTION, thread)
    state = (await graph.aget_state(thread)).values
    assert json.loads(json.dumps(state)) == state
    assert "sqlite" not in json.dumps(state)


async def test_a_second_question_on_a_thread_begins_anew(model: ScriptedModel, catalog: Catalog) -> None:
    graph = graph_of(model, catalog, checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    model.enqueue("sql", NAMES, NAMES, "SELECT city FROM customer")
    await graph.ainvoke({**QUESTION, "evidence": "Bergen is a city."}, thread)
    second = Question(question="Which cities do customers live in?", database="shop")
    answer = await graph.ainvoke(second, thread, context=SINGLE)
    assert answer["sql"] == "SELECT city FROM customer"
    assert len(answer["candidates"]) == len(answer["ledger"]) == 1
    assert "Evidence" not in prompt(model)


def test_question_and_answer_are_the_public_schemas(model: ScriptedModel, catalog: Catalog) -> None:
    graph = graph_of(model, catalog)
    asked = graph.get_input_jsonschema()
    assert set(asked["properties"]) == {"question", "database", "evidence"}
    assert {field["type"] for field in asked["properties"].values()} == {"string"}
    assert set(asked["required"]) == {"question", "database"}
    assert set(graph.get_output_jsonschema()["properties"]) == set(Answer.__annotations__)
    assert set(graph.get_context_jsonschema()["properties"]) >= {"strategy", "without", "row_limit", "deadline"}


async def test_a_context_may_be_plain_json(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES)
    answer = await graph_of(model, catalog).ainvoke(QUESTION, context={"strategy": "single"})
    assert len(answer["ledger"]) == 1


async def test_what_the_user_got_wrong_is_raised(model: ScriptedModel, catalog: Catalog, tmp_path: object) -> None:
    with pytest.raises(UnknownDatabase, match="did you mean 'shop'"):
        await graph_of(model, catalog).ainvoke({**QUESTION, "database": "shops"})
    (empty := catalog.get("shop").path.with_name("empty.sqlite")).touch()  # type: ignore[attr-defined]
    other, name = Catalog.from_url(empty)
    async with other:
        with pytest.raises(DatabaseUnavailable, match="has no tables"):
            await graph_of(model, other).ainvoke({**QUESTION, "database": name})


async def test_questions_side_by_side_do_not_mix(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", *[NAMES] * 8)
    graph = graph_of(model, catalog, executor=make_execute_sql(catalog))
    answers = await asyncio.gather(*(graph.ainvoke(QUESTION, context=SINGLE) for _ in range(8)))
    assert [len(answer["ledger"]) for answer in answers] == [1] * 8


async def test_a_large_schema_is_cut_and_the_answer_says_so(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES)
    context = Context(strategy="single", schema_chars=150)
    answer = await graph_of(model, catalog).ainvoke(QUESTION, context=context)
    assert answer["notes"] and "of 3 tables were shown" in answer["notes"][0]
    assert "customer (" in prompt(model)
