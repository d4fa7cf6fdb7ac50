"""State and output schemas of the caller's, and prompts that replace those of agents."""

from typing import Any

import pytest
from langchain_core.messages import BaseMessage, SystemMessage
from langgraph.cache.memory import InMemoryCache
from langgraph.graph import END
from langgraph.types import CachePolicy
from typing_extensions import TypedDict

import route_sql
from route_sql.agents.brief import Brief
from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question, QuestionArguments, State
from route_sql.graph.wiring import build_graph, make_builder
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

NAMES = "SELECT name FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")
SINGLE = Context(strategy="single")


class DeskState(State, total=False):
    """Our state, with keys of a help desk."""

    ticket: str
    summary: str


class DeskQuestion(Question):
    """A question with the desk's ticket."""

    ticket: str


class DeskAnswer(TypedDict):
    """An answer of the desk."""

    ticket: str
    summary: str
    sql: str | None


async def summarize(state: DeskState) -> dict[str, str]:
    return {"summary": f"{state['ticket']}: {state['row_count']} rows"}


def test_our_nodes_are_not_cached(model: ScriptedModel, catalog: Catalog) -> None:
    """LangGraph's cache would give one caller's rows to another, and skip approval."""
    for_all = make_builder(model, catalog).set_node_defaults(cache_policy=CachePolicy())
    with pytest.raises(InvalidInput, match=r"may not be cached, here answer, clarify, .*: a cache knows neither the c"):
        for_all.compile(cache=InMemoryCache())
    own = make_builder(model, catalog, state_schema=DeskState)
    own.add_node("summarize", summarize, cache_policy=CachePolicy())
    own.add_edge("answer", "summarize")
    own.compile(cache=InMemoryCache())


async def test_a_state_an_input_and_an_output_of_ones_own(model: ScriptedModel, catalog: Catalog) -> None:
    builder = make_builder(model, catalog, state_schema=DeskState, input_schema=DeskQuestion, output_schema=DeskAnswer)
    builder.edges.discard(("answer", END))
    builder.add_node("summarize", summarize)
    builder.add_edge("answer", "summarize")
    builder.add_edge("summarize", END)
    graph: Any = builder.compile()
    model.enqueue("sql", NAMES)
    answer = await graph.ainvoke({**QUESTION, "ticket": "T-7"}, context=SINGLE)
    assert answer == {"ticket": "T-7", "summary": "T-7: 3 rows", "sql": NAMES}
    assert set(graph.get_output_jsonschema()["properties"]) == {"ticket", "summary", "sql"}
    assert "ticket" in graph.get_input_jsonschema()["properties"]


async def test_evidence_may_be_left_out_of_an_input_of_ones_own(model: ScriptedModel, catalog: Catalog) -> None:
    class Form(QuestionArguments):
        """A question with the desk's ticket."""

        ticket: str = ""

    builder = make_builder(model, catalog, state_schema=DeskState, input_schema=Form)
    model.enqueue("sql", NAMES, NAMES)
    graph: Any = builder.compile()
    assert (await graph.ainvoke(QUESTION, context=SINGLE))["status"] == "ok"
    assert (await graph.ainvoke({**QUESTION, "evidence": "all of them"}, context=SINGLE))["status"] == "ok"
    assert "all of them" in str(model.history[-1][1][-1].content)


class Other(TypedDict):
    """A state of something else."""

    question: str


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"state_schema": Other}, r"state_schema lacks .*attempts.*derive it, class MyState\(route_sql.State\)"),
        ({"input_schema": Other}, r"input_schema lacks database: derive it"),
        ({"output_schema": DeskAnswer}, "state_schema lacks keys of the input or output, which are summary, ticket"),
        ({"input_schema": DeskQuestion}, "which are ticket: add them"),
        ({"state_schema": dict}, "state_schema lacks"),
    ],
)
async def test_schemas_that_lack_keys_are_said(
    model: ScriptedModel, catalog: Catalog, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        make_builder(model, catalog, **given)


def terse(brief: Brief) -> list[BaseMessage]:
    """A prompt of one's own."""
    return [*route_sql.conversation(brief, "Task: write one query. Prefer views."), SystemMessage("Be brief.")]


def stern(brief: Brief, sql: str, finding: str, *, failed: bool) -> list[BaseMessage]:
    """A prompt of one's own."""
    return route_sql.conversation(brief, f"Task: judge this SQL without mercy: {sql} ({finding}, {failed})")


async def test_prompts_are_replaced(catalog: Catalog) -> None:
    prompts: list[str] = []

    def reply(task: str, prompt: str) -> str:
        return {"sql": NAMES, "verdict": "verdict: right", "link": "{}"}[task]

    model = ScriptedModel(history=[], otherwise=reply)
    replaced = route_sql.Prompts(generate=lambda brief: terse(brief)[:-1], correct_noise=stern)
    graph: Any = build_graph(model, catalog, prompts=replaced, checks=[lambda question, sql, outcome: "No."])
    answer: Answer = await graph.ainvoke(QUESTION)
    assert answer["sql"] == NAMES
    prompts = [str(messages[-1].content) for _, messages in model.history]
    by_task = dict(zip(model.tasks, prompts, strict=True))
    assert by_task["sql"].endswith("Task: write one query. Prefer views.")
    assert by_task["verdict"].endswith(f"Task: judge this SQL without mercy: {NAMES} (No., False)")
    assert by_task["link"].endswith("DESC") or "Task: name the tables" in by_task["link"]
    assert all(prompt.startswith("<<<SCHEMA") for prompt in prompts)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"generate": lambda: []}, "prompt generate <lambda> must be a function of .brief."),
        ({"correct_noise": terse}, "prompt correct_noise terse must be a function of .brief, sql, finding."),
        ({"link_schema": "Task: link"}, "prompt link_schema str must be a function"),
    ],
)
async def test_a_prompt_that_can_not_be_made_is_said(
    model: ScriptedModel, catalog: Catalog, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        build_graph(model, catalog, prompts=route_sql.Prompts(**given))
