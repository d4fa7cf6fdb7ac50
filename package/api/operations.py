"""Routes for the operators of the server: whether it lives, whether it is ready, and its metrics."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from route_sql.api.errors import CLOSING, FAILURE, RETRY, ApiError
from route_sql.api.forms.answers import HealthBody, errors
from route_sql.api.service import service_of

router = APIRouter(tags=["operations"])
NO_THREADS = "The database of the threads can't be reached."


@router.get("/health", responses={200: {"model": HealthBody}, **errors(403, 500)})
async def health() -> Response:
    """Say that the server lives."""
    return JSONResponse(HealthBody(status="ok"))


@router.get("/ready", responses={200: {"model": HealthBody}, **errors(403, 500, 503)})
async def ready(request: Request) -> Response:
    """Say whether the server takes questions."""
    service = service_of(request)
    if service.slots.is_closing:
        raise ApiError(503, CLOSING, RETRY)
    try:
        await service.store.ping()
    except SQLAlchemyError as error:
        request.scope[FAILURE] = error
        raise ApiError(503, NO_THREADS, RETRY) from error
    return JSONResponse(HealthBody(status="ready"))


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}, **errors(403, 421, 500)})
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return Response(generate_latest(service_of(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)
