"""Storage of the threads: a SQLite file of the user's by default, or a PostgreSQL database."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout
from langgraph.checkpoint.base import BaseCheckpointSaver
from platformdirs import user_data_path

from route_sql.api.threads.thread_store import ThreadStore
from route_sql.graph.threads.compressed import CompressedSerializer
from route_sql.tools.errors import InvalidInput

FILE = "threads.sqlite"
BUSY_SECONDS = 30
OPENING_SECONDS = 10
CONNECTIONS = 8
MISSING = "threads in PostgreSQL need a library: pip install 'route-sql[threads-postgres]'"
MISSING_SQLITE = "threads need a library: pip install 'route-sql[threads]'"
POSTGRES = ("postgresql://", "postgres://")

Kept = tuple[BaseCheckpointSaver[str], ThreadStore]
"""The checkpointer, and the list of threads."""


def default_file(folder: Path | None) -> Path:
    """The file of the threads, in a folder or in the user's own for data."""
    return (folder or user_data_path("route-sql")) / FILE


@asynccontextmanager
async def open_threads(place: str | Path) -> AsyncIterator[Kept]:
    """The threads of a file or of a PostgreSQL database.

    Raises:
        InvalidInput: it can't be opened, another server uses the file, or a library is missing.
    """
    async with AsyncExitStack() as stack:
        if not isinstance(place, str) or "://" not in place:
            kept = await _of_file(Path(place), stack)
        elif place.startswith(POSTGRES):
            kept = await _of_postgres(place, stack)
        else:
            raise InvalidInput("threads are kept in a SQLite file or at a URL that begins with postgresql://")
        yield kept


async def _of_file(path: Path, stack: AsyncExitStack) -> Kept:
    try:
        import aiosqlite
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    except ImportError as error:
        raise InvalidInput(MISSING_SQLITE) from error
    stack.callback((await asyncio.to_thread(_alone, path)).release)
    try:
        connection = await stack.enter_async_context(aiosqlite.connect(path, timeout=BUSY_SECONDS))
        # With a write-ahead log a power cut can lose the last writes, but breaks nothing.
        await connection.execute("PRAGMA synchronous=NORMAL")
        saver = AsyncSqliteSaver(connection, serde=CompressedSerializer())
        await saver.setup()
        url = sa.URL.create("sqlite", database=str(path))
        engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS}, pool_size=1)
        return saver, await _store(engine, 1, stack, is_alone=True)
    except (sqlite3.Error, sa.exc.SQLAlchemyError) as error:
        reason = getattr(error, "orig", None) or error
        raise InvalidInput(
            f"the threads in {path} can't be used ({reason}): move the file away, or give --threads"
        ) from error


async def _of_postgres(url: str, stack: AsyncExitStack) -> Kept:
    try:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
        from psycopg import AsyncConnection, Error
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool, PoolTimeout
    except ImportError as error:
        raise InvalidInput(MISSING) from error
    kwargs: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    try:
        # With a wrong URL a pool would try again and again.
        await (await AsyncConnection.connect(url, connect_timeout=OPENING_SECONDS)).close()
        pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            # A firewall may have ended a connection that nobody used for long.
            url,
            kwargs=kwargs,
            max_size=CONNECTIONS,
            open=False,
            check=AsyncConnectionPool.check_connection,
        )
        stack.push_async_callback(pool.close)
        await pool.open(wait=True, timeout=OPENING_SECONDS)
        saver = AsyncPostgresSaver(pool, serde=CompressedSerializer())
        await saver.setup()
        engine = sa.create_engine(
            f"postgresql+psycopg://{url.partition('://')[2]}", pool_size=CONNECTIONS, pool_pre_ping=True
        )
        return saver, await _store(engine, CONNECTIONS, stack, is_alone=False)
    except (PoolTimeout, Error, sa.exc.SQLAlchemyError):
        # The text of the driver's error may hold the user and the host.
        raise InvalidInput("the database of the threads can't be used; check its URL and its user's rights") from None


async def _store(engine: sa.Engine, workers: int, stack: AsyncExitStack, *, is_alone: bool) -> ThreadStore:
    store = ThreadStore(engine, workers)
    stack.push_async_callback(store.close)
    await store.prepare(is_alone=is_alone)
    return store


def _alone(path: Path) -> FileLock:
    """Make the file readable for this user only, and lock it for this server."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        lock = FileLock(f"{path}.lock", timeout=0, mode=0o600, thread_local=False)
        lock.acquire()
    except Timeout:
        raise InvalidInput(f"another server keeps its threads in {path}; end it, or give this one --threads") from None
    except OSError as error:
        raise InvalidInput(f"threads can't be kept in {path}: {error.strerror}; give another --threads") from error
    return lock
