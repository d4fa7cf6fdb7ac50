"""The app: routes, errors, and the checks in front of them."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Scope

from route_sql.access.access_check import AccessCheck
from route_sql.access.head_requests import HeadAsGet
from route_sql.access.keys import Callers
from route_sql.access.listening import own_origins
from route_sql.access.other_pages import OtherPages
from route_sql.access.request_body import BoundedBody
from route_sql.api import databases, history, operations, own_queries, page_files, questions
from route_sql.api.envelope import Envelope, Served
from route_sql.api.errors import ApiError, answer_error, error_answer
from route_sql.api.forms.description import DESCRIPTION, describe
from route_sql.api.service import Service
from route_sql.tools.errors import RouteError

NEEDS_KEY = "/v1/"
PROBES = ("/health", "/ready")
SENT = ("Authorization", "Content-Type", "X-Request-ID")
READ = ("X-Request-ID", "Retry-After")


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

    pages = OtherPages(origins, SENT, READ)
    checked = AccessCheck(
        pages.open_to(BoundedBody(HeadAsGet(_routes(service)), refuse=api_refusal)),
        [host.lower() for host in hosts],
        [*own_origins(hosts), *origins],
        callers or Callers({}),
        needs_key=_needs_key,
        any_host=_is_probe,
        refuse=pages.refusals(api_refusal),
    )
    return Envelope(checked, all_served)


def api_refusal(scope: Scope, status: int, message: str, headers: Mapping[str, str]) -> JSONResponse:
    """An answer in the form of the API's errors."""
    return error_answer(ApiError(status, message, headers), scope)


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
