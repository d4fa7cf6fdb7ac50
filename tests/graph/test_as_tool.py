"""The graph as a tool of an agent: its arguments, its evidence and its caller's rights."""

from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from route_sql.graph.context import Context
from route_sql.graph.wiring import Graph, build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

ALL = "SELECT * FROM customer WHERE id = 1"
EVIDENCE = "a customer is a person"
QUESTION: dict[str, Any] = {"question": "Who is the first customer?", "database": "shop"}
KNOWING: dict[str, Any] = {**QUESTION, "evidence": EVIDENCE}
SINGLE = Context(strategy="single")

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")


class Outer(TypedDict, total=False):
    """The state of a graph that calls the tool."""

    columns: list[str]


def tool_of(graph: Graph) -> BaseTool:
    return graph.as_tool(name="ask", description="Ask a database.")


def around(tool: BaseTool, *inputs: dict[str, Any]) -> Any:
    """A graph whose one node calls the tool, as an agent's tool node does."""

    async def ask(state: Outer) -> Outer:
        answers = [await tool.ainvoke(each) for each in inputs]
        return Outer(columns=answers[-1]["columns"])

    builder = StateGraph(Outer, context_schema=Context)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    return builder.compile()


async def test_a_tool_of_the_graph_needs_no_evidence(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL, ALL)
    assert (await tool_of(build_graph(model, catalog)).ainvoke(dict(QUESTION)))["status"] == "ok"


@pytest.mark.parametrize("shown", [Graph.get_input_jsonschema, lambda graph: tool_of(graph).tool_call_schema])
def test_only_question_and_database_are_required(model: ScriptedModel, catalog: Catalog, shown: Any) -> None:
    schema = shown(build_graph(model, catalog))
    schema = schema if isinstance(schema, dict) else schema.model_json_schema()
    assert set(schema["properties"]) == {"question", "database", "evidence"}
    assert schema["required"] == ["question", "database"]
    assert all(each["type"] == "string" and each["description"] for each in schema["properties"].values())


async def test_a_tools_evidence_is_in_the_prompt_of_its_own_question_only(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", ALL, ALL)
    tool = tool_of(build_graph(model, catalog))
    await around(tool, dict(KNOWING), dict(QUESTION)).ainvoke({}, context=SINGLE)
    assert [EVIDENCE in str(messages[-1].content) for _, messages in model.history] == [True, False]


async def test_a_threads_next_question_comes_without_evidence(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL, ALL)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    for question in (KNOWING, QUESTION):
        await graph.ainvoke(question, {"configurable": {"thread_id": "1"}}, context=SINGLE)
    assert [EVIDENCE in str(messages[-1].content) for _, messages in model.history] == [True, False]


async def test_a_tool_within_a_graph_keeps_to_that_graphs_rights(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", ALL)
    outer = around(tool_of(build_graph(model, catalog)), dict(QUESTION))
    answer = await outer.ainvoke({}, context=Context(strategy="single", hide=("customer.city",)))
    assert answer["columns"] == ["id", "name"]
