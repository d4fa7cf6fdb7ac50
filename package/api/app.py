"""The app: routes, errors, and the checks in front of them."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Scope

from route_sql.access.access_check import AccessCheck
from route_sql.access.head_requests import HeadAsGet
from route_sql.access.keys import Callers
from route_sql.access.listening import own_origins
from route_sql.access.request_body import BoundedBody
from route_sql.api import databases, history, operations, own_queries, page_files, questions
from route_sql.api.envelope import Envelope, Served
from route_sql.api.errors import ApiError, answer_error, error_answer
from route_sql.api.forms.description import DESCRIPTION, describe
from route_sql.api.service import Service
from route_sql.tools.errors import RouteError

NEEDS_KEY = "/v1/"
PROBES = ("/health", "/ready")
EXPOSED = ["X-Request-ID", "Retry-After"]
CLOSED_TO_PAGES = (403, 421)
"""Refusals of a page's origin or of the server's name."""


def build_app(
    service: Service,
    hosts: Sequence[str],
    origins: Sequence[str] = (),
    callers: Callers | None = None,
    served: Callable[[Served], None] | None = None,
) -> ASGIApp:
    """The app behind its access check.

    Args:
        service: What the routes share.
        hosts: Values that the header Host may have.
        origins: Origins of other pages that may call it.
        callers: Who may call, by key; without any, everyone who reaches the server.
        served: Called with each request that was answered, in addition to the metrics.
    """

    def all_served(request: Served) -> None:
        service.metrics.count(request)
        if served is not None:
            served(request)

    app = _open_to_pages(BoundedBody(HeadAsGet(_routes(service)), refuse=api_refusal), origins)
    return Envelope(_access_check(app, hosts, origins, callers or Callers({})), all_served)


def _open_to_pages(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The app with the headers by which a browser lets pages of other origins read its answers."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        expose_headers=EXPOSED,
    )


def api_refusal(scope: Scope, status: int, message: str, headers: Mapping[str, str]) -> JSONResponse:
    """An answer in the form of the API's errors."""
    return error_answer(ApiError(status, message, headers), scope)


def _access_check(app: ASGIApp, hosts: Sequence[str], origins: Sequence[str], callers: Callers) -> AccessCheck:
    def refuse(scope: Scope, status: int, message: str, headers: Mapping[str, str]) -> ASGIApp:
        answer = api_refusal(scope, status, message, headers)
        # A page that may call must be able to read that its key is wrong; to others the refusal stays closed.
        return answer if status in CLOSED_TO_PAGES else _open_to_pages(answer, origins)

    return AccessCheck(
        app,
        [host.lower() for host in hosts],
        [*own_origins(hosts), *origins],
        callers,
        needs_key=_needs_key,
        any_host=_is_probe,
        refuse=refuse,
    )


def _routes(service: Service) -> FastAPI:
    app = FastAPI(
        title="route-sql",
        description=DESCRIPTION,
        version=version("route-sql"),
        docs_url=None,  # those pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    for part in (questions, own_queries, history, databases, operations, page_files):
        app.include_router(part.router)
    for kind in (ApiError, RouteError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer_error)
    describe(app, service.context)
    return app


def _needs_key(scope: Scope) -> bool:
    # A browser asks first, without a key, whether a page of another origin may call; only the answer is open.
    return str(scope["path"]).startswith(NEEDS_KEY) and scope["method"] != "OPTIONS"


def _is_probe(scope: Scope) -> bool:
    return scope["path"] in PROBES
