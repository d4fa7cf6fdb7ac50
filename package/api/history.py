"""Threads of a caller: the list, one with its answers, its report, and its end."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from route_sql.api.errors import ApiError
from route_sql.api.forms.answers import ThreadBody, ThreadEntry, ThreadsBody, TurnBody, errors
from route_sql.api.forms.bodies import ThreadId
from route_sql.api.running import BUSY
from route_sql.api.service import AdmittedCaller, Service, owner_of, service_of
from route_sql.api.threads.outcomes import answer_of, person_question
from route_sql.api.threads.thread_store import ThreadRow, ThreadSummary, TurnRow
from route_sql.graph.state import Answer
from route_sql.json_values import json_value
from route_sql.pages.engine import style_policy
from route_sql.pages.run_page import run_page
from route_sql.tools.database.outcome import Cell

router = APIRouter(tags=["threads"])
OneThread = Annotated[ThreadId, Path()]
NO_TURN = "The thread has no such turn, or the turn has no report yet."


@router.get("/v1/threads", responses={200: {"model": ThreadsBody}, **errors(401, 403, 421, 429, 500, 503)})
async def threads(request: Request, caller: AdmittedCaller) -> Response:
    """List the caller's threads, the newest first."""
    service = service_of(request)
    rows = [row for row in await service.store.of_owner(owner_of(caller)) if service.still_sees(caller, row)]
    found = await service.store.summaries([row.thread for row in rows])
    entries = [_entry(row, found[row.thread]) for row in rows if row.thread in found]
    return JSONResponse(json_value(ThreadsBody(threads=entries)))


@router.get(
    "/v1/threads/{thread}", responses={200: {"model": ThreadBody}, **errors(400, 401, 403, 404, 421, 429, 500, 503)}
)
async def thread(thread: OneThread, request: Request, caller: AdmittedCaller) -> Response:
    """Show a thread with its questions and answers."""
    service = service_of(request)
    row = await service.thread_of(thread, caller)
    body = ThreadBody(thread=thread, database=row.database, turns=await _turns(service, thread))
    # All answers of a thread, with their rows, may take a while to write.
    return await asyncio.to_thread(lambda: JSONResponse(json_value(body)))


@router.delete("/v1/threads/{thread}", status_code=204, responses=errors(400, 401, 403, 404, 409, 421, 429, 500, 503))
async def delete(thread: OneThread, request: Request, caller: AdmittedCaller) -> Response:
    """Delete a thread with all its answers."""
    service = service_of(request)
    await service.thread_of(thread, caller)
    if not await service.forget(thread):
        raise ApiError(409, BUSY)
    return Response(status_code=204)


@router.get(
    "/v1/threads/{thread}/report",
    responses={200: {"content": {"text/html": {}}}, **errors(400, 401, 403, 404, 421, 429, 500, 503)},
)
async def report(
    thread: OneThread,
    request: Request,
    caller: AdmittedCaller,
    turn: Annotated[int | None, Query(ge=1, le=1_000)] = None,
) -> Response:
    """The page of a turn's run, by default of the last one: the path, each candidate, each call."""
    service = service_of(request)
    await service.thread_of(thread, caller)
    turns = {each.number: each for each in (await service.store.turns([thread]))[thread]}
    chosen = turns.get(turn or max(turns, default=0))
    snapshot = await _snapshot(service, chosen) if chosen else None
    if snapshot is None or "choices" not in snapshot.values:
        raise ApiError(404, NO_TURN)
    headers = {"Content-Security-Policy": style_policy()}
    page = await asyncio.to_thread(run_page, snapshot.values)
    return Response(page, media_type="text/html", headers=headers)


def _entry(row: ThreadRow, found: ThreadSummary) -> ThreadEntry:
    return ThreadEntry(
        thread=row.thread,
        database=row.database,
        question=found.first.question,
        asked_at=_time(found.last.asked_at),
        state=found.last.state,
        turns=found.turns,
    )


async def _turns(service: Service, thread: str) -> list[TurnBody]:
    """The turns of a thread. States are read one after the other, the newest first, as long as their rows fit."""
    turns: list[TurnBody] = []
    left = service.limits.thread_bytes
    for row in reversed((await service.store.turns([thread]))[thread]):
        turn = await _turn(service, row)
        if (answer := turn["answer"]) is not None and answer["rows"]:
            if left <= 0:
                turn = TurnBody({**turn, "answer": Answer({**answer, "rows": []}), "rows_left_out": True})
            else:
                left -= await asyncio.to_thread(_size, answer["rows"])
        turns.insert(0, turn)
    return turns


def _size(rows: list[list[Cell]]) -> int:
    """Bytes of rows as JSON."""
    return len(json.dumps(rows))


async def _turn(service: Service, row: TurnRow) -> TurnBody:
    snapshot = await _snapshot(service, row)
    is_open = row.state in ("needs_approval", "needs_choice")
    return TurnBody(
        turn=row.number,
        question=row.question,
        asked_at=_time(row.asked_at),
        state=row.state,
        answer=answer_of(snapshot) if snapshot and row.state == "answered" else None,
        interrupt=person_question(snapshot) if snapshot and is_open else None,
        rows_left_out=False,
    )


async def _snapshot(service: Service, row: TurnRow) -> Any:
    """The state in which a turn's run was left; None before its first step."""
    if row.checkpoint is None:
        return None
    return await service.graph.aget_state({"configurable": {"thread_id": row.thread, "checkpoint_id": row.checkpoint}})


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
