"""Errors of the API: a status, a code, and one sentence that says what to do; no stack trace and no path."""

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import compile_path
from starlette.types import Scope

from route_sql.api.sentences import validation_sentence
from route_sql.json_values import json_value
from route_sql.serving.errors import ContextExceeded, ServingError
from route_sql.tools.errors import InvalidInput, RouteError, UnknownDatabase

REQUEST_ID = "route_sql.request_id"
FAILURE = "route_sql.failure"
"""Keys of the ASGI scope: the request's id, and the exception that an answer does not show."""
CODES = {
    400: "bad_input",
    401: "no_token",
    403: "origin",
    404: "not_found",
    405: "method",
    409: "conflict",
    413: "too_large",
    415: "not_json",
    421: "host",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}
SENTENCES = {
    404: "There is nothing at this address; /openapi.json lists the addresses.",
    405: "This address does not take this method; /openapi.json lists the methods.",
    500: "The server failed; the request id finds the reason in its log.",
}
MODEL_AWAY = "The model can't answer now; try again later, or ask who runs this server."
THREADS_AWAY = "The database of the threads can't be used now; try again later, or ask who runs this server."
DATABASE_AWAY = "The database can't be read now; try again later, or ask who runs this server."
TOO_LONG = "The question does not fit the model; shorten the question or the evidence."
STORAGE = ("sqlalchemy", "sqlite3", "psycopg", "psycopg_pool")
"""Libraries of the threads' database; errors of the databases that are asked never come as theirs."""
AWAY = ("OperationalError", "InterfaceError", "TimeoutError", "PoolTimeout", "PoolClosed", "TooManyRequests")
"""Names of their errors, derived ones too, that say that the database can't be used now."""
DAMAGED = "DatabaseError"
"""Name of the error that SQLite raises for a damaged file; other errors are derived from it."""
CLOSING = "The server is closing; a question that was asked can be continued when it is back."
RETRY = {"Retry-After": "5"}


class ApiError(Exception):
    """A request that can't be answered, with the status and the sentence of the answer."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        """Take the status, the sentence, and headers such as `Retry-After`."""
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


def request_id_of(scope: Scope) -> str:
    """The request's id."""
    return str(scope.get(REQUEST_ID, ""))


def error_body(status: int, message: str, request_id: str) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"code": CODES.get(status, "refused"), "message": message, "request_id": request_id}}


def error_answer(error: ApiError, scope: Scope) -> JSONResponse:
    """The answer for an error."""
    body = error_body(error.status, error.message, request_id_of(scope))
    return JSONResponse(json_value(body), error.status, error.headers)


def as_api_error(error: BaseException) -> ApiError:
    """Any exception as an error of the API. Only messages about the caller's own input are shown."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return ApiError(400, validation_sentence(error.errors()))
        case HTTPException():
            status = error.status_code if error.status_code in CODES else 400
            return ApiError(status, SENTENCES.get(status, "The body can't be read: it must be JSON."), error.headers)
        case InvalidInput():
            return ApiError(400, f"{str(error)[:1].upper()}{str(error)[1:]}.")
        case UnknownDatabase():
            return ApiError(404, "There is no such database; GET /v1/databases lists them.")
        case ContextExceeded():
            return ApiError(400, TOO_LONG)
        case ServingError():
            return ApiError(503, MODEL_AWAY, RETRY)
        case RouteError():
            return ApiError(503, DATABASE_AWAY, RETRY)
    return ApiError(503, THREADS_AWAY, RETRY) if _is_of_threads(error) else ApiError(500, SENTENCES[500])


def _is_of_threads(error: BaseException) -> bool:
    """Whether the threads' database is locked, full, damaged or away; other errors of its libraries are our faults."""
    kinds = [kind for kind in type(error).__mro__ if kind.__module__.partition(".")[0] in STORAGE]
    return any(kind.__name__ in AWAY for kind in kinds) or type(error).__name__ == DAMAGED


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Answer a request whose handling raised an exception."""
    known = as_api_error(error)
    if known.status == 405 and (methods := _methods(request)):
        known.headers["Allow"] = ", ".join(methods)
    note_failure(request.scope, error, known)
    return error_answer(known, request.scope)


def _methods(request: Request) -> list[str]:
    """Documented methods of the address; the framework names those of its first route alone."""
    paths = request.app.openapi()["paths"]
    found = (paths[path] for path in paths if compile_path(path)[0].match(request.url.path))
    return sorted({method.upper() for item in found for method in item})


def note_failure(scope: Scope, error: BaseException, known: ApiError) -> None:
    """Keep an exception for the log, if its answer does not show it."""
    if known.status >= 500 and error is not known:
        scope[FAILURE] = error
