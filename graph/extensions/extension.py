"""The caller's tools and functions: run off the event loop, each within a time limit.

An extension that is slow, raises or never returns costs its time limit and a note, but not the answer. An async
function that blocks its thread can't be stopped: it holds the event loop that it runs on.
"""

import asyncio
import inspect
from asyncio import Future
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial, wraps
from time import monotonic
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, Tool
from langgraph.errors import GraphBubbleUp

from route_sql.tools.database.running.workers import Workers
from route_sql.tools.text import clean

SECONDS = 5.0
"""Seconds that one call may take, unless the caller of `build_graph` sets another limit."""
GRACE = 0.1
"""Seconds that an async function has to end after it was cancelled."""
THREADS = 16
"""Sync functions that run at the same time, not counting abandoned ones."""
MOST_ABANDONED = 4
"""Number of hanging calls of one extension from which it is not called again until one returns."""
ERROR_CHARS = 300
LATE = "gave no result within"

_WORKERS = Workers("extensions", THREADS, prefix="route-sql")


class ExtensionFailed(Exception):
    """An extension gave no result. The message completes the sentence that begins with its name."""

    @property
    def is_late(self) -> bool:
        """Whether its time limit passed."""
        return str(self).startswith(LATE)


class Extension:
    """A tool or function of the caller's, under a time limit.

    Args:
        kind: The kind of extension, for messages: context tool, check, executor.
        given: The tool or function.
        seconds: Seconds that a call may take.
    """

    def __init__(self, kind: str, given: BaseTool | Callable[..., Any], seconds: float) -> None:
        """Call nothing yet."""
        self.given = given
        self.title = f"The {kind} {name_of(given)}"
        self.seconds = seconds
        self._is_async = _is_async(given)
        self._abandoned: set[Any] = set()

    @property
    def abandoned(self) -> int:
        """Number of calls that were abandoned and have not returned."""
        return len(self._abandoned)

    async def call(self, *given: Any, seconds: float | None = None) -> Any:
        """Result of one call.

        Args:
            given: The arguments; for a LangChain tool, what its `invoke` takes.
            seconds: A time limit in place of the extension's own.

        Raises:
            ExtensionFailed: it raised, was too slow, or too many of its calls have not returned.
        """
        ends_in = self.seconds if seconds is None else seconds
        with reported():
            if self._is_async:
                self._refuse_if_many_hang()
                return await self._within(ends_in, self._called(*given))
            result, left = await self._in_thread(given, ends_in)
            return await self._within(left, _ended(result)) if inspect.isawaitable(result) else result

    async def _called(self, *given: Any) -> Any:
        """The result of an async function, which is called only if this begins."""
        return await _ended(self._function(*given))

    @property
    def _function(self) -> Callable[..., Any]:
        if not isinstance(self.given, BaseTool):
            return self.given
        tool = _raising(self.given)
        return _without_exits(tool).ainvoke if self._is_async else tool.invoke

    async def _in_thread(self, given: tuple[Any, ...], seconds: float) -> tuple[Any, float]:
        """The result of a sync function, and the seconds left. The clock starts when a thread is free."""
        loop, started = asyncio.get_running_loop(), asyncio.Event()

        def work() -> Any:
            self._refuse_if_many_hang()
            loop.call_soon_threadsafe(started.set)
            with _as_failures():
                return copied.run(self._function, *given)

        copied = copy_context()
        future = _WORKERS.submit(work)
        running, start = asyncio.wrap_future(future), asyncio.ensure_future(started.wait())
        try:
            await asyncio.wait({running, start}, return_when=asyncio.FIRST_COMPLETED)
            begun = monotonic()
            await asyncio.wait({running}, timeout=seconds)
            if running.done():
                return _result(running), max(seconds - (monotonic() - begun), 0.0)
        finally:
            start.cancel()
            running.cancel()
            if not future.done() and not future.cancel():
                self._abandon(future)
                _WORKERS.give_up(future)
        raise ExtensionFailed(self._too_slow(seconds))

    async def _within(self, seconds: float, work: Awaitable[Any]) -> Any:
        """The result of an async function; it is cancelled at its limit, and abandoned if it does not end then."""
        running = asyncio.ensure_future(work)
        try:
            await asyncio.wait({running}, timeout=seconds)
            if running.done():
                return _result(running)
            running.cancel()
            await asyncio.wait({running}, timeout=GRACE)
        finally:
            running.cancel()
            if not running.done():
                self._abandon(running)
        raise ExtensionFailed(self._too_slow(seconds))

    def _too_slow(self, seconds: float) -> str:
        late = f"{LATE} {seconds:g} s."
        count = self.abandoned
        return f"{late} {count} of its calls {'has' if count == 1 else 'have'} not returned." if count else late

    def _refuse_if_many_hang(self) -> None:
        if self.abandoned >= MOST_ABANDONED:
            raise ExtensionFailed(f"was not called, since {self.abandoned} earlier calls have not returned.")

    def _abandon(self, running: Any) -> None:
        self._abandoned.add(running)
        running.add_done_callback(self._returned)

    def _returned(self, running: Any) -> None:
        self._abandoned.discard(running)
        if not running.cancelled():
            running.exception()  # read here, since asyncio reports an error that was never read


