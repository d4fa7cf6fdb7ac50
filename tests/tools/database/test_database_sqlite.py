"""SQLite files as databases: outcomes, caps, deadlines, cancellation, and files that are none."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits
from route_sql.tools.schema.rights.visibility import Visibility

DAMAGED = b"SQLite format 3\0" + b"\x10\0\1\1\0\x40\x20\x20" + b"\xff" * 4072
ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT MAX(x) FROM r"


def make(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return make(
        tmp_path / "a b#?100%.sqlite",
        """
        CREATE TABLE emp (id INTEGER PRIMARY KEY, name TEXT, salary REAL, photo BLOB);
        INSERT INTO emp VALUES (1, 'Ann', 2.0, x'0a0b'), (2, CAST(x'ff41' AS TEXT), NULL, zeroblob(5000));
        CREATE TABLE nums (n INTEGER);
        INSERT INTO nums WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 2000)
            SELECT x FROM r;
        """,
    )


@pytest.fixture
async def database(file: Path) -> AsyncIterator[SQLiteDatabase]:
    database = SQLiteDatabase("staff", file)
    yield database
    await database.close()


async def test_rows_are_plain_json(database: SQLiteDatabase) -> None:
    outcome = await database.execute("SELECT *, 9e999 AS big, 9223372036854775807 AS whole FROM emp;")
    assert (outcome["status"], outcome["error"], outcome["truncated"]) == ("ok", None, False)
    assert outcome["columns"] == ["id", "name", "salary", "photo", "big", "whole"]
    assert outcome["rows"] == [
        [1, "Ann", 2.0, "x'0a0b' (2 bytes)", "inf", 9223372036854775807],
        [2, "\ufffdA", None, "x'00000000000000000000000000000000…' (5000 bytes)", "inf", 9223372036854775807],
    ]


async def test_no_rows_is_empty(database: SQLiteDatabase) -> None:
    outcome = await database.execute("SELECT name FROM emp WHERE id > 9")
    assert (outcome["status"], outcome["columns"], outcome["row_count"]) == ("empty", ["name"], 0)
    assert outcome["digest"] is not None


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT nope FROM emp", "unknown column nope"),
        ("SELECT 1 FROM nowhere", "unknown table nowhere"),
        ("SELEC 1", "it can't be read as SQL"),
        ("SELECT name FROM emp WHERE", "it can't be read as SQL"),
        ("SELECT 'a", "it has a string, a name or a comment that does not end"),
        ("", "the text holds no statement"),
        ("-- nothing", "the text holds no statement"),
        ("SELECT 'a\0b'", "null character"),
        ("SELECT '\ud800'", "surrogates not allowed"),
        ("SELECT length(hex(zeroblob(1000000000)))", "too big"),
    ],
)
async def test_what_is_wrong_with_the_sql_is_an_outcome(database: SQLiteDatabase, sql: str, error: str) -> None:
    outcome = await database.execute(sql)
    assert outcome["status"] == "error" and outcome["error"] is not None
    assert error in outcome["error"]
    assert (await database.execute("SELECT 1"))["rows"] == [[1]]


async def test_caps(database: SQLiteDatabase) -> None:
    rows = await database.execute("SELECT n FROM nums", Limits(rows=10))
    assert (rows["row_count"], rows["truncated"], rows["status"]) == (10, True, "ok")
    exact = await database.execute("SELECT n FROM nums WHERE n <= 10", Limits(rows=10))
    assert (exact["row_count"], exact["truncated"]) == (10, False)
    cell = await database.execute("SELECT hex(zeroblob(500)) FROM emp", Limits(cell_chars=20))
    assert cell["truncated"] and cell["rows"][0] == ["0" * 19 + "…"]
    size = await database.execute("SELECT hex(zeroblob(50)) FROM nums", Limits(result_bytes=1_000))
    assert (size["row_count"], size["truncated"]) == (10, True)


async def test_the_deadline_stops_the_query_and_frees_the_worker(file: Path) -> None:
    database = SQLiteDatabase("one", file, Limits(seconds=0.2), workers=1)
    outcome = await database.execute(ENDLESS)
    assert outcome["status"] == "timeout" and outcome["error"] is not None
    assert outcome["error"] == "the query took longer than 0.2 s and was stopped"
    assert (await database.execute("SELECT 1"))["status"] == "ok"
    await database.close()


async def test_cancelling_stops_the_query_and_frees_the_worker(file: Path) -> None:
    database = SQLiteDatabase("one", file, Limits(seconds=600), workers=1)
    running = asyncio.create_task(database.execute(ENDLESS))
    waiting = asyncio.create_task(database.execute(ENDLESS))
    await asyncio.sleep(0.1)
    for task in (waiting, running):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await database.execute("SELECT 1"))["status"] == "ok"
    await database.close()


async def test_closing_stops_what_runs(file: Path) -> None:
    database = SQLiteDatabase("one", file, Limits(seconds=600))
    running = asyncio.create_task(database.execute(ENDLESS))
    await asyncio.sleep(0.1)
    await database.close()
    assert (await running)["status"] == "timeout"
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await database.execute("SELECT 1")
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await database.schema()


async def test_the_event_loop_goes_on(database: SQLiteDatabase) -> None:
    running = asyncio.create_task(database.execute(ENDLESS, Limits(seconds=0.5)))
    turns = 0
    while not running.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 3


async def test_more_queries_than_workers_all_answer(file: Path) -> None:
    database = SQLiteDatabase("two", file, workers=2)
    outcomes = await asyncio.gather(*(database.execute(f"SELECT {i}, COUNT(*) FROM nums") for i in range(20)))
    assert [outcome["rows"] for outcome in outcomes] == [[[i, 2000]] for i in range(20)]
    await database.close()


async def test_a_locked_file(file: Path, database: SQLiteDatabase) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        outcome = await database.execute("SELECT 1 FROM emp", Limits(seconds=0.3))
        assert (outcome["status"], outcome["error"]) == ("error", "database is locked")
        patient = asyncio.create_task(database.execute("SELECT COUNT(*) FROM emp", Limits(seconds=30)))
        await asyncio.sleep(0.1)
        writer.execute("ROLLBACK")
        assert (await patient)["rows"] == [[2]]


async def test_the_schema_is_reflected_with_samples_and_cached(file: Path, database: SQLiteDatabase) -> None:
    schemas = await asyncio.gather(*(database.schema() for _ in range(5)))
    assert all(schema is schemas[0] for schema in schemas)
    emp = schemas[0].table("emp")
    assert emp is not None and emp.primary_key == ("id",)
    name, photo = emp.column("name"), emp.column("photo")
    assert name is not None and "Ann" in name.samples
    assert photo is not None and photo.samples == ()
    make(file, "CREATE TABLE later (id INTEGER)")
    assert (await database.schema()).table("later") is not None


async def test_a_replaced_file_is_seen(file: Path, database: SQLiteDatabase, tmp_path: Path) -> None:
    assert (await database.execute("SELECT COUNT(*) FROM emp"))["rows"] == [[2]]
    await database.schema()
    make(tmp_path / "new", "CREATE TABLE emp (id INTEGER)").replace(file)
    assert (await database.execute("SELECT COUNT(*) FROM emp"))["rows"] == [[0]]
    assert [column.name for table in await database.schema() for column in table.columns] == ["id"]


async def test_a_file_is_seen_that_was_copied_over_one_of_the_same_schema_version(tmp_path: Path) -> None:
    """SQLite goes by counters in the file, which are the same where a program makes the file each night."""
    file = make(tmp_path / "emp.sqlite", "CREATE TABLE emp (id, name); INSERT INTO emp VALUES (1, 'Ann');")
    async with Catalog.from_url(file)[0] as catalog:
        database = catalog.get("emp", Visibility(hide=("*.secret",)))
        assert (await database.execute("SELECT * FROM emp"))["rows"] == [[1, "Ann"]]
        new = make(tmp_path / "new", "CREATE TABLE emp (id, name); INSERT INTO emp VALUES (1, 'Bob');")
        shutil.copyfile(new, file)
        assert (await database.execute("SELECT * FROM emp"))["rows"] == [[1, "Bob"]]
        row = "INSERT INTO emp VALUES (1, 'hidden', 'Cid');"
        shutil.copyfile(make(tmp_path / "wide", f"CREATE TABLE emp (id, secret, name); {row} {row}"), file)
        assert (await database.execute("SELECT name FROM emp"))["rows"] == [["Cid"], ["Cid"]]
        assert (await database.execute("SELECT * FROM emp"))["rows"] == [[1, "Cid"], [1, "Cid"]]


async def test_virtual_tables_can_be_read_and_survive_a_change_of_the_schema(tmp_path: Path) -> None:
    script = """
        CREATE VIRTUAL TABLE words USING fts5(body); INSERT INTO words VALUES ('hello');
        CREATE VIRTUAL TABLE boxes USING rtree(id, low, high); INSERT INTO boxes VALUES (1, 2, 3);
    """
    database = SQLiteDatabase("v", make(tmp_path / "v.sqlite", script), workers=1)
    for name in ("one", "two"):
        assert (await database.execute("SELECT body FROM words WHERE words MATCH 'hello'"))["rows"] == [["hello"]]
        assert (await database.execute("SELECT id FROM boxes WHERE low > 1"))["rows"] == [[1]]
        assert (await database.execute("SELECT value FROM json_each('[7]')"))["rows"] == [[7]]
        make(tmp_path / "v.sqlite", f"CREATE TABLE {name} (id INTEGER)")
    await database.close()


async def test_an_empty_file_is_a_database_without_tables(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    database = SQLiteDatabase("empty", tmp_path / "empty.sqlite")
    assert (await database.schema()).tables == ()
    assert (await database.execute("SELECT 1"))["rows"] == [[1]]
    await database.close()


async def test_a_write_ahead_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "wal.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE t AS SELECT 5 AS a")
        database = SQLiteDatabase("wal", path)
        assert (await database.execute("SELECT a FROM t"))["rows"] == [[5]]
        await database.close()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.sqlite", None, "there is no file"),
        ("text.sqlite", b"id,name\n" * 200, "not a SQLite database, or it is encrypted"),
        ("damaged.sqlite", DAMAGED, "is damaged|not a SQLite"),
    ],
)
async def test_files_that_are_no_database(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    database = SQLiteDatabase("bad", tmp_path / name)
    with pytest.raises(DatabaseUnavailable, match=reason):
        await database.schema()
    for sql in ("SELECT 1 FROM t", "SELECT 1"):
        with pytest.raises(DatabaseUnavailable, match=reason):
            await database.execute(sql)
    await database.close()


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    database = SQLiteDatabase("folder", tmp_path)
    with pytest.raises(DatabaseUnavailable, match="is a folder"):
        await database.schema()
    await database.close()


async def test_a_file_that_appears_later_is_opened_then(tmp_path: Path) -> None:
    database = SQLiteDatabase("late", tmp_path / "late.sqlite")
    with pytest.raises(DatabaseUnavailable, match="there is no file"):
        await database.execute("SELECT 1")
    make(tmp_path / "late.sqlite", "CREATE TABLE t (a)")
    assert (await database.execute("SELECT a FROM t"))["status"] == "empty"
    await database.close()


async def test_one_database_serves_several_event_loops_in_turn(database: SQLiteDatabase) -> None:
    def ask() -> object:
        return asyncio.run(database.execute("SELECT COUNT(*) FROM emp"))["rows"]

    assert [await asyncio.to_thread(ask) for _ in range(2)] == [[[2]], [[2]]]


MEMORY_BOMB = """
import asyncio, sys
from pathlib import Path
from route_sql.tools.limits import Limits
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.sqlite.database import SQLiteDatabase

