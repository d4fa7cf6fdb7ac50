"""The four tools of the server: ask, schema, execute and check. Each works with the rights of its caller."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

import anyio
from mcp.server.mcpserver import Context as CallContext
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent

from route_sql.faces.reply import reply_of
from route_sql.graph.asking import answer_in, run_with_story
from route_sql.graph.context import Context
from route_sql.graph.events import Event
from route_sql.graph.grounding import askable_schema
from route_sql.graph.state import Question, State
from route_sql.graph.wiring import Graph
from route_sql.mcp.callers import Caller, present_caller
from route_sql.mcp.results import ROWS, SchemaResult, ask_result, check_result, execute_result
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.engine import Database
from route_sql.tools.database.visible import refusal_in
from route_sql.tools.errors import RouteError
from route_sql.tools.execute_sql import render_outcome
from route_sql.tools.schema.rendering import render

T = TypeVar("T")

TEXT_CHARS = 8_000
"""Characters of a result's text at most; the structured content has all of it."""
BLANK = "The question is blank. Ask in words, such as: How many orders were paid in May?"


@asynccontextmanager
async def as_tool_errors() -> AsyncIterator[None]:
    """Turn our errors, whose messages say what to do, into errors of the tool; others keep their traceback in the log.

    Raises:
        ToolError: a `RouteError` was raised.
    """
    try:
        yield
    except RouteError as error:
        raise ToolError(str(error)) from error


@dataclass(frozen=True)
class DatabaseTools:
    """The work of the server's tools.

    Args:
        catalog: The databases.
        graph: The graph on them.
        context: Choices of every question.
    """

    catalog: Catalog
    graph: Graph
    context: Context

    async def ask(self, question: str, database: str, evidence: str, call: CallContext) -> CallToolResult:
        """Ask a question; each step is reported as progress."""
        if not question.strip():
            raise ToolError(BLANK)
        async with as_tool_errors():
            asked = Question(question=question, database=database, evidence=evidence)
            answer = answer_in(await self._run(asked, self._context(present_caller()), call))
        return result(reply_of(answer, database, TEXT_CHARS), ask_result(answer))

    async def schema(self, database: str) -> CallToolResult:
        """The schema as the agents see it."""
        async with as_tool_errors():
            text = await self.schema_text(database)
            shown = SchemaResult(database=database, dialect=self.catalog.get(database).dialect, schema=text)
        return result(text, shown)

    async def schema_text(self, database: str) -> str:
        """The schema as text, as far as the caller may see it.

        Raises:
            RouteError: the database can't be read, or nothing of it is visible to the caller.
        """
        return render(await askable_schema(self.catalog, database, present_caller().rights))

    async def execute(self, sql: str, database: str) -> CallToolResult:
        """Run one statement, guarded and within the limits."""
        async with as_tool_errors():
            opened = await self._visible(database)
            limits = replace(opened.limits, rows=min(opened.limits.rows, ROWS))
            outcome = await isolated(opened.execute(sql, limits))
        return result(render_outcome(outcome, TEXT_CHARS), execute_result(outcome))

    async def check(self, sql: str, database: str) -> CallToolResult:
        """Ask the guard about a statement, which is not run."""
        async with as_tool_errors():
            opened = await self._visible(database)
            verdict = check_result(await refusal_in(opened, sql))
        return result(verdict["message"], verdict)

    async def _visible(self, database: str) -> Database:
        """The database as the caller sees it; one that shows nothing is refused."""
        rights = present_caller().rights
        await askable_schema(self.catalog, database, rights)
        return self.catalog.get(database, rights)

    def _context(self, caller: Caller) -> Context:
        rights = caller.rights
        return replace(self.context, allow=rights.allow, hide=rights.hide, asked_by=caller.name)

    async def _run(self, asked: Question, context: Context, call: CallContext) -> State:
        """Run the graph and report the events of its story."""
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        running = asyncio.create_task(run_with_story(self.graph, asked, context, events.put_nowait))
        running.add_done_callback(lambda _: events.put_nowait(None))
        try:
            for step in count(1):
                if (event := await events.get()) is None:
                    break
                await call.report_progress(step, message=progress_line(event))
            return await running
        finally:
            await stopped(running)


async def isolated(work: Coroutine[Any, Any, T]) -> T:
    """Run work in a task of its own, so that a cancelled call lets it end in order."""
    running = asyncio.create_task(work)
    try:
        return await running
    finally:
        await stopped(running)


async def stopped(running: asyncio.Task[Any]) -> None:
    """Cancel a run if it still goes, and wait until it has stopped its query and its request."""
    running.cancel()
    # A cancelled call of the SDK is cancelled again at each await, which would interrupt the run's own cleaning up.
    with anyio.CancelScope(shield=True):
        await asyncio.wait([running])


def progress_line(event: Event) -> str:
    """An event of the story as one line: the node, and what it does."""
    return f"{event['node']}: {event['text']}" if event["node"] else event["text"]


def result(text: str, structured: Any) -> CallToolResult:
    """A tool's result: a short text for a model, and the structured content for a program."""
    safe = text.encode("utf-8", "replace").decode()
    return CallToolResult(content=[TextContent(type="text", text=safe)], structured_content=dict(structured))
