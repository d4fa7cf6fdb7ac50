"""OpenTelemetry spans by its conventions for generative AI and for databases, where a provider is configured.

Nothing is imported unless OpenTelemetry is installed, and nothing is recorded without a provider. Prompts, replies,
rows and the literals of SQL are left out unless the host chooses otherwise (`trace_content`).
"""

import json
from asyncio import CancelledError
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langgraph.errors import GraphBubbleUp
from sqlglot import exp

from route_sql.agents.call import Reply, settings_of
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.sql.literals import plain_names, without_literals
from route_sql.tools.sql.parsing import parse_query

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

AGENTS = ("link_schema", "draft", "generate", "correct_noise", "continue_writing", "sample")
WORKFLOW = "route-sql"
SYSTEMS = {"postgres": "postgresql"}
"""Names of database systems that differ from those of their dialects."""
MOST_OPEN = 1_000
"""Open spans of runs at most; a run that is never resumed must not stay forever."""
_OPEN: "OrderedDict[str, Span]" = OrderedDict()


def is_recording() -> bool:
    """Whether spans are recorded in this process."""
    return _tracer() is not None


def begin_workflow() -> str | None:
    """Begin the span of a run and return its `traceparent` for the state; None where nothing is recorded."""
    if (tracer := _tracer()) is None:
        return None
    attributes = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": WORKFLOW}
    span = tracer.start_span(f"invoke_workflow {WORKFLOW}", attributes=attributes)
    if not span.is_recording():
        return None
    where = span.get_span_context()
    place = f"00-{where.trace_id:032x}-{where.span_id:016x}-{where.trace_flags:02x}"
    _OPEN[place] = span
    while len(_OPEN) > MOST_OPEN:
        _OPEN.popitem(last=False)[1].end()
    return place


def end_workflow(place: str | None, error: BaseException | None = None, *, has_content: bool = False) -> None:
    """End the span of a run, if it began in this process."""
    if place is not None and (span := _OPEN.pop(place, None)) is not None:
        if error is not None:
            _fail(span, error, has_content=has_content)
        span.end()


@contextmanager
def node_span(node: str, place: str | None, *, has_content: bool) -> Iterator[None]:
    """The span of a node in that of its run; an agent's is an `invoke_agent`."""
    is_agent = node in AGENTS
    name = f"invoke_agent {node}" if is_agent else node
    given = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": node} if is_agent else {}
    with _span(name, "INTERNAL", {**given, "gen_ai.workflow.name": WORKFLOW}, place, has_content=has_content):
        try:
            yield
        except GraphBubbleUp:
            raise
        except BaseException as error:  # a cancelled run ends its span too; the error is raised again
            end_workflow(place, error, has_content=has_content)
            raise
    if node == "answer":
        end_workflow(place)


class ChatSpan:
    """The span of one call of the model."""

    def __init__(self, span: "Span | None", *, has_content: bool) -> None:
        """Keep the span; None records nothing."""
        self._span, self._has_content = span, has_content

    def reply(self, *replies: Reply) -> None:
        """Add the tokens of the replies, and by choice their texts."""
        if self._span is None:
            return
        found: dict[str, Any] = {
            "gen_ai.usage.input_tokens": sum(reply.prompt_tokens for reply in replies),
            "gen_ai.usage.output_tokens": sum(reply.completion_tokens for reply in replies),
        }
        cached = [reply.cached_tokens for reply in replies if reply.cached_tokens is not None]
        if cached:
            found["gen_ai.usage.cache_read.input_tokens"] = sum(cached)
        if (server := next((reply.server for reply in replies if reply.server), None)) is not None:
            found["server.address"] = server
        reasons = [reply.finish_reason for reply in replies if reply.finish_reason is not None]
        if reasons:
            found["gen_ai.response.finish_reasons"] = reasons
        if self._has_content:
            written = [{"role": "assistant", "parts": [{"type": "text", "content": each.text}]} for each in replies]
            found["gen_ai.output.messages"] = json.dumps(written)
        self._span.set_attributes(found)


