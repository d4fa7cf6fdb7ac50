"""The list of threads and their turns: their owners, and the checkpoint of each turn's state.

Answers and rows are in the checkpoints alone, which are in the same database.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import time
from typing import NamedTuple, TypeVar

import sqlalchemy as sa

from route_sql.api.forms.answers import TurnState

T = TypeVar("T")

LISTED = 200
"""Threads that a list has at most, and turns that a thread has at most."""

_TABLES = sa.MetaData()
THREADS = sa.Table(
    "route_sql_threads",
    _TABLES,
    sa.Column("thread", sa.String(32), primary_key=True),
    sa.Column("owner", sa.Text, nullable=False, index=True),
    sa.Column("database", sa.Text, nullable=False),
    sa.Column("seen", sa.Text, nullable=False),
    sa.Column("used_at", sa.Float, nullable=False, index=True),
    sa.Column("run", sa.String(32)),
    sa.Column("busy_until", sa.Float, nullable=False),
)
TURNS = sa.Table(
    "route_sql_turns",
    _TABLES,
    sa.Column("thread", sa.String(32), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("began_after", sa.Text, nullable=False),
    sa.Column("checkpoint", sa.Text),
    sa.Column("decided", sa.Text),
)

INPUTS = sa.Table(
    "route_sql_inputs",
    _TABLES,
    sa.Column("thread", sa.String(32), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("asked", sa.Text, nullable=False),
)
"""Inputs and options of turns, as JSON, for runs that are stopped before a checkpoint holds them."""

SHOWN = [THREADS.c.thread, THREADS.c.owner, THREADS.c.database, THREADS.c.seen]


@dataclass(frozen=True)
class ThreadRow:
    """A thread."""

    thread: str
    owner: str
    database: str
    seen: str
    """Digest of what its owner could see of the database."""


@dataclass(frozen=True)
class TurnRow:
    """A question of a thread."""

    thread: str
    number: int
    question: str
    asked_at: float
    state: TurnState
    began_after: str
    """The thread's checkpoint before its run; blank for the first. While it is the last one, the run has not begun."""
    checkpoint: str | None = None
    """The checkpoint with its last state."""
    decided: str | None = None
    """The checkpoint at which a person answered a run that has not ended since then."""


class ThreadSummary(NamedTuple):
    """The ends of a thread, for a list of threads."""

    first: TurnRow
    last: TurnRow
    turns: int
    """Number of turns."""


class ThreadStore:
    """The list in a database; each call runs in a thread of its own."""

    def __init__(self, engine: sa.Engine, workers: int) -> None:
        """Take an engine, and the number of calls that it may serve at once."""
        self._engine = engine
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="threads")

    async def prepare(self, *, is_alone: bool) -> None:
        """Make the tables. A server that uses them alone ends the runs of a server that was killed."""
        await self._in_thread(lambda: _TABLES.create_all(self._engine))
        if is_alone:
            await self._do(_end_all)

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._workers.shutdown)
        self._engine.dispose()

    async def ping(self) -> None:
        """Check that the database answers."""
        await self._do(lambda connection: connection.execute(sa.select(sa.literal(1))))

    async def add(self, row: ThreadRow, run: str, busy_until: float) -> None:
        """Add a thread with its first run."""
        claimed = {"run": run, "busy_until": busy_until, "used_at": time()}
        await self._do(lambda connection: connection.execute(sa.insert(THREADS).values(**vars(row), **claimed)))

    async def find(self, thread: str, owner: str) -> ThreadRow | None:
        """A thread of an owner; None if there is none, or it belongs to someone else."""
        query = sa.select(*SHOWN).where(THREADS.c.thread == thread, THREADS.c.owner == owner)
        rows = await self._do(lambda connection: connection.execute(query).mappings().all())
        return ThreadRow(**rows[0]) if rows else None

    async def of_owner(self, owner: str) -> list[ThreadRow]:
        """The threads of an owner, the newest first."""
        query = sa.select(*SHOWN).where(THREADS.c.owner == owner).order_by(THREADS.c.used_at.desc()).limit(LISTED)
        rows = await self._do(lambda connection: connection.execute(query).mappings().all())
        return [ThreadRow(**row) for row in rows]

    async def turns(self, threads: list[str]) -> dict[str, list[TurnRow]]:
        """The turns of threads, in order; one that runs no longer counts as stopped."""
        return await self._do(lambda connection: _turns(connection, threads))

    async def summaries(self, threads: list[str]) -> dict[str, ThreadSummary]:
        """The first and the last turn of each thread that has any, and their number."""
        return await self._do(lambda connection: _summaries(connection, threads))

    async def claim(self, thread: str, run: str, busy_until: float, used_before: float | None = None) -> bool:
        """Begin a run, if no other one is in progress on the thread.

        With `used_before` it is the deletion of a thread that was last used before a moment, which counts as no use.
        """
        return await self._do(lambda connection: _claim(connection, thread, run, busy_until, used_before))

    async def add_turn(self, thread: str, question: str, began_after: str, asked: str) -> TurnRow:
        """Add a turn that runs, with its input. A turn that waited for a person counts as stopped."""
        return await self._do(lambda connection: _add_turn(connection, thread, question, began_after, asked))

    async def asked(self, turn: TurnRow) -> str | None:
        """The input of a turn; None for turns of earlier versions."""
        here = (INPUTS.c.thread == turn.thread) & (INPUTS.c.number == turn.number)
        return await self._do(lambda connection: connection.execute(sa.select(INPUTS.c.asked).where(here)).scalar())

    async def keep_turn(self, row: TurnRow) -> None:
        """Write a turn as it is now; once more if the connection breaks, since an answer depends on it."""
        here = (TURNS.c.thread == row.thread) & (TURNS.c.number == row.number)
        written = sa.update(TURNS).where(here).values(**vars(row))
        try:
            await self._do(lambda connection: connection.execute(written))
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            await self._do(lambda connection: connection.execute(written))

    async def renew(self, thread: str, run: str, busy_until: float) -> bool:
        """Extend a run's claim on its thread; False if another run has taken the thread over."""
        mine = (THREADS.c.thread == thread) & (THREADS.c.run == run)
        renewed = sa.update(THREADS).where(mine).values(busy_until=busy_until)
        return await self._do(lambda connection: connection.execute(renewed).rowcount == 1)

    async def release(self, thread: str, run: str) -> None:
        """End a run."""
        mine = (THREADS.c.thread == thread) & (THREADS.c.run == run)
        ended = sa.update(THREADS).where(mine).values(run=None, used_at=time())
        await self._do(lambda connection: connection.execute(ended))

    async def delete(self, thread: str) -> None:
        """Delete a thread."""
        await self._do(lambda connection: _delete(connection, thread))

    async def older_than(self, moment: float) -> list[str]:
        """The threads that were last used before a moment, and that no run uses, the oldest first."""
        is_idle = THREADS.c.run.is_(None) | (THREADS.c.busy_until < time())
        query = sa.select(THREADS.c.thread).where(THREADS.c.used_at < moment, is_idle)
        query = query.order_by(THREADS.c.used_at, THREADS.c.thread).limit(LISTED)
        return await self._do(lambda connection: [*connection.execute(query).scalars()])

    async def _do(self, work: Callable[[sa.Connection], T]) -> T:
        def in_one_transaction() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return await self._in_thread(in_one_transaction)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)