def _result(ended: "Future[Any]") -> Any:
    if ended.cancelled():
        raise ExtensionFailed("failed: it was cancelled from within.")
    error = ended.exception()
    if error is not None and not isinstance(error, Exception):  # raised by the extension, not by a stopped run
        raise _failure(error) from error
    return ended.result()


def name_of(given: object) -> str:
    """The name of a tool or function, for messages."""
    return str(getattr(given, "name", None) or getattr(given, "__name__", type(given).__name__))


@contextmanager
def reported() -> Iterator[None]:
    """Any exception of an extension as `ExtensionFailed`; an interrupt of the graph is raised as it is."""
    try:
        yield
    except (ExtensionFailed, GraphBubbleUp):
        raise
    except (Exception, SystemExit) as error:  # the caller's code may raise anything
        raise _failure(error) from error


@contextmanager
def _as_failures() -> Iterator[None]:
    """Exceptions that a future can't hold, as `ExtensionFailed`."""
    try:
        yield
    except (StopIteration, SystemExit) as error:
        raise _failure(error) from error


def _failure(error: BaseException) -> ExtensionFailed:
    return ExtensionFailed(f"failed: {type(error).__name__}: {clean(_text(error), ERROR_CHARS)}")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the caller's class, whose `__str__` may fail too
        return "an error without a text"


async def _ended(work: Awaitable[Any]) -> Any:
    """The result of an awaitable; `SystemExit` would end the event loop, and counts as a failure."""
    try:
        return await work
    except SystemExit as error:
        raise _failure(error) from error


def _is_async(given: BaseTool | Callable[..., Any]) -> bool:
    if isinstance(given, BaseTool):
        if isinstance(given, Tool | StructuredTool):  # without a coroutine, LangChain runs their sync part
            is_async = given.coroutine is not None
        else:
            is_async = type(given)._arun is not BaseTool._arun
        return is_async or type(given).ainvoke not in (BaseTool.ainvoke, Tool.ainvoke, StructuredTool.ainvoke)
    function = given.func if isinstance(given, partial) else given
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _raising(tool: BaseTool) -> BaseTool:
    """The tool without handlers that turn an error into a result, since the text of an error is not a note."""
    handlers = {"handle_tool_error": False, "handle_validation_error": False}
    return tool.model_copy(update=handlers) if tool.handle_tool_error or tool.handle_validation_error else tool


def _without_exits(tool: BaseTool) -> BaseTool:
    """The tool with a coroutine that can't end the event loop: `SystemExit` would do so in LangChain's task."""

    @wraps(tool._arun)
    async def run(*given: Any, **named: Any) -> Any:
        return await _ended(tool._arun(*given, **named))

    copied = tool.model_copy()
    object.__setattr__(copied, "_arun", run)
    return copied


def content_of(result: Any) -> Any:
    """The content of a tool's result, if that is a message.

    Raises:
        ExtensionFailed: the message says that the tool failed.
    """
    if not isinstance(result, ToolMessage):
        return result
    if result.status == "error":
        raise ExtensionFailed(f"failed: {clean(str(result.text), ERROR_CHARS)}")
    return result.content
