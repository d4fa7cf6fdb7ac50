"""The process of `safety.py` that runs statements: one adapter, one statement at a time, results through a pipe."""

import asyncio
import os
import sqlite3
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema

SECONDS = 2.0
LIMITS = Limits(seconds=SECONDS)
LAYERS = {"neither": (False, False), "session": (False, True), "guard": (True, False), "both": (True, True)}
"""Whether the guard and the session are on."""


@dataclass(frozen=True)
class Order:
    """The database that a worker opens, and its layers."""

    dialect: str
    place: str
    """A path, or a URL."""
    folder: str
    """Working folder of the process, so that a relative path of a statement leads there."""
    guard: bool
    session: bool
    is_bare: bool = False


class Bare:
    """SQLite as a careless program opens it: what every layer of ours is measured against."""

    def __init__(self, path: Path) -> None:
        """Open for reading and writing."""
        self._connection = sqlite3.connect(path)

    async def schema(self) -> Schema:
        """Not looked at."""
        return Schema("sqlite", ())

    async def execute(self, sql: str) -> Outcome:
        """Run it and commit."""
        try:
            rows = self._connection.execute(sql).fetchall()
            self._connection.commit()
        except sqlite3.Error as error:
            return failed("error", str(error))
        return {**failed("ok", ""), "rows": [[str(cell) for cell in row] for row in rows]}


def opened(order: Order) -> Any:
    """The adapter; imported here, since not every engine's driver is installed everywhere."""
    if order.is_bare:
        return Bare(Path(order.place))
    if order.dialect == "sqlite":
        from route_sql.tools.database.sqlite.database import SQLiteDatabase

        return SQLiteDatabase("ground", Path(order.place), LIMITS, guard=order.guard, authorizer=order.session)
    if order.dialect == "duckdb":
        from route_sql.tools.database.duckdb.database import DuckDBDatabase

        return DuckDBDatabase("ground", Path(order.place), LIMITS, guard=order.guard, session=order.session)
    from route_sql.tools.database.running.server import ServerOptions

    options = ServerOptions(LIMITS, guard=order.guard, session=order.session)
    if order.dialect == "postgres":
        from route_sql.tools.database.postgres.database import PostgresDatabase

        return PostgresDatabase("ground", make_url(order.place), options)
    from route_sql.tools.database.mysql.database import MySQLDatabase

    return MySQLDatabase("ground", make_url(order.place), options)


def serve(order: Order, pipe: Connection) -> None:
    """Answer each SQL text with its outcome as a dict, until the pipe closes; an exception is an outcome too."""
    os.chdir(order.folder)
    with asyncio.Runner() as runner:
        database = opened(order)
        runner.run(database.schema())
        runner.run(database.execute("SELECT 1"))  # so that connections and processes are there
        pipe.send("ready")
        while (sql := _next(pipe)) is not None:
            try:
                pipe.send(runner.run(database.execute(sql)))
            except Exception as error:  # a lost server, a closed file: the benchmark must continue and count it
                pipe.send({**failed("error", f"{type(error).__name__}: {error}"), "raised": True})


def _next(pipe: Connection) -> str | None:
    try:
        sql: str = pipe.recv()
    except EOFError:
        return None
    return sql