@contextmanager
def chat_span(model: BaseChatModel, messages: Sequence[BaseMessage], *, has_content: bool) -> Iterator[ChatSpan]:
    """The span of a call of the model."""
    settings = settings_of(model)
    name = str(getattr(settings, "model", None) or getattr(settings, "model_name", None) or settings._llm_type)
    given: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": settings._llm_type,
        "gen_ai.request.model": name,
    }
    if has_content:
        given["gen_ai.input.messages"] = json.dumps([_message(each) for each in messages])
    with _span(f"chat {name}", "CLIENT", given, has_content=has_content) as span:
        yield ChatSpan(span, has_content=has_content)


class QuerySpan:
    """The span of one query."""

    def __init__(self, span: "Span | None") -> None:
        """Keep the span; None records nothing."""
        self._span = span

    def outcome(self, outcome: Outcome) -> None:
        """Add how the query ended."""
        if self._span is None:
            return
        self._span.set_attribute("db.response.returned_rows", outcome["row_count"])
        if outcome["error"] is not None:
            self._span.set_attribute("error.type", outcome["status"])
            self._span.set_status(_error_status())


@contextmanager
def query_span(
    sql: str, database: str, dialect: str, names: Collection[str] = (), *, has_content: bool
) -> Iterator[QuerySpan]:
    """The span of a query; its literals are question marks unless content is chosen. `names` are the schema's."""
    if _tracer() is None:
        yield QuerySpan(None)
        return
    summary, text = described_query(sql, dialect, names)
    given = {
        "db.system.name": SYSTEMS.get(dialect, dialect),
        "db.namespace": database,
        "db.operation.name": summary.partition(" ")[0],
        "db.query.summary": summary,
        "db.query.text": sql if has_content else text,
    }
    known = {key: value for key, value in given.items() if value}
    with _span(summary or f"query {database}", "CLIENT", known, has_content=has_content) as span:
        yield QuerySpan(span)


def described_query(sql: str, dialect: str, names: Collection[str] = ()) -> tuple[str, str]:
    """The summary of a query, such as `SELECT sale customer`, and its text without literals; empty if unreadable.

    The summary leaves out tables whose name may be a value, such as the file in `FROM 'patients/Ida.csv'`.
    """
    tree = parse_query(sql, dialect)
    if tree is None:
        return "", ""
    plain = plain_names(sql, dialect, names)
    tables = dict.fromkeys(table.name for table in tree.find_all(exp.Table) if table.name in plain)
    return " ".join(["SELECT", *tables])[:255], without_literals(sql, dialect, names)


@contextmanager
def _span(
    name: str, kind: str, attributes: Mapping[str, Any], place: str | None = None, *, has_content: bool = False
) -> "Iterator[Span | None]":
    """A span that is the current one in the block. An error is known by its class; its text may quote a prompt."""
    if (tracer := _tracer()) is None:
        yield None
        return
    from opentelemetry.trace import SpanKind, use_span

    span = tracer.start_span(
        name, context=_context_at(place) if place else None, kind=SpanKind[kind], attributes=attributes
    )
    # By default OpenTelemetry records the texts of exceptions, and takes an interrupt of the graph for one.
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield span if span.is_recording() else None
        except GraphBubbleUp:
            raise
        except BaseException as error:  # it is raised again
            _fail(span, error, has_content=has_content)
            raise


def _context_at(place: str) -> Any:
    """The context in which a run's span is the current one; read from the state, so that a resumed run has it too."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": place})


def _fail(span: "Span", error: BaseException, *, has_content: bool) -> None:
    """Mark a span whose work broke off, with the text of the error by choice; work that was stopped is no error."""
    span.set_attribute("error.type", type(error).__name__)
    if isinstance(error, CancelledError):
        return
    span.set_status(_error_status())
    if has_content:
        span.record_exception(error)


def _error_status() -> Any:
    from opentelemetry.trace import StatusCode

    return StatusCode.ERROR


def _message(message: BaseMessage) -> dict[str, Any]:
    role = {"human": "user", "ai": "assistant"}.get(message.type, message.type)
    return {"role": role, "parts": [{"type": "text", "content": str(message.text)}]}


@cache
def _found() -> bool:
    return find_spec("opentelemetry") is not None


def _tracer() -> "Tracer | None":
    """The tracer; None if OpenTelemetry is missing or its host has configured no provider."""
    if not _found():
        return None
    from opentelemetry.trace import ProxyTracerProvider, get_tracer, get_tracer_provider

    return None if isinstance(get_tracer_provider(), ProxyTracerProvider) else get_tracer("route_sql")
