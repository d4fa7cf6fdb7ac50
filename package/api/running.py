"""One run of the graph for a request: its events, its end, and its stop when the client leaves."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from time import time
from typing import Any, Self
from uuid import uuid4

import anyio
from langgraph.types import Command

from route_sql.api.errors import RETRY, ApiError
from route_sql.api.forms.answers import AnsweredBody
from route_sql.api.service import Service
from route_sql.api.threads.outcomes import answered_body, checkpoint_of, ended_turn, last_state, stopped_turn
from route_sql.api.threads.thread_store import ThreadRow, TurnRow
from route_sql.graph.asking import run_with_story
from route_sql.graph.context import Context
from route_sql.graph.events import Event
from route_sql.graph.state import OwnQuery, Question
from route_sql.tools.errors import InvalidInput

BUSY = "A question is being worked on in this thread; wait for its answer, or close its connection."
TOO_SLOW = 'The question took too long and was stopped; send {"type": "continue"} to resume, or ask again.'
RunInput = Question | OwnQuery | Command[Any] | None
"""The input of a run: a question, a person's own query or answer, or None to continue a stopped run."""


class Claim:
    """The right to run on a thread, held by one request at a time; use it as a context manager.

    Raises (when entered):
        ApiError: another request has it, or too many questions wait.
    """

    def __init__(self, service: Service, row: ThreadRow, *, is_new: bool = False) -> None:
        """Claim nothing yet; a new thread is added with its claim."""
        self.service, self.thread, self.id = service, row.thread, uuid4().hex
        self._row, self._is_new, self._is_kept = row, is_new, False

    async def __aenter__(self) -> Self:
        """Take the right, and a place in the queue of questions."""
        self.service.slots.promise()
        try:
            if not await self._claimed(time() + self.service.lease_seconds):
                raise ApiError(409, BUSY)
        except BaseException:  # a cancelled request gives up its place too
            self.service.slots.forget()
            raise
        return self

    async def _claimed(self, until: float) -> bool:
        store = self.service.store
        if not self._is_new:
            return await store.claim(self.thread, self.id, until)
        await store.add(self._row, self.id, until)
        return True

    def keep(self) -> None:
        """Hand the right over to a run, which gives it back."""
        self._is_kept = True

    async def __aexit__(self, *_: object) -> None:
        """Give the right back, unless a run has it."""
        if not self._is_kept:
            await self.give_back()

    async def renew(self) -> None:
        """Keep the right after a long wait.

        Raises:
            ApiError: another request has taken it over.
        """
        if not await self.service.store.renew(self.thread, self.id, time() + self.service.lease_seconds):
            raise ApiError(409, BUSY)

    async def give_back(self) -> None:
        """Give the right back."""
        self.service.slots.forget()
        await self.service.store.release(self.thread, self.id)


class ApiRun:
    """A run that works in a task of its own."""

    def __init__(self, claim: Claim, turn: TurnRow, step: RunInput, context: Context, request_id: str) -> None:
        """Start the run.

        Args:
            claim: The right to run, which the run gives back at its end.
            turn: The thread's turn.
            step: The input.
            context: The choices.
            request_id: The request's id.
        """
        claim.keep()
        self.thread, self.turn, self.request_id = claim.thread, turn.number, request_id
        self._began, self._turn = time(), turn
        self._claim, self._service = claim, claim.service
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._work(step, context))
        self._service.runs.add(self._task)
        self._task.add_done_callback(self._ended)

    async def events(self) -> AsyncIterator[Event | None]:
        """The events of the story until the run ends; None after each pause without one."""
        while True:
            try:
                async with asyncio.timeout(self._service.limits.ping):
                    event = await self._events.get()
            except TimeoutError:
                yield None
                continue
            if event is None:
                return
            yield event

    async def result(self) -> AnsweredBody:
        """The end of the run.

        Raises:
            ApiError, RouteError: it failed.
        """
        return await asyncio.shield(self._task)

    async def ended_before(self, leaving: "asyncio.Task[None]") -> bool:
        """Whether the run ends before the client leaves."""
        await asyncio.wait([self._task, leaving], return_when=asyncio.FIRST_COMPLETED)
        return self._task.done()

    async def stop(self) -> None:
        """Stop the run if it still works, and wait until it has stopped its query and its request to the model."""
        # A request that ends because its client left is cancelled again at each await.
        with anyio.CancelScope(shield=True):
            await asyncio.sleep(0)  # a task that is cancelled before its first step would not give its claim back
            self._task.cancel()
            await asyncio.wait([self._task])

    def _ended(self, task: "asyncio.Task[AnsweredBody]") -> None:
        """Wake those that wait for events; the event loop then does not report an error that nobody awaits."""
        self._service.runs.discard(task)
        self._events.put_nowait(None)
        if not task.cancelled():
            task.exception()

    async def _work(self, step: RunInput, context: Context) -> AnsweredBody:
        body: AnsweredBody | None = None
        try:
            await self._run(step, context)
            snapshot = await last_state(self._service.graph, self.thread)
            body = answered_body(snapshot, self._turn, self.request_id)
            self._turn = ended_turn(self._turn, snapshot, body["state"])
            return body
        except BaseException as error:  # a cancelled run is stored as stopped, so that it can be continued
            if isinstance(error, InvalidInput):
                self._turn = replace(self._turn, decided=None)  # the graph has not taken the answer
            self._turn = stopped_turn(self._turn, await last_state(self._service.graph, self.thread))
            raise
        finally:
            seconds, answer = time() - self._began, body["answer"] if body else None
            self._service.metrics.count_run(self._turn.state, seconds, answer)
            await self._give_back()

    async def _give_back(self) -> None:
        try:
            await self._service.store.keep_turn(self._turn)
        finally:
            await self._claim.give_back()

    async def _run(self, step: RunInput, context: Context) -> None:
        async with self._service.slots.turn():
            if time() - self._began > self._service.limits.margin:
                await self._claim.renew()
            if isinstance(step, Command):
                await self._decide()
            try:
                async with asyncio.timeout(self._service.run_seconds):
                    await run_with_story(
                        self._service.graph, step, context, self._events.put_nowait, thread=self.thread
                    )
            except TimeoutError as error:
                raise ApiError(503, TOO_SLOW, RETRY) from error

    async def _decide(self) -> None:
        """Record that a person's answer is given: from now on the run can only continue with it."""
        snapshot = await last_state(self._service.graph, self.thread)
        self._turn = replace(self._turn, decided=checkpoint_of(snapshot))
        await self._service.store.keep_turn(self._turn)
