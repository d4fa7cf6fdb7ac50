"""The graph: nodes and edges, readable as a list."""

from collections.abc import Callable
from typing import Any, Unpack, get_args

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from route_sql.graph.context import Context
from route_sql.graph.executing import unrun
from route_sql.graph.extensions.arguments import require_schemas
from route_sql.graph.nodes import Nodes
from route_sql.graph.options import GraphOptions, make_nodes
from route_sql.graph.person.form import question_form
from route_sql.graph.reading import Router, first_node, node, recording_node
from route_sql.graph.state import Answer, Question
from route_sql.graph.strategies import (
    FOLLOWING,
    AfterClarify,
    AfterGround,
    Next,
    after,
    after_clarify,
    after_ground,
    next_agent,
)
from route_sql.graph.threads.beginning import QuestionGraph
from route_sql.graph.threads.state_versions import StoredState
from route_sql.graph.watching.traces import trace_policy
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

Builder = StateGraph[StoredState, Context, Question, Answer]
Graph = CompiledStateGraph[StoredState, Context, Question, Answer]


def build_graph(
    model: BaseChatModel,
    catalog: Catalog,
    *,
    checkpointer: BaseCheckpointSaver[str] | bool | None = None,
    **options: Unpack[GraphOptions],
) -> Graph:
    """The collaboration strategy, compiled (Multitask Collaboration Prompting; ROUTE, section 3.3).

    Args:
        model: Any chat model; text in, text out. Its own settings are kept.
        catalog: The databases that may be asked. The caller closes the catalog.
        checkpointer: Stores threads; `Context.approve` and follow-ups need one. True, inside another
            graph, uses the one of that graph.
        **options: Keyword arguments; see `GraphOptions` for each.

    Raises:
        InvalidInput: model or catalog is of another type, or an extension doesn't take the arguments that it gets.
    """
    return make_builder(model, catalog, **options).compile(checkpointer=checkpointer, name="route-sql")


def make_builder(
    model: BaseChatModel,
    catalog: Catalog,
    *,
    state_schema: type[Any] = StoredState,
    input_schema: type[Any] | None = None,
    output_schema: type[Any] = Answer,
    **options: Unpack[GraphOptions],
) -> Builder:
    """The same graph, not compiled: add nodes and edges of your own with LangGraph's API.

    The arguments are those of `build_graph`, and three schemas. `state_schema` is a `TypedDict` derived from `State`,
    with keys for nodes of your own; `input_schema` has `question` and `database`, and keys of your own;
    `output_schema` has the keys that `invoke` returns.

    Raises:
        InvalidInput: as for `build_graph`, or a schema lacks keys.
    """
    if not isinstance(catalog, Catalog):
        raise InvalidInput(f"the catalog must be a Catalog, not {catalog!r:.100}: Catalog.from_url(...) makes one")
    asked: type[Any] = input_schema or question_form(catalog.names())
    require_schemas(state_schema, asked, output_schema)
    # LangGraph shows this schema and passes the input unchanged, as a `Question`.
    builder = QuestionGraph(state_schema, context_schema=Context, input_schema=asked, output_schema=output_schema)
    _wire(builder, make_nodes(model, catalog, options))
    builder.uncached = frozenset(builder.nodes)
    return builder


def _wire(builder: Builder, nodes: Nodes) -> None:
    """Add the nodes and the edges."""
    traced = trace_policy(has_content=nodes.trace_content)
    for name, function in _functions(nodes).items():
        builder.add_node(
            name, function, trace_policy=traced, metadata={"description": first_sentence(getattr(nodes, name))}
        )

    builder.add_edge(START, "ground")
    builder.add_conditional_edges("ground", Router(after_ground), list(get_args(AfterGround)))
    builder.add_conditional_edges("clarify", Router(after_clarify), list(get_args(AfterClarify)))
    builder.add_conditional_edges("execute", Router(next_agent), list(get_args(Next)))
    for agent, targets in FOLLOWING.items():
        builder.add_conditional_edges(agent, Router(after(agent), otherwise="execute"), list(targets))
    builder.add_edge("answer", END)


def _functions(nodes: Nodes) -> dict[str, Any]:
    """The function of each node, by the node's name."""
    traced = nodes.trace_content
    return {
        "ground": first_node(nodes.ground, trace_content=traced),
        "clarify": node(nodes.clarify, needs="the readings", trace_content=traced),
        "link_schema": node(nodes.link_schema, trace_content=traced),
        "draft": node(nodes.draft, trace_content=traced),
        "generate": node(nodes.generate, trace_content=traced),
        "execute": recording_node(nodes.execute, unrun, trace_content=traced),
        "complete_joins": node(nodes.complete_joins, trace_content=traced),
        "correct_noise": node(nodes.correct_noise, trace_content=traced),
        "continue_writing": node(nodes.continue_writing, trace_content=traced),
        "sample": node(nodes.sample, trace_content=traced),
        "answer": node(nodes.answer, None, needs="its queries", trace_content=traced),
    }


def first_sentence(node: Callable[..., Any]) -> str:
    """The first line of a node's docstring, which Studio and other clients show."""
    return (node.__doc__ or "").partition("\n")[0]
