"""The four tools of the server: ask, schema, execute and check. Each works with the rights of its caller."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeVar, cast
from uuid import uuid4

import anyio
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from mcp.server.mcpserver import Context as CallContext
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult, TextContent
from pydantic import ValidationError

from route_sql.access.rights import context_of_caller, rights_of_caller
from route_sql.access.slots import Slots
from route_sql.faces.reply import reply_text
from route_sql.faces.tool import BLANK
from route_sql.graph.asking import answer_in, resumed, run_with_story
from route_sql.graph.context import Context
from route_sql.graph.events import Event
from route_sql.graph.executing import rejection
from route_sql.graph.grounding import askable_schema
from route_sql.graph.person.approval import FORMS, Approval
from route_sql.graph.state import Question, State
from route_sql.graph.wiring import Graph
from route_sql.mcp.callers import present_caller
from route_sql.mcp.person import (
    Waiting,
    answer_in_call,
    answer_now,
    asks_in_result,
    kind_of_interrupt,
    question_result,
    require_a_person,
    require_form,
)
from route_sql.mcp.results import ROWS, SchemaResult, ask_result, check_result, execute_result
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.engine import Database
from route_sql.tools.database.outcome import failed
from route_sql.tools.database.visible import refusal_in
from route_sql.tools.errors import RouteError
from route_sql.tools.execute_sql import render_outcome
from route_sql.tools.schema.rendering import render
from route_sql.tools.schema.rights.visibility import Visibility

T = TypeVar("T")

QUESTIONS_AT_ONCE = 8
MOST_WAITING = 100
"""Further questions and statements that may wait for their turn."""
TEXT_CHARS = 8_000
"""Characters of a result's text at most; the structured content has all of it."""
FULL = "Too many questions are waiting, so nothing was run; ask again in a moment."


