import hashlib
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from route_sql.demo.database import build_demo_database
from route_sql.demo.questions import QUESTIONS, SHOWN, DemoQuestion
from route_sql.tools.errors import RouteError


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_demo_database(tmp_path_factory.mktemp("demo") / "clinic.sqlite")


@pytest.fixture
def connection(clinic: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{clinic.as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def _tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def test_two_builds_have_the_same_bytes(clinic, tmp_path):
    again = build_demo_database(tmp_path / "made" / "on the way" / "again.sqlite")
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(clinic.read_bytes()).digest()


def test_size_and_keys(connection):
    tables = _tables(connection)
    assert 8 <= len(tables) <= 12
    counts = {table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables}
    assert min(counts.values()) > 0
    assert 3_000 < sum(counts.values()) < 10_000
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    for table in tables:
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        assert any(is_key for *_, is_key in columns), table


def test_definitions_keep_their_comments(connection):
    definitions = " ".join(sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
    assert "-- ISO date; NULL while unpaid" in definitions
    assert '"blood type"' in definitions


def test_view_shows_what_is_unpaid(connection):
    (in_view,) = connection.execute("SELECT COUNT(*) FROM unpaid_invoice").fetchone()
    (unpaid,) = connection.execute("SELECT COUNT(*) FROM invoice WHERE paid_on IS NULL").fetchone()
    assert in_view == unpaid > 0


@pytest.mark.parametrize(
    "impossible",
    [
        "SELECT 1 FROM appointment JOIN doctor USING (doctor_id) WHERE starts_at < hired_on",
        "SELECT 1 FROM appointment JOIN patient USING (patient_id) WHERE starts_at < birth_date",
        "SELECT 1 FROM invoice JOIN appointment AS a USING (appointment_id) WHERE a.status <> 'Completed'",
        "SELECT 1 FROM diagnosis JOIN appointment AS a USING (appointment_id) WHERE a.status <> 'Completed'",
        "SELECT 1 FROM invoice WHERE paid_on < issued_on",
        "SELECT 1 FROM doctor AS d JOIN doctor AS s ON s.doctor_id = d.supervisor_id "
        "WHERE s.department_id <> d.department_id OR s.doctor_id = d.doctor_id",
        "SELECT 1 FROM invoice WHERE date(issued_on) IS NOT issued_on",
        "SELECT 1 FROM appointment WHERE strftime('%Y-%m-%d %H:%M', starts_at) IS NOT starts_at",
    ],
)
def test_the_clinic_is_believable(connection, impossible):
    assert connection.execute(impossible).fetchone() is None


@pytest.mark.parametrize(
    ("table", "column"),
    [("doctor", "supervisor_id"), ("patient", '"blood type"'), ("patient", "email"), ("invoice", "paid_on")],
)
def test_columns_that_are_sometimes_null(connection, table, column):
    values, rows = connection.execute(f"SELECT COUNT({column}), COUNT(*) FROM {table}").fetchone()
    assert 0 < values < rows


@pytest.mark.parametrize("gold", QUESTIONS, ids=lambda gold: gold.question)
def test_gold_runs_and_gives_rows(connection, gold: DemoQuestion):
    rows = connection.execute(gold.sql).fetchall()
    assert rows
    assert all(cell is not None and cell != 0 for row in rows for cell in row)


@pytest.mark.parametrize("gold", [gold for gold in QUESTIONS if "LIMIT 1" in gold.sql], ids=lambda gold: gold.question)
def test_a_first_place_is_not_shared(connection, gold: DemoQuestion):
    first, second = connection.execute(gold.sql.replace("LIMIT 1", "LIMIT 2")).fetchall()
    assert first[-1] > second[-1]


def test_questions_rise_and_ask_for_values_in_another_case():
    assert 12 <= len(QUESTIONS) <= 15
    levels = [gold.level for gold in QUESTIONS]
    assert levels == sorted(levels) and set(levels) == {1, 2, 3, 4}
    literals = [(gold, literal) for gold in QUESTIONS for literal in re.findall(r"'([^'%]+)'", gold.sql)]
    assert sum(literal not in gold.question for gold, literal in literals) >= 5


def test_an_older_demo_is_replaced_and_nothing_is_left_next_to_it(tmp_path):
    path = build_demo_database(tmp_path / "clinic.sqlite")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM invoice")
    build_demo_database(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM invoice").fetchone()[0] > 0
    assert [file.name for file in tmp_path.iterdir()] == ["clinic.sqlite"]


def test_a_file_of_somebody_else_is_left_alone(tmp_path):
    path = tmp_path / "mine.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE mine (a)")
    before = path.read_bytes()
    with pytest.raises(RouteError, match="not a demo database"):
        build_demo_database(path)
    assert path.read_bytes() == before


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(RouteError, match="is a folder"):
        build_demo_database(tmp_path)


def test_run_as_a_module(clinic, tmp_path):
    path = tmp_path / "clinic.sqlite"
    command = [sys.executable, "-m", "route_sql.demo.database", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(path)
    assert path.read_bytes() == clinic.read_bytes()
    taken = subprocess.run([*command[:-1], str(tmp_path)], capture_output=True, text=True, check=False)
    assert taken.returncode == 2
    assert "is a folder" in taken.stderr and "Traceback" not in taken.stderr


def test_the_questions_that_the_demo_asks_have_gold():
    assert set(SHOWN) <= {question.question for question in QUESTIONS}
