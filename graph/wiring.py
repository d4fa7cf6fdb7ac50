"""The graph: nodes and edges, readable as a list."""

from collections.abc import Callable, Sequence
from typing import Any, get_args

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from route_sql.agents.brief import Wording
from route_sql.agents.prompts import Prompts
from route_sql.graph.checks import Check, QueryCheck
from route_sql.graph.confidence import Calibration, calibration_of
from route_sql.graph.context import Context
from route_sql.graph.executing import unrun
from route_sql.graph.extensions.arguments import (
    audit_log,
    check_extensions,
    checked_prompts,
    context_extensions,
    executor_extension,
    require_schemas,
    seconds_of,
)
from route_sql.graph.extensions.audit import Audit, AuditLog
from route_sql.graph.extensions.extension import SECONDS
from route_sql.graph.grounding import ContextTool
from route_sql.graph.nodes import Nodes
from route_sql.graph.person.form import question_form
from route_sql.graph.reading import Router, answering_node, first_node, node, recording_node
from route_sql.graph.schemas import Schemas
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
from route_sql.tools.execute_sql import make_execute_sql
from route_sql.tools.values.find_values import ValueIndexes, make_find_values

Builder = StateGraph[StoredState, Context, Question, Answer]
Graph = CompiledStateGraph[StoredState, Context, Question, Answer]


def build_graph(
    model: BaseChatModel,
    catalog: Catalog,
    *,
    wording: Wording | None = None,
    prompts: Prompts | None = None,
    calibration: Calibration | None = None,
    context_tools: Sequence[ContextTool] = (),
    checks: Sequence[Check] = (),
    query_checks: Sequence[QueryCheck] = (),
    extension_seconds: float = SECONDS,
    executor: BaseTool | None = None,
    audit: AuditLog | None = None,
    trace_content: bool = False,
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> Graph:
    """The collaboration strategy, compiled (Multitask Collaboration Prompting; ROUTE, section 3.3).

    Args:
        model: Any chat model; text in, text out. It is asked with the settings it comes with.
        catalog: The databases that may be asked. It stays the caller's to close.
        wording: `tuned` for a model made by our training, else `instruct`; None for the model's own, which ChatTGI
            asks its server for.
        prompts: Replaces the prompts of agents.
        calibration: Makes a probability of an answer's signals; None for the model's own, if it has one.
        context_tools: Give notes before the agents start, in addition to our own search for matching values.
        checks: Look at (question, sql, outcome) of each candidate that ran and complain or not.
        query_checks: Look at (question, sql, database) before a query runs; a complaint refuses the query.
        extension_seconds: Seconds that one call of a context tool or check may take. One that is slower or raises
            becomes a note of the answer; a query check that does so refuses the query.
        executor: Replaces `execute_sql`: a tool with its arguments, whose artifact is an `Outcome`. It may take five
            seconds longer than the query's deadline, and its result is cut to the database's limits.
        audit: Gets a line of JSON (a logger) or an `AuditEntry` (a function) for each query. If that fails, the
            query's result is withheld.
        trace_content: Let traces (OpenTelemetry, LangSmith's nodes) hold rows, prompts, replies and literals too.
        checkpointer: Needed for `Context.approve` and for threads that outlive a process.

    Raises:
        InvalidInput: an extension can't be called with the arguments that it gets.
    """
    builder = make_builder(
        model,
        catalog,
        wording=wording,
        prompts=prompts,
        calibration=calibration,
        context_tools=context_tools,
        checks=checks,
        query_checks=query_checks,
        extension_seconds=extension_seconds,
        executor=executor,
        audit=audit,
        trace_content=trace_content,
    )
    return builder.compile(checkpointer=checkpointer, name="route-sql")


def make_builder(
    model: BaseChatModel,
    catalog: Catalog,
    *,
    wording: Wording | None = None,
    prompts: Prompts | None = None,
    calibration: Calibration | None = None,
    context_tools: Sequence[ContextTool] = (),
    checks: Sequence[Check] = (),
    query_checks: Sequence[QueryCheck] = (),
    extension_seconds: float = SECONDS,
    executor: BaseTool | None = None,
    audit: AuditLog | None = None,
    trace_content: bool = False,
    state_schema: type[Any] = StoredState,
    input_schema: type[Any] | None = None,
    output_schema: type[Any] = Answer,
) -> Builder:
    """The same graph, not compiled: add nodes and edges of your own with LangGraph's API.

    The arguments are those of `build_graph`, and three schemas. `state_schema` is a `TypedDict` derived from `State`,
    with keys for nodes of your own; `input_schema` has `question` and `database`, and keys of your own;
    `output_schema` has the keys that `invoke` returns.

    Raises:
        InvalidInput: as for `build_graph`, or a schema lacks keys.
    """
    asked: type[Any] = input_schema or question_form(catalog.names())
    require_schemas(state_schema, asked, output_schema)
    seconds = seconds_of(extension_seconds)
    schemas = Schemas(catalog)
    indexes = ValueIndexes()
    nodes = Nodes(
        model=model,
        catalog=catalog,
        schemas=schemas,
        wording=wording,
        prompts=checked_prompts(prompts),
        audit=Audit(audit_log(audit), seconds),
        calibration=calibration or calibration_of(model),
        executor=executor_extension(executor or make_execute_sql(catalog)),
        context_tools=(make_find_values(catalog, indexes, schemas.recent), *context_extensions(context_tools, seconds)),
        checks=check_extensions("check", checks, ("question", "sql", "outcome"), seconds),
        query_checks=check_extensions("query check", query_checks, ("question", "sql", "database"), seconds),
        trace_content=trace_content,
        indexes=indexes,
    )
    # LangGraph shows this schema and passes the input unchanged, as a `Question`.
    builder = QuestionGraph(state_schema, context_schema=Context, input_schema=asked, output_schema=output_schema)
    _wire(builder, nodes)
    return builder


def _wire(builder: Builder, nodes: Nodes) -> None:
    """Add the nodes and the edges."""
    add: dict[str, Any] = {
        "ground": first_node(nodes.ground),
        "clarify": node(nodes.clarify),
        "link_schema": node(nodes.link_schema),
        "draft": node(nodes.draft),
        "generate": node(nodes.generate),
        "execute": recording_node(nodes.execute, unrun),
        "complete_joins": node(nodes.complete_joins),
        "correct_noise": node(nodes.correct_noise),
        "continue_writing": node(nodes.continue_writing),
        "answer": answering_node(nodes.answer),
    }
    traced = trace_policy(has_content=nodes.trace_content)
    for name, function in add.items():
        builder.add_node(name, function, trace_policy=traced, metadata={"description": described(getattr(nodes, name))})

    builder.add_edge(START, "ground")
    builder.add_conditional_edges("ground", Router(after_ground), list(get_args(AfterGround)))
    builder.add_conditional_edges("clarify", Router(after_clarify), list(get_args(AfterClarify)))
    builder.add_conditional_edges("execute", Router(next_agent), list(get_args(Next)))
    for agent, targets in FOLLOWING.items():
        builder.add_conditional_edges(agent, Router(after(agent), otherwise="execute"), list(targets))
    builder.add_edge("answer", END)


def described(node: Callable[..., Any]) -> str:
    """The first sentence on a node, which Studio and other clients show."""
    return (node.__doc__ or "").partition("\n")[0]
