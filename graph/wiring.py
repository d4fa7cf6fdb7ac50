"""The graph: nodes and edges, readable as a list."""

from collections.abc import Sequence
from typing import cast, get_args

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from route_sql.agents.brief import Wording
from route_sql.graph.beginning import QuestionGraph
from route_sql.graph.checks import Check
from route_sql.graph.confidence import Calibration, calibration_of
from route_sql.graph.context import Context
from route_sql.graph.grounding import ContextTool
from route_sql.graph.nodes import Nodes
from route_sql.graph.reading import in_both_ways, node, recording_node, router
from route_sql.graph.state import Answer, Question, QuestionArguments
from route_sql.graph.state_versions import StoredState
from route_sql.graph.strategies import First, Next, first_agents, next_agent
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.execute_sql import make_execute_sql
from route_sql.tools.values.find_values import make_find_values

Builder = StateGraph[StoredState, Context, Question, Answer]
Graph = CompiledStateGraph[StoredState, Context, Question, Answer]


def build_graph(
    model: BaseChatModel,
    catalog: Catalog,
    *,
    wording: Wording | None = None,
    calibration: Calibration | None = None,
    context_tools: Sequence[ContextTool] = (),
    checks: Sequence[Check] = (),
    executor: BaseTool | None = None,
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> Graph:
    """The collaboration strategy, compiled (Multitask Collaboration Prompting; ROUTE, section 3.3).

    Args:
        model: Any chat model; text in, text out. It is asked with the settings it comes with.
        catalog: The databases that may be asked. It stays the caller's to close.
        wording: `tuned` for a model made by our training, else `instruct`; None for the model's own, which ChatTGI
            asks its server for.
        calibration: Makes a probability of an answer's signals; None for the model's own, if it has one.
        context_tools: Give notes before the agents start, in addition to our own search for matching values.
        checks: Look at (question, sql, outcome) of each candidate that ran and complain or not.
        executor: Replaces `execute_sql`: a tool with its arguments, whose artifact is an `Outcome`.
        checkpointer: Needed for `Context.approve` and for threads that outlive a process.
    """
    builder = make_builder(
        model,
        catalog,
        wording=wording,
        calibration=calibration,
        context_tools=context_tools,
        checks=checks,
        executor=executor,
    )
    return builder.compile(checkpointer=checkpointer, name="route-sql")


def make_builder(
    model: BaseChatModel,
    catalog: Catalog,
    *,
    wording: Wording | None = None,
    calibration: Calibration | None = None,
    context_tools: Sequence[ContextTool] = (),
    checks: Sequence[Check] = (),
    executor: BaseTool | None = None,
) -> Builder:
    """The same graph, not compiled: add nodes and edges of your own with LangGraph's API. Arguments as above."""
    nodes = Nodes(
        model=model,
        catalog=catalog,
        wording=wording,
        calibration=calibration or calibration_of(model),
        executor=executor or make_execute_sql(catalog),
        context_tools=(make_find_values(catalog), *context_tools),
        checks=tuple(checks),
    )
    # LangGraph shows this schema and passes the input unchanged, as a `Question`.
    arguments = cast(type[Question], QuestionArguments)
    builder = QuestionGraph(StoredState, context_schema=Context, input_schema=arguments, output_schema=Answer)
    builder.add_node("ground", in_both_ways(nodes.ground, "ground"))
    builder.add_node("link_schema", node(nodes.link_schema))
    builder.add_node("draft", node(nodes.draft))
    builder.add_node("generate", node(nodes.generate))
    builder.add_node("execute", recording_node(nodes.execute))
    builder.add_node("complete_joins", node(nodes.complete_joins))
    builder.add_node("correct_noise", node(nodes.correct_noise))
    builder.add_node("continue_writing", node(nodes.continue_writing))
    builder.add_node("answer", node(nodes.answer))

    builder.add_edge(START, "ground")
    builder.add_conditional_edges("ground", router(first_agents), list(get_args(First)))
    builder.add_edge("link_schema", "execute")
    builder.add_edge("draft", "execute")
    builder.add_edge("generate", "execute")
    builder.add_conditional_edges("execute", router(next_agent), list(get_args(Next)))
    builder.add_edge("complete_joins", "execute")
    builder.add_edge("correct_noise", "execute")
    builder.add_edge("continue_writing", "execute")
    builder.add_edge("answer", END)
    return builder
