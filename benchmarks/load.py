"""Many questions at once over HTTP: is one lost, does memory grow, and what does the app cost?

    make load                        # or: python benchmarks/load.py [--seconds 300] [--clients 200] [--out FILE]

Writes `load.md` next to this script, in three parts. A model that replies at once, for all of the time: its answers
take only the app's own time. A model server that answers every second request with 429, for a tenth of the time. A
server that is asked to end by SIGTERM while all clients wait: the next server continues the open questions. Clients and
servers share the machine. Left out: a real model, TLS, several servers behind one name.
"""

import argparse
import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shared.asking_clients import Tally, ask_for, clients, thread_and_end, until_ready, watched
from shared.heading import heading
from shared.scripted_api import SQL, WAITING

HERE = Path(__file__).parent
PETS = "CREATE TABLE pet (name TEXT, weight INTEGER); INSERT INTO pet VALUES ('Rex', 4), ('Mia', 5), ('Tom', 30);"
BUDGET = 60
"""Seconds that a question may take while the model server is busy."""
THINKING = 2.0
"""Seconds of the model's reply in the part with SIGTERM."""
CLOSING = 1
"""Seconds that questions may still take after SIGTERM."""
SERVE = "from shared.scripted_api import main; main()"


@dataclass(frozen=True)
class Load:
    """The size of the run."""

    seconds: float
    clients: int
    folder: Path


