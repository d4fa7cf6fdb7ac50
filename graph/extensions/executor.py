"""One call of the executor: ours has its own bounds; a caller's executor gets a deadline and caps."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from route_sql.graph.extensions.extension import Extension, ExtensionFailed, content_of, reported
from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.errors import InvalidInput, RouteError
from route_sql.tools.execute_sql import outcome_of
from route_sql.tools.limits import Limits

Executor = BaseTool | Extension
MARGIN = 5.0
"""Seconds that a caller's executor may take beyond the query's deadline."""


def tool_of(executor: Executor) -> BaseTool:
    """The tool that runs the query."""
    given = executor.given if isinstance(executor, Extension) else executor
    assert isinstance(given, BaseTool)
    return given


async def executed(
    executor: Executor, call: dict[str, Any], limits: Limits, config: RunnableConfig | None = None
) -> Outcome:
    """The outcome of a query. If a caller's executor raises, is too slow or gives no `Outcome`, that is an outcome too.

    Args:
        executor: The executor.
        call: The tool call.
        limits: Bounds of the query and its result.
        config: The config of the call; None for that of the run.

    Raises:
        RouteError: the database can't be asked.
    """
    if not isinstance(executor, Extension):
        return outcome_of(executor, await executor.ainvoke(call, config))
    try:
        message = await executor.call(call, seconds=limits.seconds + MARGIN)
        content_of(message)
    except ExtensionFailed as error:
        if isinstance(error.__cause__, RouteError):
            raise error.__cause__ from None
        return failed("timeout" if error.is_late else "error", f"{executor.title} {error}")
    return _outcome_in(message, executor, limits)


def _outcome_in(message: Any, executor: Extension, limits: Limits) -> Outcome:
    """The outcome that a caller's executor gave; an error if it gave something else."""
    try:
        with reported():  # cells and names may be objects of any class
            return outcome_of(tool_of(executor), message, limits)
    except ExtensionFailed as error:
        cause = error.__cause__
        return failed("error", f"{cause}." if isinstance(cause, InvalidInput) else f"{executor.title} {error}")
