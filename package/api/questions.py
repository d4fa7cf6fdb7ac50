"""Questions, and a person's answers to runs that wait."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Body, Path, Request
from fastapi.responses import Response

from route_sql.api.distinct_names import DistinctNamesRoute
from route_sql.api.errors import request_id_of
from route_sql.api.forms.answers import errors
from route_sql.api.forms.bodies import AskBody, ResumeBody, ThreadId
from route_sql.api.forms.examples import ASK, RESUME
from route_sql.api.resuming import resuming_step
from route_sql.api.running import ApiRun, Claim
from route_sql.api.service import AdmittedCaller, service_of
from route_sql.api.streaming import respond
from route_sql.api.turns import ENDED, answered_turn
from route_sql.graph.state import Question

router = APIRouter(tags=["questions"], route_class=DistinctNamesRoute)


@router.post("/v1/ask", responses={**ENDED, **errors(400, 401, 403, 404, 409, 413, 415, 421, 429, 500, 503)})
async def ask(
    body: Annotated[AskBody, Body(openapi_examples=ASK)], request: Request, caller: AdmittedCaller
) -> Response:
    """Ask a question. With `Accept: text/event-stream` the answer is a stream of events."""
    asked = Question(question=body.question, database=body.database, evidence=body.evidence)
    return await answered_turn(request, caller, asked, body.thread, body.options)


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
    async with Claim(service, row) as claim:
        turn, step, context = await resuming_step(service, caller, thread, body)
        turn = replace(turn, state="running")
        await service.store.keep_turn(turn)
        run = ApiRun(claim, turn, step, context, request_id_of(request.scope))
    return await respond(run, request)