def no_turn(_: bool) -> ToolError:
    """The error for a question that gets no turn."""
    return ToolError(FULL)


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
        waiting: Runs that wait for a person.
        slots: Questions and statements that run at once, and further ones that wait.
    """

    catalog: Catalog
    graph: Graph
    context: Context
    waiting: Waiting = field(default_factory=Waiting)
    slots: Slots = field(default_factory=lambda: Slots(QUESTIONS_AT_ONCE, MOST_WAITING, no_turn))

    async def ask(
        self, question: str, database: str, evidence: str, call: CallContext
    ) -> CallToolResult | InputRequiredResult:
        """Ask a question; each step is reported as progress, and a person may be asked."""
        if not question.strip():
            raise ToolError(BLANK)
        asked = Question(question=question, database=database, evidence=evidence)
        async with as_tool_errors():
            state = await self._answered(asked, call)
        if isinstance(state, InputRequiredResult):
            return state
        answer = answer_in(state)
        return result(reply_text(answer, database, TEXT_CHARS), ask_result(answer))

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
        return render(await askable_schema(self.catalog, database, self._rights()))

    async def execute(self, sql: str, database: str, call: CallContext) -> CallToolResult | InputRequiredResult:
        """Run one statement, guarded and within the limits; where queries need approval, so does this one."""
        async with as_tool_errors():
            opened = await self._visible(database)
            if self.context.approve:
                decided = await self._approval(sql, database, call)
                if isinstance(decided, InputRequiredResult):
                    return decided
                if decided.type == "reject":
                    refused = failed("refused", rejection(decided.reason_in_one_line))
                    return result(render_outcome(refused, TEXT_CHARS), execute_result(refused))
                sql = decided.sql or sql if decided.type == "edit" else sql
            limits = replace(opened.limits, rows=min(opened.limits.rows, ROWS))
            async with self.slots.promised_turn():
                outcome = await isolated(opened.execute(sql, limits))
        return result(render_outcome(outcome, TEXT_CHARS), execute_result(outcome))

    async def check(self, sql: str, database: str) -> CallToolResult:
        """Ask the guard about a statement, which is not run."""
        async with as_tool_errors():
            opened = await self._visible(database)
            verdict = check_result(await refusal_in(opened, sql))
        return result(verdict["message"], verdict)

    async def _visible(self, database: str) -> Database:
        """The database as the caller sees it; an error if the caller may see nothing of it."""
        rights = self._rights()
        await askable_schema(self.catalog, database, rights)
        return self.catalog.get(database, rights)

    def _rights(self) -> Visibility:
        """Tables and columns that the server's choices and the caller's rights both show."""
        return rights_of_caller(present_caller(), self.context)

    async def _answered(self, asked: Question, call: CallContext) -> State | InputRequiredResult:
        """The state at the end of the run, or a question to a person, after which the client calls again."""
        thread, named = call.request_state or uuid4().hex, ("ask", *map(str, asked.values()))
        step = asked if call.request_state is None else await self._answer_to(thread, named, call)
        try:
            return await self._until_a_person(step, thread, named, call)
        finally:
            if thread not in self.waiting:
                self._forget([thread])

    async def _until_a_person(
        self, step: Question | Command[Any], thread: str, named: tuple[str, ...], call: CallContext
    ) -> State | InputRequiredResult:
        """Run until the end, or until a question that the client gets as a result."""
        while True:
            async with self.slots.promised_turn():
                state: Any = await self._run(step, thread, call)
            if not (interrupts := state.get("__interrupt__")):
                return cast(State, state)
            value = interrupts[0].value
            require_a_person(call, value)
            if asks_in_result(call):
                self._forget(self.waiting.keep(thread, named))
                return question_result(value, thread)
            step = resumed(interrupts[0], await answer_now(call, value))

    async def _answer_to(self, thread: str, named: tuple[str, ...], call: CallContext) -> Command[Any]:
        """The step that resumes a run with the answer in the client's second call.

        Raises:
            ToolError: no such run waits, there is no answer, or the person did not clarify; or the answer does not fit
                the form, and the run still waits.
        """
        self.waiting.require(thread, named)
        waits = (await self.graph.aget_state({"configurable": {"thread_id": thread}})).interrupts[0]
        require_form(call, waits.value)
        self.waiting.take(thread, named)
        try:
            return resumed(waits, answer_in_call(call, kind_of_interrupt(waits.value)))
        except ToolError:
            self._forget([thread])
            raise

    async def _approval(self, sql: str, database: str, call: CallContext) -> Approval | InputRequiredResult:
        """A person's decision about a statement of the client, or the question to the person."""
        value, named = {"approve": sql, "database": database}, ("execute", sql, database)
        if call.request_state is not None:
            self.waiting.require(call.request_state, named)
            require_form(call, value)
            self.waiting.take(call.request_state, named)
            return decision(answer_in_call(call, "approve"))
        require_a_person(call, value)
        if not asks_in_result(call):
            return decision(await answer_now(call, value))
        thread = uuid4().hex
        self._forget(self.waiting.keep(thread, named))
        return question_result(value, thread)

    def _forget(self, threads: Sequence[str]) -> None:
        """Delete the states of runs that have ended or are given up."""
        if isinstance(saver := self.graph.checkpointer, InMemorySaver):
            for thread in threads:
                saver.delete_thread(thread)

    async def _run(self, step: Question | Command[Any], thread: str, call: CallContext) -> State:
        """Run the graph and report the events of its story."""
        context = context_of_caller(present_caller(), self.context)
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        running = asyncio.create_task(run_with_story(self.graph, step, context, events.put_nowait, thread=thread))
        running.add_done_callback(lambda _: events.put_nowait(None))
        try:
            for number in count(1):
                if (event := await events.get()) is None:
                    break
                await call.report_progress(number, message=progress_line(event))
            return await running
        finally:
            await stop_run(running)


async def isolated(work: Coroutine[Any, Any, T]) -> T:
    """Run work in a task of its own, so that a cancelled call lets it end in order."""
    running = asyncio.create_task(work)
    try:
        return await running
    finally:
        await stop_run(running)


async def stop_run(running: asyncio.Task[Any]) -> None:
    """Cancel a run if it still works, and wait until it has stopped its query and its request."""
    running.cancel()
    # A cancelled call of the SDK is cancelled again at each await, which would interrupt the run's own cleaning up.
    with anyio.CancelScope(shield=True):
        await asyncio.wait([running])


def decision(given: dict[str, Any]) -> Approval:
    """A person's decision.

    Raises:
        ToolError: the answer has none of the valid forms.
    """
    try:
        return Approval.model_validate(given)
    except ValidationError as error:
        raise ToolError(f"{FORMS}. Nothing was run.") from error


def progress_line(event: Event) -> str:
    """An event of the story as one line: the node, and what it does."""
    return f"{event['node']}: {event['text']}" if event["node"] else event["text"]


def result(text: str, structured: Any) -> CallToolResult:
    """A tool's result: a short text for a model, and the structured content for a program."""
    safe = text.encode("utf-8", "replace").decode()
    return CallToolResult(content=[TextContent(type="text", text=safe)], structured_content=dict(structured))
