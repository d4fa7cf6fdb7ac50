"""The guard and the engine's own protection, each without the other."""

import hashlib
import sqlite3
from contextlib import chdir, closing
from pathlib import Path

import pytest
from support.guard_statements import REFUSED

from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.limits import Limits


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ground" / "emp.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE emp (id INTEGER, name TEXT); INSERT INTO emp VALUES (1, 'Ann');")
    return path


@pytest.mark.parametrize(
    ("guard", "authorizer"), [(True, True), (True, False), (False, True)], ids=["both", "guard", "engine"]
)
async def test_nothing_is_written(file: Path, guard: bool, authorizer: bool) -> None:
    before = hashlib.sha256(file.read_bytes()).digest()
    database = SQLiteDatabase("emp", file, Limits(seconds=1), guard=guard, authorizer=authorizer)
    with chdir(file.parent):  # where other files would appear
        statuses = [(await database.execute(sql))["status"] for sql in REFUSED["sqlite"]]
    await database.close()
    assert not guard or set(statuses) <= {"refused", "error"}
    assert hashlib.sha256(file.read_bytes()).digest() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


async def test_a_layer_is_really_off(file: Path) -> None:
    unguarded = SQLiteDatabase("emp", file, guard=False)
    assert (await unguarded.execute("SELECT sqlite_source_id()"))["status"] == "ok"
    denied = await unguarded.execute("SELECT 1 FROM sqlite_master")
    assert denied["status"] == "refused"
    neither = SQLiteDatabase("emp", file, guard=False, authorizer=False)
    assert (await neither.execute("SELECT name FROM sqlite_master"))["rows"] == [["emp"]]
    await unguarded.close()
    await neither.close()


async def test_a_full_text_table_may_be_searched_like_a_function(file: Path) -> None:
    database = SQLiteDatabase("emp", file)
    assert (await database.execute("SELECT body FROM notes('hello')"))["status"] == "refused"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("CREATE VIRTUAL TABLE notes USING fts5(body); INSERT INTO notes VALUES ('hello you');")
    assert (await database.execute("SELECT body FROM notes('hello')"))["rows"] == [["hello you"]]
    await database.close()
