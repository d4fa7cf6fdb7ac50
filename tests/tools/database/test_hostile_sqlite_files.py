"""SQLite files that were made to hang a program or to fill its memory, and what is no file."""

import asyncio
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep

import pytest
from sqlalchemy import URL
from support.processes import children

from route_sql.tools.database.duckdb.database import DuckDBDatabase
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.database.unknown_engine import UnknownEngineDatabase
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

ONE_ROW = "CREATE TABLE t (a); INSERT INTO t VALUES (1);"
CHAIN = "CREATE VIEW v0 AS SELECT a FROM t;" + "".join(
    f"CREATE VIEW v{n} AS SELECT x.a FROM v{n - 1} x JOIN v{n - 1} y;" for n in range(1, 29)
)
ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) AS x FROM r"
OBJECT = (
    "(WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 100000) "
    "SELECT json_group_object('{}' || x, x) FROM r)"
)
PATCH = f"SELECT length(json_patch({OBJECT.format('a')}, {OBJECT.format('b')}))"
DOUBLING = "".join(f", c{n} AS (SELECT p.x FROM c{n - 1} p, c{n - 1} q)" for n in range(1, 25))
NO_TEXT = (
    "CREATE VIEW v AS SELECT unknown(a) AS a FROM t; PRAGMA writable_schema = ON; UPDATE sqlite_master "
    "SET sql = CAST(replace(CAST(sql AS BLOB), 'unknown', x'ff80') AS TEXT) WHERE name = 'v';"
)
HOSTILE = {
    "a large value": "CREATE VIEW v AS SELECT zeroblob(900000000) AS b;",
    "a generated column": "CREATE TABLE g (a, b AS (hex(zeroblob(a * 400000000)))); INSERT INTO g (a) SELECT a FROM t;",
    "a view without end": f"CREATE VIEW v AS {ENDLESS};",
    "a step without end": f"CREATE VIEW v AS {PATCH};",
    "a chain of views": CHAIN,
    "a view that fills memory while it is compiled": f"CREATE VIEW v AS WITH c0 AS (SELECT 1 AS x){DOUBLING} "
    "SELECT count(*) AS n FROM c24;",
    "a name that is not text": NO_TEXT,
    "a large schema": "".join(f"CREATE VIEW v{n} AS SELECT '{'x' * 900_000}' AS a;" for n in range(20)),
}
LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are counted as Linux lists them")


