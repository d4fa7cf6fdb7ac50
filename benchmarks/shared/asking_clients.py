"""Clients that ask the HTTP app at once, and what became of each question."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2

QUESTION_SECONDS = 300.0
"""Seconds that a client waits for an answer."""
START_SECONDS = 300.0
"""Seconds that a server may take to start, on a machine that may be busy."""
BODY = {"database": "pets"}


@dataclass
class Tally:
    """Results of the questions."""

    seconds: list[float] = field(default_factory=list)
    """Seconds of each question that was answered."""
    lost: list[str] = field(default_factory=list)
    """Reason why each other one was not."""

    def add(self, reply: httpx2.Response, seconds: float) -> None:
        """Count a reply."""
        answer = reply.json().get("answer") if reply.status_code == 200 else None
        if answer is not None and answer["status"] == "ok" and answer["row_count"] == 2:
            self.seconds.append(seconds)
        else:
            self.lost.append(f"{reply.status_code}: {reply.text[:200]}")

    def quantile(self, share: float) -> float:
        """The seconds below which this share of the answers came."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


@asynccontextmanager
async def clients(url: str, number: int) -> AsyncIterator[httpx2.AsyncClient]:
    """One pool with a connection for each client."""
    limits = httpx2.Limits(max_connections=number, max_keepalive_connections=number)
    async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=QUESTION_SECONDS) as http:
        yield http


async def ask_for(url: str, number_of_clients: int, seconds: float) -> Tally:
    """Ask with this many clients, each again and again, until the time is over."""
    tally, end = Tally(), monotonic() + seconds

    async def client(number: int, http: httpx2.AsyncClient) -> None:
        for turn in count():
            await ask_once(http, tally, f"Which pets weigh more than 4, asks {number} in turn {turn}?")
            if monotonic() >= end:
                break

    async with clients(url, number_of_clients) as http:
        await asyncio.gather(*(client(number, http) for number in range(number_of_clients)))
    return tally


async def ask_once(http: httpx2.AsyncClient, tally: Tally, question: str) -> None:
    """Ask one question and count what became of it."""
    began = monotonic()
    try:
        reply = await http.post("/v1/ask", json={**BODY, "question": question})
        tally.add(reply, monotonic() - began)
    except httpx2.HTTPError as error:
        tally.lost.append(type(error).__name__)


async def thread_and_end(http: httpx2.AsyncClient, question: str) -> tuple[str | None, Any]:
    """The thread of a question, and its answer; None where the server ended before."""
    thread, event = None, ""
    try:
        body, stream = {**BODY, "question": question}, {"Accept": "text/event-stream"}
        async with http.stream("POST", "/v1/ask", json=body, headers=stream) as reply:
            async for line in reply.aiter_lines():
                event = line.removeprefix("event: ") if line.startswith("event: ") else event
                if line.startswith("data: ") and event in ("thread", "answer"):
                    data = json.loads(line.removeprefix("data: "))
                    thread = data["thread"]
                    if event == "answer":
                        return thread, data["answer"]
    except httpx2.HTTPError:
        pass
    return thread, None


async def until_ready(url: str) -> None:
    """Wait until a server takes questions."""
    async with asyncio.timeout(START_SECONDS), httpx2.AsyncClient(base_url=url) as http:
        while True:
            try:
                if (await http.get("/ready")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.2)


async def watched(pid: int, work: Awaitable[Tally], every: float) -> tuple[Tally, list[float]]:
    """The result of some work, and the megabytes of a process while it lasted."""
    megabytes: list[float] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(every)
            megabytes.append(memory_of(pid))

    watching = asyncio.create_task(watch())
    try:
        return await work, megabytes
    finally:
        watching.cancel()


def memory_of(pid: int) -> float:
    """Megabytes that a process holds in memory, without those of its children."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
