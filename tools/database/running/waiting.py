"""Waiting for the thread that runs a query, with a deadline; cancelling the wait stops the query."""

import asyncio
from concurrent.futures import Future
from time import monotonic
from typing import TypeVar

from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.database.running.query import Query
from route_sql.tools.errors import DatabaseUnavailable

_STUCK = "the query took longer than {seconds:g} s and could not be stopped at once"
_T = TypeVar("_T")


class NoWorkerFree(Exception):
    """No worker was free in time; the query will not run."""


def all_busy(name: str, size: int, wait_seconds: float) -> DatabaseUnavailable:
    """The error for a query that found no free worker in time."""
    return DatabaseUnavailable(
        f"all {size} connections to the database {name!r} were busy for {wait_seconds:g} s; raise pool or wait_seconds "
        "in its limits, or ask less at once"
    )


def stuck(query: Query) -> Outcome:
    """The outcome of a query that could not be stopped."""
    return failed("timeout", _STUCK.format(seconds=query.limits.seconds), query.seconds)


async def result_of(query: Query, future: "Future[_T]", wait_seconds: float | None = None) -> _T | None:
    """Wait for a worker; stop the query at its deadline, and at once if this task is cancelled.

    Args:
        query: What the worker runs.
        future: The worker's promise.
        wait_seconds: How long the query may wait for a worker; None is without end.

    Returns:
        The worker's result; None if it still runs five seconds after the deadline, stopped or not.

    Raises:
        NoWorkerFree: no worker was free within `wait_seconds`.
    """
    waiting = asyncio.wrap_future(future)
    submitted = monotonic()
    try:
        while not waiting.done() and not query.is_hopeless:
            left = query.patience if wait_seconds is None else min(query.patience, wait_seconds)
            await asyncio.wait({waiting}, timeout=left)
            if query.is_overdue and not waiting.done():
                query.stop()
            if wait_seconds is not None and monotonic() - submitted >= wait_seconds and future.cancel():
                raise NoWorkerFree
    except asyncio.CancelledError:
        query.stop()
        waiting.cancel()
        raise
    if not waiting.done():
        waiting.cancel()
        return None
    return waiting.result()
