"""Everything that the routes of the API share."""

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from time import time
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends
from starlette.requests import Request

from route_sql.access.access_check import caller_in
from route_sql.access.callers import Caller
from route_sql.access.rights import rights_of_caller
from route_sql.access.slots import Slots
from route_sql.api.errors import ApiError
from route_sql.api.limits import Rate, no_slot
from route_sql.api.metrics import Metrics
from route_sql.api.threads.thread_store import ThreadRow, ThreadStore
from route_sql.graph.context import Context
from route_sql.graph.grounding import askable_schema
from route_sql.graph.wiring import Graph
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.engine import Database
from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.errors import DatabaseUnavailable, RouteError
from route_sql.tools.schema.records import Schema

NO_THREAD = "There is no such thread; GET /v1/threads lists yours."


@dataclass(frozen=True)
class ServiceLimits:
    """Limits of the server.

    Args:
        questions: Questions that are answered at once.
        waiting: Further questions that may wait.
        per_minute: Requests of each caller per minute; 0 for no limit.
        margin: Seconds that a run may take longer than its own budget before it is stopped.
        ping: Seconds of silence after which a stream has a comment, so that no proxy closes it.
        thread_bytes: Bytes of rows after which a thread is shown without those of its older turns.
    """

    questions: int = 8
    waiting: int = 100
    per_minute: int = 600
    margin: float = 30.0
    ping: float = 15.0
    thread_bytes: int = 4_000_000


@dataclass(frozen=True)
class Service:
    """The databases, the graph on them, the threads, and the limits.

    Args:
        catalog: The databases.
        names: Those of them that are served.
        graph: The graph, with a checkpointer.
        store: The list of threads.
        context: The server's own choices, which callers can narrow.
        limits: The limits.
    """

    catalog: Catalog
    names: list[str]
    graph: Graph
    store: ThreadStore
    context: Context = Context(seconds=300)
    limits: ServiceLimits = ServiceLimits()
    metrics: Metrics = field(default_factory=Metrics)
    runs: set[asyncio.Task[Any]] = field(default_factory=set)
    slots: Slots = field(init=False)
    rate: Rate = field(init=False)

    def __post_init__(self) -> None:
        """Make the counters of the limits."""
        object.__setattr__(self, "slots", Slots(self.limits.questions, self.limits.waiting, no_slot))
        object.__setattr__(self, "rate", Rate(self.limits.per_minute))
        self.metrics.watch(lambda: self.slots.running, lambda: self.slots.waiting)

    @property
    def run_seconds(self) -> float:
        """Seconds after which a run is stopped, whatever it does."""
        return (self.context.seconds or 3600.0) + self.limits.margin

    @property
    def lease_seconds(self) -> float:
        """Seconds for which a run holds its thread, including its wait for a slot, if its server is killed."""
        return self.run_seconds * 2 + self.limits.margin

    def close(self) -> None:
        """Accept no further question; those that run may end."""
        self.slots.close()

    async def finish(self) -> None:
        """Stop the remaining runs, and wait until their states are written."""
        for run in self.runs:
            run.cancel()
        if self.runs:
            await asyncio.wait(self.runs)

    async def visible(self, name: str, caller: Caller) -> tuple[Database, Schema]:
        """A database as a caller sees it, and its schema.

        Raises:
            ApiError: it is not served, or the caller may see nothing of it.
            RouteError: it can't be read.
        """
        if name not in self.names:
            raise _no_database()
        rights = rights_of_caller(caller, self.context)
        database = self.catalog.get(name, rights)
        schema = await database.schema()
        if not schema.tables and isinstance(database, VisibleDatabase):
            raise _no_database()
        return database, await askable_schema(self.catalog, name, rights)

    async def shown_databases(self, caller: Caller) -> list[Database]:
        """The databases that a caller may see; one that can't be read is shown to those who may see all of it."""
        found = await asyncio.gather(*(self._shown(name, caller) for name in self.names))
        return [database for database in found if database is not None]

    async def _shown(self, name: str, caller: Caller) -> Database | None:
        try:
            return (await self.visible(name, caller))[0]
        except (ApiError, RouteError) as error:
            is_away = isinstance(error, DatabaseUnavailable) and not rights_of_caller(caller, self.context)
            return self._unread(name) if is_away else None

    def _unread(self, name: str) -> Database | None:
        try:
            return self.catalog.get(name)
        except RouteError:  # its URL or its driver is wrong, so it can't be asked
            return None

    async def thread_of(self, thread: str, caller: Caller) -> ThreadRow:
        """A thread of a caller whose rights on its database are still the same.

        Raises:
            ApiError: there is none.
        """
        row = await self.store.find(thread, owner_of(caller))
        if row is None or not self.still_sees(caller, row):
            raise ApiError(404, NO_THREAD)
        return row

    async def forget(self, thread: str, used_before: float | None = None) -> bool:
        """Delete a thread and its checkpoints; False if a run uses it, or if it was used after a moment."""
        if not await self.store.claim(thread, uuid4().hex, time() + self.limits.margin, used_before):
            return False
        checkpoints: Any = self.graph.checkpointer
        await checkpoints.adelete_thread(thread)
        await self.store.delete(thread)
        return True

    def still_sees(self, caller: Caller, row: ThreadRow) -> bool:
        """Whether a thread's answers may be shown: nothing was hidden since it began."""
        try:
            return row.database in self.names and self.seen_by(caller, row.database) == row.seen
        except RouteError:  # a database that can't be read now may be hidden
            return False

    def seen_by(self, caller: Caller, name: str) -> str:
        """A digest of what the caller's rights and the server's own show of a database; blank for all of it."""
        database = self.catalog.get(name, rights_of_caller(caller, self.context))
        if not isinstance(database, VisibleDatabase):
            return ""
        return sha256(repr(database.visibility.as_json()).encode()).hexdigest()[:32]


def owner_of(caller: Caller) -> str:
    """The owner of a caller's threads; no name in the configuration can be that of the process's owner."""
    return "owner" if caller.name is None else f"key {caller.name}"


def service_of(request: Request) -> Service:
    """The service of a request's app."""
    service: Any = request.app.state.service
    assert isinstance(service, Service)
    return service


async def admitted(request: Request) -> Caller:
    """The caller of a request, which is counted.

    Raises:
        ApiError: the caller has sent too many.
    """
    caller = caller_in(request.scope)
    service_of(request).rate.take(caller.name)
    return caller


AdmittedCaller = Annotated[Caller, Depends(admitted)]
"""The caller of a request, as an argument of a route."""


def _no_database() -> ApiError:
    return ApiError(404, "There is no such database; GET /v1/databases lists them.")
