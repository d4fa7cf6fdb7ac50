"""SQLite files of other programs: in WAL mode where nothing can be written, and with collations of their own."""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from route_sql.tools.database.sqlite.database import SQLiteDatabase

READ = """
import os, sys
from types import SimpleNamespace
from route_sql.tools.database.running.child_loop import end_in
from route_sql.tools.database.sqlite.child import SQLiteEngine

# The child process's engine in this one: Python itself may not be executable for another user.
engine = SQLiteEngine({"memory_bytes": 64_000_000}, SimpleNamespace(at=lambda place: None))
LIMITS = {"seconds": 10, "rows": 10}

def ask(path, **request):
    return engine.answer({**request, "path": path, "locked_seconds": 1, "work_seconds": 30})

def read(path):
    found = ask(path, do="reflect", skipped=[])
    opened = ask(path, do="open", authorizer=True)
    if "fault" in found or "fault" in opened:
        return found.get("message", opened.get("message"))
    outcome = ask(path, do="run", sql="SELECT a FROM t", limits=LIMITS)["outcome"]
    return [table["name"] for table in found["schema"]["tables"]], outcome["rows"]

read(sys.argv[2])  # imports what is needed, which another user may not read
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
print(read(sys.argv[1]))
end_in(0)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user may enter, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="route-sql-test-"))
    made.chmod(0o755)
    yield made
    for path in [made, *made.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(made)


def _locked_away(folder: Path, *kept: str) -> Path:
    """A file in WAL mode in a folder that can't be written, with its change in the log if the log is kept."""
    first, second = folder / "first", folder / "second"
    first.mkdir()
    second.mkdir()
    with closing(sqlite3.connect(first / "a.db", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE t AS SELECT 5 AS a")
        if not kept:
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for end in ("", *kept):
            shutil.copy(first / f"a.db{end}", second / f"a.db{end}")
    for file in second.iterdir():
        file.chmod(0o444)
    second.chmod(0o555)
    return second / "a.db"


def _read(path: Path, tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "plain.db")) as plain:
        plain.execute("CREATE TABLE t AS SELECT 1 AS a")
    done = subprocess.run(
        [sys.executable, "-c", READ, path, tmp_path / "plain.db"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_without_a_log_is_read_where_nothing_can_be_written(folder: Path, tmp_path: Path) -> None:
    assert _read(_locked_away(folder), tmp_path) == "(['t'], [[5]])\n"


def test_an_empty_log_is_as_good_as_none(folder: Path, tmp_path: Path) -> None:
    path = _locked_away(folder)
    path.parent.chmod(0o755)
    path.with_name("a.db-wal").touch(0o444)
    path.parent.chmod(0o555)
    assert _read(path, tmp_path) == "(['t'], [[5]])\n"


def test_a_log_with_its_index_is_read(folder: Path, tmp_path: Path) -> None:
    assert _read(_locked_away(folder, "-wal", "-shm"), tmp_path) == "(['t'], [[5]])\n"


def test_changes_in_a_log_that_cannot_be_read_are_not_passed_over(folder: Path, tmp_path: Path) -> None:
    said = _read(_locked_away(folder, "-wal"), tmp_path)
    assert "its last changes are in a.db-wal" in said and "copy the file and a.db-wal to a folder" in said


def test_a_log_that_this_user_may_not_read(folder: Path, tmp_path: Path) -> None:
    path = _locked_away(folder, "-wal", "-shm")
    path.with_name("a.db-wal").chmod(0)
    said = _read(path, tmp_path)
    assert "a.db-wal, which this user may not read; change its permissions" in said


def _with_own_collations(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as made:
        for name in ("unicase", "LOCALIZED", "odd name"):
            made.create_collation(name, lambda a, b: (a.lower() > b.lower()) - (a.lower() < b.lower()))
        made.executescript(
            "CREATE TABLE decks (id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE unicase);"
            "CREATE UNIQUE INDEX decks_name ON decks (name);"
            'CREATE TABLE contacts (name TEXT, city TEXT COLLATE "odd name");'
            "CREATE INDEX by_name ON contacts (name COLLATE LOCALIZED);"
            "CREATE VIEW sorted AS SELECT name FROM contacts ORDER BY name COLLATE LOCALIZED;"
            "INSERT INTO decks VALUES (1, 'Ärzte'), (2, 'biology');"
            "INSERT INTO contacts VALUES ('bo', 'Oslo'), ('Al', 'Rome');"
        )
    return path


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT id FROM decks WHERE name = 'ÄRZTE'", [[1]]),
        ("SELECT name FROM decks ORDER BY name", [["biology"], ["Ärzte"]]),
        ("SELECT city FROM contacts ORDER BY city DESC", [["Rome"], ["Oslo"]]),
        ("SELECT name FROM sorted", [["Al"], ["bo"]]),
        ("SELECT count(DISTINCT name) FROM decks", [[2]]),
    ],
)
async def test_collations_of_other_programs_have_stand_ins(tmp_path: Path, sql: str, rows: list[list[object]]) -> None:
    database = SQLiteDatabase("anki", _with_own_collations(tmp_path / "a.db"))
    outcome = await database.execute(sql)
    assert outcome["rows"] == rows, outcome["error"]
    schema = await database.schema()
    await database.close()
    decks = schema.table("decks")
    assert decks is not None and decks.columns[1].samples == ("biology", "Ärzte")


async def test_a_note_names_the_stand_ins(tmp_path: Path) -> None:
    database = SQLiteDatabase("anki", _with_own_collations(tmp_path / "a.db"))
    (said,) = await database.warnings()
    await database.close()
    assert said.startswith("The database anki compares texts by rules that only the program which made it has (")
    assert all(name in said for name in ("unicase", "LOCALIZED", "odd name"))


async def test_collations_that_sqlite_has_are_not_replaced(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as made:
        made.execute('CREATE TABLE t (a TEXT COLLATE NOCASE, b TEXT COLLATE binary, c TEXT COLLATE "RTRIM")')
        made.execute("INSERT INTO t VALUES ('Ä', 'a', 'x ')")
        made.commit()
    database = SQLiteDatabase("a", tmp_path / "a.db")
    outcome = await database.execute("SELECT a = 'ä', b = 'A', c = 'x' FROM t")
    assert outcome["rows"] == [[0, 0, 1]] and await database.warnings() == ()
    await database.close()


async def test_a_file_that_changes_after_it_was_opened_as_one_that_does_not(folder: Path) -> None:
    """As root the folder can be written all the same, so SQLite is asked to open it as others would."""
    from route_sql.tools.database.sqlite.connection import FileConnection, file_state

    path = _locked_away(folder)
    connection = sqlite3.connect(path, factory=FileConnection)
    connection.state, connection.is_immutable = file_state(path), True
    assert connection.is_current(path)
    with closing(sqlite3.connect(folder / "first" / "a.db", isolation_level=None)) as writer:
        writer.execute("CREATE TABLE more AS SELECT 1 AS a")
    path.parent.chmod(0o755)
    path.chmod(0o644)
    path.write_bytes((folder / "first" / "a.db").read_bytes())
    assert not connection.is_current(path)
    connection.close()