async def main():
    database = SQLiteDatabase("x", Path(sys.argv[1]), Limits(seconds=60, memory_bytes=20_000_000))
    sql = "SELECT json_group_array(hex(zeroblob(5000))) FROM nums a, nums b"
    print((await database.execute(sql))["error"])
    print((await database.execute("SELECT COUNT(*) FROM nums"))["rows"])
    await database.close()

asyncio.run(main())
"""


def test_memory_is_capped(file: Path) -> None:
    """In a process of its own, since the heap limit is the whole process's and can't be raised again."""
    ran = subprocess.run([sys.executable, "-c", MEMORY_BOMB, str(file)], capture_output=True, text=True, timeout=120)
    assert ran.stdout.splitlines() == ["the query needs more than 20 MB of memory", "[[2000]]"], ran.stderr


async def test_the_digest_is_of_the_rows_before_clipping(database: SQLiteDatabase) -> None:
    a = await database.execute("SELECT hex(zeroblob(50)) || 'a'", Limits(cell_chars=10))
    b = await database.execute("SELECT hex(zeroblob(50)) || 'b'", Limits(cell_chars=10))
    assert a["rows"] == b["rows"] and a["digest"] != b["digest"]


async def test_seconds_are_those_of_the_query(database: SQLiteDatabase) -> None:
    before = monotonic()
    outcome = await database.execute(ENDLESS, Limits(seconds=0.1))
    assert 0.1 <= outcome["seconds"] <= monotonic() - before
