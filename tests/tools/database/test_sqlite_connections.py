"""A SQLite file is let go of when something goes wrong, even while the error is kept.

SQLite runs in child processes, so the descriptors of this process and of its children are counted.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from support.processes import children

from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

OPEN_FILES = Path("/proc/self/fd")
PAGE = 4096
ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT MAX(x) FROM r"
ONE_TABLE = """
    CREATE TABLE t (a);
    INSERT INTO t WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 99) SELECT zeroblob(999) FROM r;
"""
MANY_TABLES = "".join(f"CREATE TABLE t{number} (a TEXT, b TEXT, c TEXT);" for number in range(200))

pytestmark = pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="there is no list of this process's open files")


def times_open(file: Path) -> int:
    return sum(_times_open(file, process) for process in [os.getpid(), *children()])


def _times_open(file: Path, process: int) -> int:
    with suppress(FileNotFoundError):  # it has ended
        return sum(link.resolve() == file for link in Path(f"/proc/{process}/fd").iterdir())
    return 0


def make(file: Path, script: str) -> bytes:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE}")
        connection.executescript(script)
    return file.read_bytes()


def ruin_all_but_first_page(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:PAGE] + b"\xff" * (len(whole) - PAGE))


@pytest.mark.parametrize(
    ("sql", "limits", "status"),
    [
        ("SELECT b FROM t", Limits(), "error"),
        ("SELECT length(hex(zeroblob(1000000000))) FROM t", Limits(), "error"),
        ("SELECT '\ud800' FROM t", Limits(), "error"),
        ("SELECT * FROM sqlite_master", Limits(), "refused"),
        (ENDLESS, Limits(seconds=0.1), "timeout"),
    ],
)
async def test_a_query_that_fails_leaves_its_connection_to_the_next(
    tmp_path: Path, sql: str, limits: Limits, status: str
) -> None:
    make(tmp_path / "a.db", ONE_TABLE)
    database = SQLiteDatabase("a", tmp_path / "a.db", workers=1)
    assert (await database.execute(sql, limits))["status"] == status
    assert (await database.execute("SELECT COUNT(*) FROM t"))["rows"] == [[99]]
    assert times_open(database.path) == 1
    await database.close()
    assert times_open(database.path) == 0


async def test_a_running_query_that_meets_a_fault_of_the_file(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.db", ONE_TABLE)
    ruin_all_but_first_page(tmp_path / "a.db")
    database = SQLiteDatabase("a", tmp_path / "a.db", workers=1)
    assert (await database.execute("SELECT 1"))["status"] == "ok"
    assert times_open(database.path) == 1
    with pytest.raises(DatabaseUnavailable, match="is damaged") as kept:
        await database.execute("SELECT a FROM t")
    assert times_open(database.path) == 0, kept
    database.path.write_bytes(whole)
    assert (await database.execute("SELECT COUNT(*) FROM t"))["rows"] == [[99]]
    await database.close()


async def test_a_reflection_that_meets_a_fault_of_the_file(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.db", MANY_TABLES)
    ruin_all_but_first_page(tmp_path / "a.db")
    database = SQLiteDatabase("a", tmp_path / "a.db", workers=1)
    with pytest.raises(DatabaseUnavailable, match="is damaged") as kept:
        await database.schema()
    assert times_open(database.path) == 0, kept
    database.path.write_bytes(whole)
    assert len((await database.schema()).tables) == 200
    assert times_open(database.path) == 0
    await database.close()


TOO_LITTLE_MEMORY = """
import asyncio, os, sys
from pathlib import Path
from route_sql.tools.limits import Limits
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from tests.tools.database.test_sqlite_connections import times_open

async def main():
    kept = []
    for memory in range(200_000, 10_000, -19_000):
        database = SQLiteDatabase("x", Path(sys.argv[1]), Limits(memory_bytes=memory))
        for work in (database.execute("SELECT 1"), database.schema()):
            try:
                await work
            except Exception as error:  # whichever it is: what is kept must not keep the file open
                kept.append(error)
        await database.close()
    print("failed" if kept else "worked", times_open(Path(sys.argv[1])))

asyncio.run(main())
"""


def test_a_connection_that_can_not_be_made_ready(tmp_path: Path) -> None:
    make(tmp_path / "a.db", ONE_TABLE)
    command = [sys.executable, "-c", TOO_LITTLE_MEMORY, str(tmp_path / "a.db")]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environ)
    assert ran.stdout.splitlines() == ["failed 0"], ran.stderr