def _end_all(connection: sa.Connection) -> None:
    connection.execute(sa.update(THREADS).values(run=None))
    connection.execute(sa.update(TURNS).where(TURNS.c.state == "running").values(state="stopped"))


def _claim(connection: sa.Connection, thread: str, run: str, busy_until: float, used_before: float | None) -> bool:
    is_idle = THREADS.c.run.is_(None) | (THREADS.c.busy_until < time())
    taken = sa.update(THREADS).where(THREADS.c.thread == thread, is_idle).values(run=run, busy_until=busy_until)
    is_used = used_before is None
    taken = taken.values(used_at=time()) if is_used else taken.where(THREADS.c.used_at < used_before)
    return connection.execute(taken).rowcount == 1


def _add_turn(connection: sa.Connection, thread: str, question: str, began_after: str, asked: str) -> TurnRow:
    here = TURNS.c.thread == thread
    open_turns = here & TURNS.c.state.not_in(["answered", "stopped"])
    connection.execute(sa.update(TURNS).where(open_turns).values(state="stopped"))
    number = 1 + (connection.execute(sa.select(sa.func.max(TURNS.c.number)).where(here)).scalar() or 0)
    row = TurnRow(thread, number, question, time(), "running", began_after)
    connection.execute(sa.insert(TURNS).values(**vars(row)))
    connection.execute(sa.insert(INPUTS).values(thread=thread, number=number, asked=asked))
    return row


def _delete(connection: sa.Connection, thread: str) -> None:
    for table in (INPUTS, TURNS, THREADS):
        connection.execute(sa.delete(table).where(table.c.thread == thread))


def _summaries(connection: sa.Connection, threads: list[str]) -> dict[str, ThreadSummary]:
    number = TURNS.c.number
    ends = sa.select(TURNS.c.thread, sa.func.min(number), sa.func.max(number), sa.func.count())
    ends = ends.where(TURNS.c.thread.in_(threads)).group_by(TURNS.c.thread)
    counts = {thread: (first, last, count) for thread, first, last, count in connection.execute(ends)}
    places = [(thread, number) for thread, (first, last, _) in counts.items() for number in {first, last}]
    found = _turns(connection, [*counts], sa.tuple_(TURNS.c.thread, TURNS.c.number).in_(places))
    return {thread: ThreadSummary(turns[0], turns[-1], counts[thread][2]) for thread, turns in found.items()}


def _turns(
    connection: sa.Connection, threads: list[str], which: sa.ColumnElement[bool] | None = None
) -> dict[str, list[TurnRow]]:
    running = sa.select(THREADS.c.thread).where(THREADS.c.run.is_not(None), THREADS.c.busy_until >= time())
    busy = {*connection.execute(running.where(THREADS.c.thread.in_(threads))).scalars()}
    query = sa.select(TURNS).where(TURNS.c.thread.in_(threads) if which is None else which)
    found: dict[str, list[TurnRow]] = {thread: [] for thread in threads}
    for row in connection.execute(query.order_by(TURNS.c.thread, TURNS.c.number)).mappings():
        is_lost = row["state"] == "running" and row["thread"] not in busy
        found[row["thread"]].append(TurnRow(**{**row, **({"state": "stopped"} if is_lost else {})}))
    return found
