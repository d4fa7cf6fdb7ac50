"""Work on many items, some of them at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")


async def for_each(work: Callable[[_T], Awaitable[None]], items: Iterable[_T], concurrency: int) -> None:
    """Work on each item, in order, at most `concurrency` at the same time; at least one.

    The first exception cancels the rest and is raised as it is.
    """
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, concurrency)):
                group.create_task(worker())
    except BaseExceptionGroup as failures:  # an `ask` may raise more than Exceptions, such as KeyboardInterrupt
        raise failures.exceptions[0] from None
