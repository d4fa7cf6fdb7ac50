"""OpenTelemetry spans by the conventions, in one trace, without prompts, rows and literals unless they are chosen."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.watching.spans import described_query
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

QUESTION = Question(question="Who lives in Bergen?", database="shop")
NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
SINGLE = Context(strategy="single")
THREAD: Any = {"configurable": {"thread_id": "1"}}


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    # A process has one provider; it is what a host configures.
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    return kept


@pytest.fixture(autouse=True)
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter


def by_name(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


async def test_a_run_is_one_trace_of_workflow_agents_calls_and_queries(
    spans: InMemorySpanExporter, model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", NAMES)
    await build_graph(model, catalog).ainvoke(QUESTION, context=SINGLE)
    found = by_name(spans)
    assert found.keys() == {
        "invoke_workflow route-sql", "ground", "invoke_agent generate", "chat scripted", "execute", "SELECT customer",
        "answer",
    }  # fmt: skip
    assert len({span.context.trace_id for span in found.values()}) == 1
    root = found["invoke_workflow route-sql"].context
    assert (
        root and found["invoke_agent generate"].parent and found["invoke_agent generate"].parent.span_id == root.span_id
    )
    agent, query = found["invoke_agent generate"].context, found["execute"].context
    assert found["chat scripted"].parent.span_id == agent.span_id  # type: ignore[union-attr]
    assert found["SELECT customer"].parent.span_id == query.span_id  # type: ignore[union-attr]


async def test_attributes_follow_the_conventions(
    spans: InMemorySpanExporter, model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", NAMES)
    await build_graph(model, catalog).ainvoke(QUESTION, context=SINGLE)
    found = by_name(spans)
    assert dict(found["chat scripted"].attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "scripted",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 4,
    }
    assert dict(found["SELECT customer"].attributes or {}) == {
        "db.system.name": "sqlite",
        "db.namespace": "shop",
        "db.operation.name": "SELECT",
        "db.query.summary": "SELECT customer",
        "db.query.text": "SELECT name FROM customer WHERE city = ?",
        "db.response.returned_rows": 2,
    }
    assert found["SELECT customer"].kind is trace.SpanKind.CLIENT


@pytest.mark.parametrize("chosen", [False, True])
async def test_content_is_there_by_choice_alone(
    spans: InMemorySpanExporter, model: ScriptedModel, catalog: Catalog, chosen: bool
) -> None:
    model.enqueue("sql", NAMES)
    await build_graph(model, catalog, trace_content=chosen).ainvoke(QUESTION, context=SINGLE)
    text = json.dumps([dict(span.attributes or {}) for span in spans.get_finished_spans()])
    assert ("Bergen" in text) is chosen and ("Who lives" in text) is chosen
    assert "Ida" not in text.replace("'Ida', 'Ole'", ""), "rows are in no span"


def everything_in(spans: InMemorySpanExporter) -> str:
    """Attributes, events and statuses of all spans."""
    return " ".join(span.to_json() for span in spans.get_finished_spans())


async def test_a_query_that_waits_for_a_person_is_no_error_and_its_literals_are_in_no_span(
    spans: InMemorySpanExporter, model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", NAMES)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", approve=True))
    assert all(span.status.status_code is trace.StatusCode.UNSET for span in spans.get_finished_spans())
    assert "execute" in by_name(spans) and "Bergen" not in everything_in(spans)


@pytest.mark.parametrize("chosen", [False, True])
async def test_each_span_that_an_error_passes_has_its_text_by_choice_alone(
    spans: InMemorySpanExporter, catalog: Catalog, chosen: bool
) -> None:
    def refuse(_: object, prompt: str) -> str:
        raise RuntimeError(f"the server can't read this: {prompt}")

    model = ScriptedModel(history=[], otherwise=refuse)
    with pytest.raises(RuntimeError):
        await build_graph(model, catalog, trace_content=chosen).ainvoke(QUESTION, context=SINGLE)
    assert ("Who lives" in everything_in(spans)) is chosen
    for name in ("chat scripted", "invoke_agent generate", "invoke_workflow route-sql"):
        span = by_name(spans)[name]
        assert (span.attributes or {})["error.type"] == "RuntimeError" and not span.status.is_ok
        texts = [(event.attributes or {})["exception.message"] for event in span.events]
        assert ["Who lives" in str(text) for text in texts] == [True] * chosen, name


class Hanging(ScriptedModel):
    """A model that never replies."""

    began: asyncio.Event = asyncio.Event()

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        self.began.set()
        return await asyncio.Event().wait()


async def test_a_call_that_the_time_budget_stopped_is_no_error(spans: InMemorySpanExporter, catalog: Catalog) -> None:
    model = Hanging(history=[], began=asyncio.Event())
    await build_graph(model, catalog).ainvoke(QUESTION, context=Context(strategy="single", seconds=2))
    assert (by_name(spans)["chat scripted"].attributes or {})["error.type"] == "CancelledError"
    assert all(span.status.status_code is trace.StatusCode.UNSET for span in spans.get_finished_spans())


@pytest.mark.parametrize("chosen", [False, True])
async def test_a_run_whose_client_left_is_no_error(spans: InMemorySpanExporter, catalog: Catalog, chosen: bool) -> None:
    model = Hanging(history=[], began=asyncio.Event())
    graph = build_graph(model, catalog, trace_content=chosen)
    run = asyncio.ensure_future(graph.ainvoke(QUESTION, context=SINGLE))
    await model.began.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    for name in ("chat scripted", "invoke_agent generate", "invoke_workflow route-sql"):
        span = by_name(spans)[name]
        assert (span.attributes or {})["error.type"] == "CancelledError"
        assert span.status.status_code is trace.StatusCode.UNSET and not span.events


@pytest.mark.parametrize("chosen", [False, True])
async def test_an_executor_that_asks_a_person_is_no_error(
    spans: InMemorySpanExporter, model: ScriptedModel, catalog: Catalog, chosen: bool
) -> None:
    @tool(response_format="content_and_artifact")
    async def asking(sql: str, database: str) -> tuple[str, Any]:
        """Ask a person before the query runs."""
        return "", interrupt({"may": "run"})

    model.enqueue("sql", NAMES)
    graph: Any = build_graph(model, catalog, executor=asking, checkpointer=InMemorySaver(), trace_content=chosen)
    await graph.ainvoke(QUESTION, THREAD, context=SINGLE)
    span = by_name(spans)["SELECT customer"]
    assert span.status.status_code is trace.StatusCode.UNSET and not span.events
    assert "error.type" not in (span.attributes or {})


async def test_a_query_that_fails_is_marked(
    spans: InMemorySpanExporter, model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", "SELECT nam FROM customer")
    await build_graph(model, catalog).ainvoke(QUESTION, context=SINGLE)
    span = by_name(spans)["SELECT customer"]
    assert (span.attributes or {})["error.type"] in ("error", "refused") and not span.status.is_ok


async def test_a_resumed_run_stays_in_its_trace(
    spans: InMemorySpanExporter, model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", NAMES)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    context = Context(strategy="single", approve=True)
    await graph.ainvoke(QUESTION, THREAD, context=context)
    assert "invoke_workflow route-sql" not in by_name(spans), "it waits"
    await graph.ainvoke(Command(resume=True), THREAD, context=context)
    found = spans.get_finished_spans()
    assert "invoke_workflow route-sql" in by_name(spans)
    assert len({span.context.trace_id for span in found}) == 1


async def test_a_run_that_breaks_off_ends_its_span(spans: InMemorySpanExporter, catalog: Catalog) -> None:
    with pytest.raises(AssertionError):
        await build_graph(ScriptedModel(history=[]), catalog).ainvoke(QUESTION, context=SINGLE)
    assert (by_name(spans)["invoke_workflow route-sql"].attributes or {})["error.type"] == "AssertionError"


@pytest.mark.parametrize(
    ("sql", "summary", "text"),
    [
        ("SELECT 1", "SELECT", "SELECT ?"),
        ("SELECT a FROM t JOIN u ON t.id = u.id WHERE b = 'x' LIMIT 3", "SELECT t u",
         "SELECT a FROM t JOIN u ON t.id = u.id WHERE b = ? LIMIT ?"),
        ("SELECT 'it''s' -- secret", "SELECT", "SELECT ?"),
        ("no SQL 'secret'", "", ""),
    ],
)  # fmt: skip
def test_a_query_is_described_without_its_literals(sql: str, summary: str, text: str) -> None:
    assert described_query(sql, "sqlite") == (summary, text) and "secret" not in text


FILE = "SELECT * FROM 'secret/Alice Smith.csv'"


@pytest.mark.parametrize(
    ("dialect", "sql", "summary", "text"),
    [
        ("duckdb", FILE, "SELECT", "SELECT * FROM ?"),
        ("duckdb", "FROM 'Alice.csv' JOIN visit USING (id)", "SELECT visit", "FROM ? JOIN visit USING (id)"),
        ("duckdb", "SELECT * FROM read_csv('Alice')", "SELECT", "SELECT * FROM read_csv(?)"),
        ("duckdb", 'SELECT * FROM "Alice Smith.csv"', "SELECT", "SELECT * FROM ?"),
        ("duckdb", 'SELECT "a b" FROM "Alice Smith"', "SELECT", 'SELECT "a b" FROM "Alice Smith"'),
        ("postgres", "SELECT * FROM 'Alice'", "SELECT", "SELECT * FROM ?"),
        ("postgres", "SELECT * FROM t, s.'Alice'", "SELECT t", "SELECT * FROM t, s.?"),
        ("postgres", 'SELECT * FROM "Visit" v', "SELECT Visit", 'SELECT * FROM "Visit" v'),
        ("postgres", "SELECT * FROM generate_series(1, 2)", "SELECT", "SELECT * FROM generate_series(?, ?)"),
        ("sqlite", "SELECT * FROM 'Alice'", "SELECT", "SELECT * FROM ?"),
        ("sqlite", 'SELECT * FROM "Alice"', "SELECT", "SELECT * FROM ?"),
        ("sqlite", "SELECT * FROM visit AS 'Alice'", "SELECT visit", "SELECT * FROM visit AS ?"),
        ("sqlite", "SELECT * FROM [Alice Smith]", "SELECT", "SELECT * FROM [Alice Smith]"),
        ("mysql", 'SELECT * FROM "Alice"', "SELECT", "SELECT * FROM ?"),
        ("mysql", "SELECT * FROM `visit`, 4711x", "SELECT visit", "SELECT * FROM `visit`, ?"),
    ],
)
def test_a_table_is_named_only_where_its_name_is_no_value(dialect: str, sql: str, summary: str, text: str) -> None:
    assert described_query(sql, dialect) == (summary, text)


async def test_a_refused_query_names_no_file(
    spans: InMemorySpanExporter, model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", FILE)
    await build_graph(model, catalog).ainvoke(QUESTION, context=SINGLE)
    assert (by_name(spans)["SELECT"].attributes or {})["error.type"] in ("error", "refused")
    assert "Alice" not in everything_in(spans)


@pytest.mark.parametrize(
    ("hidden", "summary", "text"),
    [
        ((), "SELECT customer", 'SELECT "name" FROM "customer" WHERE "city" = ?'),
        (("customer",), "SELECT", 'SELECT "name" FROM ? WHERE ? = ?'),  # another table has a "name"
    ],
)
async def test_quoted_names_that_the_caller_may_see_are_shown(
    spans: InMemorySpanExporter,
    model: ScriptedModel,
    catalog: Catalog,
    hidden: tuple[str, ...],
    summary: str,
    text: str,
) -> None:
    model.enqueue("sql", 'SELECT "name" FROM "customer" WHERE "city" = "Bergen"')
    await build_graph(model, catalog).ainvoke(QUESTION, context=Context(strategy="single", hide=hidden))
    found = by_name(spans)[summary].attributes or {}
    assert (found["db.query.summary"], found["db.query.text"]) == (summary, text)
    assert "Bergen" not in everything_in(spans)