def work_of_children() -> float:
    """Seconds of processor time that processes which have ended took: it does not count what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make(file: Path, script: str) -> Path:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(ONE_ROW + script)
    return file


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_file_costs_little_time_and_its_tables_are_read(tmp_path: Path, kind: str) -> None:
    database = SQLiteDatabase("a", make(tmp_path / "a.db", HOSTILE[kind]))
    before = work_of_children()
    schema = await database.schema()
    table = schema.table("t")
    assert table is not None and table.column("a") is not None
    assert (await database.execute("SELECT a FROM t"))["rows"] == [[1]]
    assert work_of_children() - before < 25
    await database.close()


async def test_a_damaged_schema_that_is_no_text_is_said(tmp_path: Path) -> None:
    broken = "name = CAST(x'ff80' AS TEXT), sql = 'CREATE TABLE g (' WHERE name = 'g';"
    script = f"CREATE TABLE g (a); PRAGMA writable_schema = ON; UPDATE sqlite_master SET {broken}"
    database = SQLiteDatabase("a", make(tmp_path / "a.db", script))
    with pytest.raises(DatabaseUnavailable, match="the file is damaged"):
        await database.schema()
    await database.close()


@pytest.mark.parametrize("name", ["\x1b]52;c;AAAA\x07\u202e", "a\nb", "x" * 400_000])
async def test_the_reason_of_a_damaged_schema_is_one_short_printable_sentence(tmp_path: Path, name: str) -> None:
    broken = f"sql = 'CREATE TABLE broken (', name = '{name}' WHERE name = 'g';"
    script = f"CREATE TABLE g (a); PRAGMA writable_schema = ON; UPDATE sqlite_master SET {broken}"
    database = SQLiteDatabase("a", make(tmp_path / "a.db", script))
    with pytest.raises(DatabaseUnavailable, match="the file is damaged") as caught:
        await database.schema()
    said = str(caught.value).replace(str(tmp_path), "")
    assert said.isprintable() and len(said) < 500
    await database.close()


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
async def test_a_log_that_is_no_file_is_refused_before_it_is_opened(tmp_path: Path, ending: str) -> None:
    file = make(tmp_path / "a.db", "")
    os.mkfifo(tmp_path / f"a.db{ending}")
    database = SQLiteDatabase("a", file)
    with pytest.raises(DatabaseUnavailable, match=f"a.db{ending} next to it is not a regular file"):
        await asyncio.wait_for(database.schema(), 5)
    await database.close()


async def test_notes_count_the_views_that_are_left_out(tmp_path: Path) -> None:
    script = f"CREATE VIEW broken AS SELECT a FROM gone; CREATE VIEW fine AS SELECT a FROM t; {CHAIN}"
    database = SQLiteDatabase("a", make(tmp_path / "a.db", script))
    notes = " ".join(await database.warnings())
    shown = {table.key for table in await database.schema()}
    assert "fine" in shown and "broken" not in shown
    assert "views of the database a are left out of its schema, because SQLite can't read them." in notes
    assert "views of the database a are left out of its schema, because reading them costs too much" in notes
    await database.close()


async def test_a_plain_file_has_no_notes(tmp_path: Path) -> None:
    database = SQLiteDatabase("a", make(tmp_path / "a.db", "CREATE VIEW fine AS SELECT a FROM t;"))
    assert await database.warnings() == ()
    await database.close()


@LINUX
async def test_steps_that_can_not_be_interrupted_are_ended_and_the_next_query_is_answered(tmp_path: Path) -> None:
    database = SQLiteDatabase("a", make(tmp_path / "a.db", ""), Limits(seconds=1))
    before = set(children())
    started = monotonic()
    ran = await asyncio.gather(*(database.execute(PATCH) for _ in range(4)))
    assert [outcome["status"] for outcome in ran] == ["timeout"] * 4
    assert (await database.execute("SELECT a FROM t"))["rows"] == [[1]]
    assert monotonic() - started < 20
    await database.close()
    assert len(set(children()) - before) <= 8


async def test_a_query_waits_for_a_worker_no_longer_than_it_may(tmp_path: Path) -> None:
    database = SQLiteDatabase("a", make(tmp_path / "a.db", ""), Limits(seconds=3), workers=1, wait_seconds=0.5)
    await database.schema()
    long = asyncio.ensure_future(database.execute(ENDLESS))
    await asyncio.sleep(0.3)
    with pytest.raises(DatabaseUnavailable, match=r"busy for 0\.5 s"):
        await database.execute("SELECT a FROM t")
    assert (await long)["status"] == "timeout"
    await database.close()


async def test_duckdb_has_a_wait_limit_too(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="the extra duckdb is not installed")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    database = DuckDBDatabase("a", tmp_path / "a.duckdb", Limits(seconds=3), workers=1, wait_seconds=0.5)
    await database.schema()
    long = asyncio.ensure_future(
        database.execute("SELECT sum(x.range) FROM range(10000000) x, range(10000000) y WHERE x.range <> y.range")
    )
    await asyncio.sleep(0.3)
    with pytest.raises(DatabaseUnavailable, match=r"busy for 0\.5 s"):
        await database.execute("SELECT a FROM t")
    assert (await long)["status"] == "timeout"
    await database.close()


async def test_an_unknown_engine_has_a_wait_limit_too(tmp_path: Path) -> None:
    url = URL.create("sqlite", database=str(make(tmp_path / "a.db", "")))
    database = UnknownEngineDatabase("a", url, Limits(seconds=3), workers=1, wait_seconds=0.5)
    await database.schema()
    long = asyncio.ensure_future(database.execute(ENDLESS))
    await asyncio.sleep(0.3)
    with pytest.raises(DatabaseUnavailable, match=r"busy for 0\.5 s"):
        await database.execute("SELECT a FROM t")
    with pytest.raises(DatabaseUnavailable, match=r"busy for 0\.5 s"):
        await database.schema()
    assert (await long)["status"] == "timeout"
    await database.close()


@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder"])
@pytest.mark.parametrize("engine", [SQLiteDatabase, DuckDBDatabase])
async def test_what_is_no_file_is_refused_before_it_is_opened(
    tmp_path: Path, kind: str, engine: type[SQLiteDatabase | DuckDBDatabase]
) -> None:
    if engine is DuckDBDatabase:
        pytest.importorskip("duckdb", reason="the extra duckdb is not installed")
    path = Path("/dev/zero") if kind == "device" else tmp_path / "x"
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            listening.bind(str(path))
        elif kind == "folder":
            path.mkdir()
        database = engine("x", path)
        with pytest.raises(DatabaseUnavailable, match=kind):
            await asyncio.wait_for(database.schema(), 5)
        await database.close()


@LINUX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("command", ["schema", "run"])
def test_a_program_that_is_stopped_leaves_no_process(tmp_path: Path, number: signal.Signals, command: str) -> None:
    file = make(tmp_path / "a.db", CHAIN if command == "schema" else "")
    words = ["schema"] if command == "schema" else ["run", ENDLESS]
    program = subprocess.Popen(
        [sys.executable, "-m", "route_sql.cli", *words, "--db", str(file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        started = _wait_for_children(program.pid)
        sleep(0.5)
        program.send_signal(number)
        stopped = monotonic()
        program.wait(60)  # a busy machine takes its time; the code says that the signal ended it
        assert program.returncode in (130, -number)
        while any(Path(f"/proc/{child}").exists() for child in started) and monotonic() - stopped < 60:
            sleep(0.05)
        assert not [child for child in started if Path(f"/proc/{child}").exists()]
    finally:
        program.kill()
        program.communicate()


def _wait_for_children(program: int) -> list[int]:
    deadline = monotonic() + 60
    while monotonic() < deadline:
        if found := children(program):
            return found
        sleep(0.05)
    raise AssertionError("it started no process")
