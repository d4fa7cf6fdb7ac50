"""An event loop in its own thread, for callers without an event loop or with a busy one."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from route_sql.tools.errors import InvalidInput

T = TypeVar("T")


class LoopThread:
    """An event loop in a daemon thread, so that synchronous calls work wherever they are made."""

    def __init__(self, name: str) -> None:
        """Prepare the thread of that name; the first call starts it."""
        self._name = name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; an interrupted wait cancels it.

        Raises:
            InvalidInput: the call comes from the thread itself, which would wait for itself.
        """
        future = self._submit(work)
        try:
            return future.result()
        finally:
            future.cancel()

    def is_current(self) -> bool:
        """Whether the caller runs in the thread."""
        return threading.current_thread() is self._thread

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """The items as they come; leaving early cancels the rest."""
        arrived: queue.SimpleQueue[list[T]] = queue.SimpleQueue()

        async def pump() -> None:
            async for item in items:
                arrived.put([item])

        future = self._submit(pump())
        future.add_done_callback(lambda _: arrived.put([]))
        try:
            while item := arrived.get():
                yield item[0]
            future.result()
        finally:
            future.cancel()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self.is_current():
            work.close()
            raise InvalidInput(
                "a synchronous call was made where another one is already running, and would wait for itself; "
                "make the calling function async and await ainvoke"
            )
        with self._lock:
            # After a fork the object exists, but its thread does not.
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)


QUESTIONS = LoopThread("route-sql questions")
"""Runs the graph and the databases of synchronous callers."""
