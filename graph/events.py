"""The story of a run while it works: typed events of LangGraph's `custom` stream, plain JSON."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from time import monotonic, time
from typing import Any, Literal

from typing_extensions import TypedDict

from route_sql.tools.text import clean

EventKind = Literal["begin", "load", "work", "note", "link", "write", "result", "answer"]
"""`begin`: a node begins. `load`: the model is being loaded. `work`: the node still works. `note`: notes on
the question were found. `link`: tables were chosen. `write`: an agent has replied. `result`: a query ended. `answer`:
the run has an answer, or none."""
PAUSE = 1.2
"""Seconds without another event after which an event says that the node still works."""
TEXT_CHARS = 300
"""Characters of an event's text at most; it may hold an error of the database."""


class Event(TypedDict):
    """One line of the story."""

    kind: EventKind
    node: str
    """The node of the graph; empty outside it."""
    text: str
    """The line for a person, without a full stop."""
    sql: str | None
    """The SQL that the line is about."""
    seconds: float
    """Seconds since the question was asked."""


Tell = Callable[[Event], Any]
"""Takes an event: the writer of LangGraph's stream, or a printer."""


def no_story(_: Event) -> None:
    """Leave an event out."""


class Story:
    """The events of one node, in order. After a long silence an event says that the node still works."""

    def __init__(self, tell: Tell, node: str, began: float | None = None) -> None:
        """Begin a story; `began` is the time at which the question was asked, now by default."""
        self._tell, self._node = tell, node
        self._began = time() if began is None else began
        self._doing = ""
        self._said = monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def say(self, kind: EventKind, text: str, sql: str | None = None) -> None:
        """Tell one event."""
        self._said = monotonic()
        if kind in ("begin", "load"):
            self._doing = text
        seconds = round(max(0.0, time() - self._began), 3)
        self._tell(Event(kind=kind, node=self._node, text=clean(text, TEXT_CHARS), sql=sql, seconds=seconds))

    def repeat(self) -> None:
        """Report that the node still works after each silence, until `stop`."""
        if monotonic() - self._said >= PAUSE:
            self.say("work", f"still {self._doing}")
        # a timer, not a task, since most nodes end before it is due
        wait = max(0.01, self._said + PAUSE - monotonic())
        self._timer = asyncio.get_running_loop().call_later(wait, self.repeat)

    def stop(self) -> None:
        """Stop reporting silences."""
        if self._timer is not None:
            self._timer.cancel()


_PRESENT: ContextVar[Story | None] = ContextVar("route_sql_story", default=None)


@asynccontextmanager
async def story(
    tell: Tell, node: str, text: str, *, sql: str | None = None, began: float | None = None
) -> AsyncIterator[Story]:
    """Emit the events of a node, from its beginning to the end of the block, in which `add_event` adds events."""
    own = Story(tell, node, began)
    own.say("begin", text, sql)
    token = _PRESENT.set(own)
    own.repeat()
    try:
        yield own
    finally:
        own.stop()
        _PRESENT.reset(token)


def add_event(kind: EventKind, text: str, sql: str | None = None) -> None:
    """Add an event to the story of the node that runs; outside a node the event is dropped."""
    if (present := _PRESENT.get()) is not None:
        present.say(kind, text, sql)
