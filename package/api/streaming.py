"""Answers as JSON or as server-sent events; a client that leaves stops its run."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from route_sql.api.errors import CLOSING, ApiError, as_api_error, error_body, note_failure
from route_sql.api.running import ApiRun
from route_sql.json_values import json_value

STREAM = "text/event-stream"
LEFT = "The client left, so the question was stopped."


def wants_stream(request: Request) -> bool:
    """Whether a client asks for a stream of events."""
    kinds = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return STREAM in kinds


async def respond(run: ApiRun, request: Request) -> Response:
    """The answer of a run, in the form that the client asks for."""
    if wants_stream(request):
        return RunStream(run, request.scope)
    leaving = asyncio.create_task(_left(request))
    try:
        if not await run.ended_before(leaving):
            raise ApiError(503, LEFT)
        return JSONResponse(json_value(await run.result()))
    finally:
        leaving.cancel()
        await run.stop()


class RunStream(StreamingResponse):
    """The story of a run and its end, as server-sent events."""

    def __init__(self, run: ApiRun, scope: Scope) -> None:
        """Take a run that works, and the scope of its request."""
        super().__init__(
            _story(run, scope), media_type=STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; the run ends with the response."""
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            event = _event("error", error_body(503, CLOSING, self._run.request_id))
            await send({"type": "http.response.body", "body": event.encode()})
            raise
        finally:
            await self._run.stop()


async def _story(run: ApiRun, scope: Scope) -> AsyncIterator[str]:
    yield _event("thread", {"thread": run.thread, "turn": run.turn, "request_id": run.request_id})
    async for event in run.events():
        yield ": ping\n\n" if event is None else _event("story", event)
    try:
        body = await run.result()
    except Exception as error:  # the status is sent already, so whatever failed must be an event
        known = as_api_error(error)
        note_failure(scope, error, known)
        yield _event("error", error_body(known.status, known.message, run.request_id))
    else:
        yield _event("interrupt" if body["interrupt"] else "answer", body)


def _event(name: str, value: Any) -> str:
    """One event. JSON has no line break outside of its strings' escapes, so it is one line."""
    return f"event: {name}\ndata: {json.dumps(json_value(value), ensure_ascii=False)}\n\n"


async def _left(request: Request) -> None:
    """Wait until the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
