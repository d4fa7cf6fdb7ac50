"""One run of the graph for a request: its events, its end, and its stop when the client leaves."""

import asyncio
from collections.abc import AsyncIterator
from time import time
from typing import Any, Self
from uuid import uuid4

import anyio
from langgraph.types import Command

from route_sql.api.bodies import AnsweredBody, TurnState
from route_sql.api.errors import RETRY, ApiError
from route_sql.api.outcomes import answered_body, state_of
from route_sql.api.service import Service
from route_sql.graph.asking import run_with_story
from route_sql.graph.context import Context
from route_sql.graph.events import Event
from route_sql.graph.state import Question

BUSY = "A question is being worked on in this thread; wait for its answer, or close its connection."
TOO_SLOW = 'The question took too long and was stopped; send {"type": "continue"} to resume, or ask again.'
Step = Question | Command[Any] | None
"""The input of a run: a question, a person's answer, or None to continue a stopped run."""


class Claim:
    """The right to run on a thread, which one request at a time has; use it as a context manager.

    Raises (when entered):
        ApiError: another request has it, or too many questions wait.
    """

    def __init__(self, service: Service, thread: str) -> None:
        """Claim nothing yet."""
        self.service, self.thread, self.id = service, thread, uuid4().hex
        self._is_kept = False

    async def __aenter__(self) -> Self:
        """Take the right, and a place among the questions that wait."""
        service = self.service
        service.slots.promise()
        try:
            until = time() + service.run_seconds + service.limits.margin
            if not await service.store.claim(self.thread, self.id, until):
                raise ApiError(409, BUSY)
        except BaseException:
            service.slots.forget()
            raise
        return self

    def keep(self) -> None:
        """Leave the right to a run, which gives it back."""
        self._is_kept = True

    async def __aexit__(self, *_: object) -> None:
        """Give the right back, unless a run has it."""
        if not self._is_kept:
            await self.give_back()

    async def give_back(self) -> None:
        """Give the right back."""
        self.service.slots.forget()
        await self.service.store.release(self.thread, self.id)


class ApiRun:
    """A run that works in a task of its own."""

    def __init__(self, claim: Claim, number: int, step: Step, context: Context, request_id: str) -> None:
        """Start the run.

        Args:
            claim: The right to run, which the run gives back.
            number: The thread's turn.
            step: The input.
            context: The choices.
            request_id: The request's id.
        """
        claim.keep()
        self.thread, self.number, self.request_id = claim.thread, number, request_id
        self.began = time()
        self._claim, self._service = claim, claim.service
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._work(step, context))

    async def events(self, pause: float) -> AsyncIterator[Event | None]:
        """The events of the story until the run ends; None after each pause without one."""
        while True:
            try:
                async with asyncio.timeout(pause):
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
        self._task.cancel()
        # A request that ends because its client left is cancelled again at each await.
        with anyio.CancelScope(shield=True):
            await asyncio.wait([self._task])

    async def _work(self, step: Step, context: Context) -> AnsweredBody:
        state: TurnState = "stopped"
        checkpoint: str | None = None
        body: AnsweredBody | None = None
        try:
            await self._run(step, context)
            body, checkpoint = await self._end()
            state = body["state"]
            return body
        except BaseException:
            state, checkpoint = await state_of(self._service.graph, self.thread)
            raise
        finally:
            await self._service.store.set_turn(self.thread, self.number, state, checkpoint)
            await self._claim.give_back()
            self._service.metrics.count_run(state, time() - self.began, body["answer"] if body else None)
            self._events.put_nowait(None)

    async def _run(self, step: Step, context: Context) -> None:
        service = self._service
        async with service.slots.turn():
            try:
                async with asyncio.timeout(service.run_seconds):
                    await run_with_story(service.graph, step, context, self._events.put_nowait, thread=self.thread)
            except TimeoutError as error:
                raise ApiError(503, TOO_SLOW, RETRY) from error

    async def _end(self) -> tuple[AnsweredBody, str]:
        snapshot = await self._service.graph.aget_state({"configurable": {"thread_id": self.thread}})
        body = answered_body(snapshot, self.thread, self.request_id)
        return body, snapshot.config["configurable"]["checkpoint_id"]
