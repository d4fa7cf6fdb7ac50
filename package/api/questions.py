"""Questions, and a person's answers to runs that wait."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from route_sql.api.bodies import AnsweredBody, AskBody, ResumeBody, ThreadId, errors
from route_sql.api.choices import context_for, context_of_caller
from route_sql.api.errors import ApiError, request_id_of
from route_sql.api.resuming import resuming_step
from route_sql.api.running import Claim, ApiRun
from route_sql.api.service import Service, admitted, owner_of, service_of
from route_sql.api.streaming import STREAM, respond
from route_sql.api.thread_store import LISTED, ThreadRow
from route_sql.doors.callers import Caller
from route_sql.graph.context import Context
from route_sql.graph.state import Question

router = APIRouter(tags=["questions"])
Admitted = Annotated[Caller, Depends(admitted)]
ENDED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": AnsweredBody,
        "description": "The answer, or a question to a person. As a stream: thread, story, then answer, interrupt or "
        "error.",
        "content": {STREAM: {"schema": {"type": "string"}}},
    }
}
TOO_LONG = f"The thread has {LISTED} questions; begin a new one."


@router.post("/v1/ask", responses={**ENDED, **errors(400, 401, 403, 404, 409, 413, 415, 421, 429, 500, 503)})
async def ask(body: AskBody, request: Request, caller: Admitted) -> Response:
    """Ask a question. With `Accept: text/event-stream` the answer is a stream of events."""
    service = service_of(request)
    context = context_for(caller, body.options, service.context)
    await service.visible(body.database, caller)
    thread = body.thread or await _new_thread(service, caller, body.database)
    if body.thread is not None:
        _require_same(await service.thread_of(thread, caller), body.database)
    async with Claim(service, thread) as claim:
        if len((await service.store.turns([thread]))[thread]) >= LISTED:
            raise ApiError(400, TOO_LONG)
        number = await service.store.add_turn(thread, body.question)
        asked = Question(question=body.question, database=body.database, evidence=body.evidence)
        run = ApiRun(claim, number, asked, context, request_id_of(request.scope))
    return await respond(run, request)


@router.post(
    "/v1/threads/{thread}/resume", responses={**ENDED, **errors(400, 401, 403, 404, 409, 413, 415, 421, 429, 500, 503)}
)
async def resume(thread: Annotated[ThreadId, Path()], body: ResumeBody, request: Request, caller: Admitted) -> Response:
    """Answer a run that waits for a person, or continue one that was stopped."""
    service = service_of(request)
    row = await service.thread_of(thread, caller)
    await service.visible(row.database, caller)
    context: Context = context_of_caller(caller, service.context)
    async with Claim(service, thread) as claim:
        turn, step = await resuming_step(service, thread, body)
        await service.store.set_turn(thread, turn.number, "running", None)
        run = ApiRun(claim, turn.number, step, context, request_id_of(request.scope))
    return await respond(run, request)


async def _new_thread(service: Service, caller: Caller, database: str) -> str:
    thread = uuid4().hex
    seen = service.seen_by(caller, database)
    await service.store.add(ThreadRow(thread, owner_of(caller), database, seen, 0.0, None, 0.0))
    return thread


def _require_same(row: ThreadRow, database: str) -> None:
    if row.database != database:
        raise ApiError(400, "The thread is about another database; leave out thread to begin a new one.")