@asynccontextmanager
async def process(*command: str, port: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A server that is ready, and ended at the end of the block."""
    started = subprocess.Popen([sys.executable, *command], cwd=HERE, stderr=subprocess.DEVNULL)
    try:
        await until_ready(f"http://127.0.0.1:{port}")
        yield started
    finally:
        started.terminate()
        await asyncio.to_thread(started.wait, 60)


def command_line(load: Load, port: int, model: str, *more: str) -> list[str]:
    """The command that serves the pets with the model at a URL."""
    pets, threads = str(load.folder / "pets.sqlite"), str(load.folder / "kept.sqlite")
    limits = ("--waiting", str(WAITING), "--per-minute", "0", "--strategy", "single")
    places = ("--db", pets, "--model", model, "--port", str(port), "--threads", threads)
    return ["-m", "route_sql", "api", *places, *limits, *more]


async def at_once(load: Load) -> list[str]:
    """The rows of the first table: one question at a time, then all clients."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with process("-c", SERVE, str(load.folder), str(port), port=port) as server:
        alone = await ask_for(url, 1, load.seconds / 20)
        busy, megabytes = await watched(server.pid, ask_for(url, load.clients, load.seconds), load.seconds / 50)
    warm = megabytes[len(megabytes) // 10 :]
    return [
        line(1, alone, load.seconds / 20, "–"),
        line(load.clients, busy, load.seconds, f"{warm[0]:.0f} to {warm[-1]:.0f}, at most {max(warm):.0f}"),
    ]


def line(asked: int, tally: Tally, seconds: float, memory: str) -> str:
    """One row; times are those from the request to the whole answer."""
    parts = [f"{tally.quantile(share) * 1000:,.0f}" for share in (0.5, 0.95, 0.99)]
    rate = f"{len(tally.seconds) / seconds:.1f}"
    return f"| {asked} | {len(tally.seconds):,} | {len(tally.lost)} | {rate} | {' | '.join(parts)} | {memory} |"


async def busy_model(load: Load) -> str:
    """The row of a model server that answers every second request with 429."""
    stubs = stub_module()
    turns = count()

    def reply(handler: Any, stub: Any) -> None:
        is_busy = next(turns) % 2 == 0
        chosen = stubs.failure(429, {"error": "busy"}, Retry_After="0") if is_busy else stubs.completion(SQL)
        chosen(handler, stub)

    with closing(stubs.ChatStub(otherwise=reply)) as stub:
        stub.models.append(stubs.models("route-sql"))
        port = free_port()
        given = command_line(load, port, stub.url, "--seconds", str(BUDGET))
        async with process(*given, port=port):
            seconds = max(2.0, load.seconds / 10)
            tally = await ask_for(f"http://127.0.0.1:{port}", load.clients, seconds)
        refused = len(stub.bodies) // 2
    within = sum(each < BUDGET for each in tally.seconds)
    longest = max(tally.seconds, default=float("nan"))
    return f"| {load.clients} | {len(stub.bodies):,} | {refused:,} | {within:,} | {len(tally.lost)} | {longest:.1f} |"


async def ended_in_the_middle(load: Load) -> str:
    """The row of a server that gets SIGTERM while all clients wait, and of the next one."""
    stubs, port = stub_module(), free_port()
    url = f"http://127.0.0.1:{port}"
    with closing(stubs.ChatStub(otherwise=stubs.completion(SQL, THINKING))) as stub:
        stub.models.append(stubs.models("route-sql"))
        given = command_line(load, port, stub.url, "--closing", str(CLOSING))
        async with process(*given, port=port) as server, clients(url, load.clients) as http:
            questions = [f"Which pets weigh more than 4, asks {number}?" for number in range(load.clients)]
            asking = [asyncio.create_task(thread_and_end(http, question)) for question in questions]
            await some_ended(asking, load.clients // 4)
            server.send_signal(signal.SIGTERM)
            ends = await asyncio.gather(*asking)
            await asyncio.to_thread(server.wait, 60)
        async with process(*given, port=port), clients(url, load.clients) as http:
            left = [thread for thread, answer in ends if answer is None]
            resumed = await asyncio.gather(*(continued(http, thread) for thread in left if thread))
    answered = sum(answer is not None for _, answer in ends)
    unasked = sum(thread is None for thread, _ in ends)
    lost = len(resumed) - sum(resumed)
    return f"| {load.clients} | {answered} | {sum(resumed)} | {unasked} | {lost} |"


async def some_ended(tasks: Sequence[asyncio.Task[Any]], number: int) -> None:
    """Wait until this many of the tasks have ended."""
    while sum(task.done() for task in tasks) < number:
        await asyncio.sleep(0.02)


async def continued(http: Any, thread: str) -> bool:
    """Whether a question whose server ended has its answer, or gets it when it is continued."""
    turn = (await http.get(f"/v1/threads/{thread}")).json()["turns"][-1]
    if turn["state"] == "answered":
        return bool(turn["answer"]["status"] == "ok")
    reply = await http.post(f"/v1/threads/{thread}/resume", json={"type": "continue"})
    return reply.status_code == 200 and bool(reply.json()["answer"]["status"] == "ok")


def stub_module() -> Any:
    """The scripted model server of the tests."""
    sys.path.append(str(HERE.parent / "tests"))
    from support import chat_stub

    return chat_stub


def free_port() -> int:
    """A port that is free now."""
    stub_module()
    from support.server_processes import free_port as found

    return int(found())


async def tables(load: Load) -> list[str]:
    """The three tables."""
    with closing(sqlite3.connect(load.folder / "pets.sqlite")) as connection:
        connection.executescript(PETS)
    return [
        f"A model that replies at once; {load.seconds:g} seconds. Times in ms, from the request to the whole answer: "
        "all of it is the app's own, and with many clients nearly all of that is waiting for the processor. Memory of "
        "the server in MB, after a tenth of the time.",
        "",
        "| clients | answered | lost | a second | p50 | p95 | p99 | memory |",
        "| --: | --: | --: | --: | --: | --: | --: | --: |",
        *await at_once(load),
        "",
        f"A model server that answers every second request with 429; a question may take {BUDGET} seconds.",
        "",
        "| clients | requests to the model | of them 429 | answered in time | lost | longest, s |",
        "| --: | --: | --: | --: | --: | --: |",
        await busy_model(load),
        "",
        f"SIGTERM when a quarter of the questions is answered; the model needs {THINKING:g} s for each, and the server "
        f"has {CLOSING} second to end. The next server continues what was stopped, or had only waited for its turn.",
        "",
        "| questions | answered before the end | continued by the next server | refused at once | lost |",
        "| --: | --: | --: | --: | --: |",
        await ended_in_the_middle(load),
    ]


def main(given: Sequence[str] | None = None) -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    chosen = parser.parse_args(given)
    with TemporaryDirectory() as folder:
        title = heading("Load on the HTTP app", "fastapi", "uvicorn", "langgraph", SQLite=sqlite3.sqlite_version)
        note = "The machine is shared: clients, servers and other work use the same two cores."
        lines = [title, "", note, "", *asyncio.run(tables(Load(chosen.seconds, chosen.clients, Path(folder))))]
    chosen.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
