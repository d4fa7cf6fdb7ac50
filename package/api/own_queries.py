"""Queries of a person's own: no model is asked."""

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import Response

from route_sql.access.callers import Caller
from route_sql.api.distinct_names import DistinctNamesRoute
from route_sql.api.forms.answers import errors
from route_sql.api.forms.bodies import QUESTION_CHARS, RunBody
from route_sql.api.forms.examples import RUN
from route_sql.api.service import AdmittedCaller, Service, service_of
from route_sql.api.turns import ENDED, answered_turn
from route_sql.graph.state import OwnQuery

router = APIRouter(tags=["questions"], route_class=DistinctNamesRoute)


@router.post("/v1/run", responses={**ENDED, **errors(400, 401, 403, 404, 409, 413, 415, 421, 429, 500, 503)})
async def run(
    body: Annotated[RunBody, Body(openapi_examples=RUN)], request: Request, caller: AdmittedCaller
) -> Response:
    """Run a query of the caller's own: guarded, with the caller's rights, within the limits. No model is asked."""
    service = service_of(request)
    question = body.question or await _last_question(service, caller, body.thread) or body.sql[:QUESTION_CHARS]
    asked = OwnQuery(question=question, database=body.database, own_sql=body.sql)
    return await answered_turn(request, caller, asked, body.thread, body.options)


async def _last_question(service: Service, caller: Caller, thread: str | None) -> str | None:
    """The last question of the caller's thread."""
    if thread is None:
        return None
    await service.thread_of(thread, caller)
    turns = (await service.store.turns([thread]))[thread]
    return turns[-1].question if turns else None
