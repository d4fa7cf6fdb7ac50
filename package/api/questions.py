"""Questions, and a person's answers to runs that wait."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Body, Path, Request
from fastapi.responses import Response

from route_sql.access.callers import Caller
from route_sql.api.errors import ApiError, request_id_of
from route_sql.api.forms.answers import AnsweredBody, errors
from route_sql.api.forms.bodies import AskBody, ResumeBody, ThreadId
from route_sql.api.forms.choices import context_for, context_of_caller
from route_sql.api.forms.examples import ASK, RESUME, STREAM_EXAMPLE
from route_sql.api.resuming import resuming_step
from route_sql.api.running import ApiRun, Claim
from route_sql.api.service import AdmittedCaller, Service, owner_of, service_of
from route_sql.api.streaming import STREAM, respond
from route_sql.api.threads.outcomes import checkpoint_of, last_state
from route_sql.api.threads.thread_store import LISTED, ThreadRow, TurnRow
from route_sql.graph.context import Context
from route_sql.graph.state import Question

router = APIRouter(tags=["questions"])
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


@router.post("/v1/ask", responses={**ENDED, **errors(400, 401, 403, 404, 409, 413, 415, 421, 429, 500, 503)})
async def ask(
    body: Annotated[AskBody, Body(openapi_examples=ASK)], request: Request, caller: AdmittedCaller
) -> Response:
    """Ask a question. With `Accept: text/event-stream` the answer is a stream of events."""
    service = service_of(request)
    context = context_for(caller, body.options, service.context)
    await service.visible(body.database, caller)
    row = await _thread_row(service, caller, body)
    async with Claim(service, row, is_new=body.thread is None) as claim:
        turn = await _added_turn(service, row.thread, body.question)
        asked = Question(question=body.question, database=body.database, evidence=body.evidence)
        run = ApiRun(claim, turn, asked, context, request_id_of(request.scope))
    return await respond(run, request)


@router.post(
    "/v1/threads/{thread}/resume", responses={**ENDED, **errors(400, 401, 403, 404, 409, 413, 415, 421, 429, 500, 503)}
)
async def resume(
    thread: Annotated[ThreadId, Path()],
    body: Annotated[ResumeBody, Body(openapi_examples=RESUME)],
    request: Request,
    caller: AdmittedCaller,
) -> Response:
    """Answer a run that waits for a person, or continue one that was stopped."""
    service = service_of(request)
    row = await service.thread_of(thread, caller)
    await service.visible(row.database, caller)
    context: Context = context_of_caller(caller, service.context)
    async with Claim(service, row) as claim:
        turn, step = await resuming_step(service, thread, body)
        turn = replace(turn, state="running")
        await service.store.keep_turn(turn)
        run = ApiRun(claim, turn, step, context, request_id_of(request.scope))
    return await respond(run, request)


async def _thread_row(service: Service, caller: Caller, body: AskBody) -> ThreadRow:
    """The thread of a question: a new one, or the caller's."""
    if body.thread is None:
        seen = service.seen_by(caller, body.database)
        return ThreadRow(uuid4().hex, owner_of(caller), body.database, seen)
    row = await service.thread_of(body.thread, caller)
    if row.database != body.database:
        raise ApiError(400, "The thread is about another database; leave out thread to begin a new one.")
    return row


async def _added_turn(service: Service, thread: str, question: str) -> TurnRow:
    """A new turn of a thread, which must not have too many."""
    last = (await service.store.turns([thread]))[thread]
    if len(last) >= LISTED:
        raise ApiError(400, TOO_LONG)
    before = checkpoint_of(await last_state(service.graph, thread)) if last else ""
    return await service.store.add_turn(thread, question, before)
