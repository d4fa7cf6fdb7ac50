"""Options of `build_graph`, and the nodes that they make."""

from collections.abc import Sequence
from typing import TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool

from route_sql.agents.brief import Wording
from route_sql.agents.call import settings_of
from route_sql.agents.prompts import Prompts
from route_sql.graph.checks import Check, QueryCheck
from route_sql.graph.confidence import Calibration, calibration_of, checked_calibration
from route_sql.graph.extensions.arguments import (
    audit_log,
    check_extensions,
    checked_prompts,
    context_extensions,
    executor_extension,
    seconds_of,
)
from route_sql.graph.extensions.audit import Audit, AuditLog
from route_sql.graph.extensions.extension import SECONDS, Extension
from route_sql.graph.grounding import ContextTool
from route_sql.graph.nodes import Nodes
from route_sql.graph.schemas import Schemas
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput
from route_sql.tools.execute_sql import make_execute_sql
from route_sql.tools.values.find_values import ValueIndexes, make_find_values


class GraphOptions(TypedDict, total=False):
    """Keyword arguments of `build_graph` and `make_builder`. Each may be left out."""

    wording: Wording | None
    """`tuned` for a model made by our training, else `instruct`; None for the model's own, which ChatTGI asks its
    server for."""
    prompts: Prompts | None
    """Replaces the prompts of agents."""
    calibration: Calibration | None
    """Makes a probability of an answer's signals; None for the model's own, if it has one."""
    context_tools: Sequence[ContextTool]
    """Give notes before the agents start, in addition to our own search for matching values."""
    checks: Sequence[Check]
    """Take (question, sql, outcome) of each candidate that ran; give a complaint or None."""
    query_checks: Sequence[QueryCheck]
    """Take (question, sql, database) before a query runs; a complaint refuses the query."""
    extension_seconds: float
    """Seconds that one call of a context tool or check may take. One that is slower or raises becomes a note of the
    answer; a query check that does so refuses the query."""
    executor: BaseTool | None
    """Replaces `execute_sql`: a tool with its arguments, whose artifact is an `Outcome`. It may take five seconds
    longer than the query's deadline, and its result is cut to the database's limits."""
    audit: AuditLog | None
    """Gets a line of JSON (a logger) or an `AuditEntry` (a function) for each query. If that fails, the query's result
    is withheld."""
    trace_content: bool
    """Let traces (OpenTelemetry, LangSmith's nodes) hold rows, prompts, replies and literals too."""


def make_nodes(model: BaseChatModel, catalog: Catalog, options: GraphOptions) -> Nodes:
    """The nodes of a graph.

    Raises:
        TypeError: an option has an unknown name.
        InvalidInput: the model is no chat model, the calibration is not one, or an extension can't be called with the
            arguments that it gets.
    """
    _require_known(options)
    if not isinstance(settings_of(model), BaseChatModel):
        raise InvalidInput(
            f"the model must be a LangChain chat model, not {model!r:.100}: ChatTGI(base_url=...) asks a server, "
            "EmbeddedServer(...).chat_model() a model on this machine. One with bind, with_config or with_retry is "
            "one too; a chain, or one with fallbacks, is not"
        )
    schemas, indexes = Schemas(catalog), ValueIndexes()
    seconds = seconds_of(options.get("extension_seconds", SECONDS))
    given_tools = context_extensions(options.get("context_tools", ()), seconds)
    return Nodes(
        model=model,
        catalog=catalog,
        schemas=schemas,
        indexes=indexes,
        wording=options.get("wording"),
        prompts=checked_prompts(options.get("prompts")),
        calibration=checked_calibration(options.get("calibration")) or calibration_of(model),
        context_tools=(make_find_values(catalog, indexes, schemas.recent), *given_tools),
        checks=_checks(options, seconds),
        query_checks=_query_checks(options, seconds),
        executor=executor_extension(options.get("executor") or make_execute_sql(catalog)),
        audit=Audit(audit_log(options.get("audit")), seconds),
        trace_content=options.get("trace_content", False),
    )


def _require_known(options: GraphOptions) -> None:
    known = GraphOptions.__annotations__
    if unknown := sorted(options.keys() - known):
        raise TypeError(f"build_graph has no argument {', '.join(unknown)}; its options are {', '.join(known)}")


def _checks(options: GraphOptions, seconds: float) -> tuple[Extension, ...]:
    return check_extensions("check", options.get("checks", ()), ("question", "sql", "outcome"), seconds)


def _query_checks(options: GraphOptions, seconds: float) -> tuple[Extension, ...]:
    names = ("question", "sql", "database")
    return check_extensions("query check", options.get("query_checks", ()), names, seconds)
