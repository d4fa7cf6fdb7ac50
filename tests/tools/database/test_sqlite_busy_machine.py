"""A schema read on a busy machine: what takes long by the clock only is not left out."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import sleep

import pytest
from support.processes import children

from route_sql.tools.database.running.child_loop import ChildMessage
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.sqlite.session import SQLiteSession
from route_sql.tools.database.sqlite.skipping import read_skipping
from route_sql.tools.limits import Limits

VIEWS = 150
LONG_NAME = "v" * 900
"""Places are reported through a pipe, which holds fewer than a hundred such names: the process can't be far ahead."""
SECONDS_AWAY = 2.5
"""Longer than the time that one step of a reflection may take."""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are counted as Linux lists them")
@pytest.mark.parametrize("kind", ["view", "rows"])
def test_a_process_that_gets_no_processor_time_loses_nothing(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1);")
        connection.executescript("".join(f"CREATE VIEW {LONG_NAME}{n} AS SELECT a FROM t;" for n in range(VIEWS)))
    session, query = SQLiteSession(file, Limits().memory_bytes), Query("", Limits())
    stopped = 0

    def attempt(skipped: list[str], at: Callable[[str], None], seconds: float) -> ChildMessage:
        def wait_at(place: str) -> None:
            nonlocal stopped
            at(place)
            if place.startswith(f"{kind} ") and not stopped:
                stopped += 1
                _keep_from_running()

        return session.reflect(query, skipped, wait_at, seconds)

    found = read_skipping(file, query, attempt)
    session.close()
    assert stopped == 1
    assert len(list(found.schema)) == 1 + VIEWS
    assert all(table.columns[0].samples == ("1",) for table in found.schema)
    assert found.warnings("a") == ()


def _keep_from_running() -> None:
    processes = children()
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    sleep(SECONDS_AWAY)
    for process in processes:
        os.kill(process, signal.SIGCONT)
