"""A new turn of a thread: its claim, its run, and its answer."""

import json
from typing import Any
from uuid import uuid4

from fastapi import Request
from fastapi.responses import Response

from route_sql.access.callers import Caller
from route_sql.api.errors import ApiError, request_id_of
from route_sql.api.forms.answers import AnsweredBody
from route_sql.api.forms.bodies import RunOptions
from route_sql.api.forms.choices import context_for
from route_sql.api.forms.examples import STREAM_EXAMPLE
from route_sql.api.running import ApiRun, Claim
from route_sql.api.service import Service, owner_of, service_of
from route_sql.api.streaming import STREAM, respond
from route_sql.api.threads.outcomes import checkpoint_of, last_state
from route_sql.api.threads.thread_store import LISTED, ThreadRow, TurnRow
from route_sql.graph.state import OwnQuery, Question

ENDED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": AnsweredBody,
        "description": "The answer, or a question to a person. As a stream: thread, story, then answer, interrupt or "
        "error.",
        "content": {
            STREAM: {"schema": {"type": "string"}, "example": STREAM_EXAMPLE},
        },
    }
}
TOO_LONG = f"The thread has {LISTED} questions; begin a new one."


async def answered_turn(
    request: Request, caller: Caller, asked: Question | OwnQuery, thread: str | None, options: RunOptions
) -> Response:
    """The answer of a new turn, in the form that the client asks for.

    Args:
        request: The request.
        caller: The caller.
        asked: The input of the run.
        thread: The thread; None for a new one.
        options: The caller's choices for the run.
    """
    service = service_of(request)
    context = context_for(caller, options, service.context)
    await service.visible(asked["database"], caller)
    row = await _thread_row(service, caller, asked["database"], thread)
    async with Claim(service, row, is_new=thread is None) as claim:
        turn = await _added_turn(service, row.thread, asked, options)
        run = ApiRun(claim, turn, asked, context, request_id_of(request.scope))
    return await respond(run, request)


async def _thread_row(service: Service, caller: Caller, database: str, thread: str | None) -> ThreadRow:
    """The thread of a question: a new one, or the caller's."""
    if thread is None:
        seen = service.seen_by(caller, database)
        return ThreadRow(uuid4().hex, owner_of(caller), database, seen)
    row = await service.thread_of(thread, caller)
    if row.database != database:
        raise ApiError(400, "The thread is about another database; leave out thread to begin a new one.")
    return row


async def _added_turn(service: Service, thread: str, asked: Question | OwnQuery, options: RunOptions) -> TurnRow:
    """A new turn of a thread, which must not have too many."""
    last = (await service.store.turns([thread]))[thread]
    if len(last) >= LISTED:
        raise ApiError(400, TOO_LONG)
    before = checkpoint_of(await last_state(service.graph, thread)) if last else ""
    kept = json.dumps({"input": asked, "options": options.model_dump(exclude_none=True)})
    return await service.store.add_turn(thread, asked["question"], before, kept)
