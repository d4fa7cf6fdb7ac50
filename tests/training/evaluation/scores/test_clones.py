import resource
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.scores.suite.clone_files import NoClones, make_clones, read_tables
from route_sql.training.evaluation.scores.suite.clone_rows import (
    RowReference,
    TableRows,
    comparable_key,
    perturb,
    recipe,
)

CLINIC = """
CREATE TABLE "town hall" (code TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, town TEXT REFERENCES "town hall",
                     shout TEXT GENERATED ALWAYS AS (upper(name)), CHECK (age < 30));
CREATE TABLE visit (person_id TEXT, day INTEGER, note TEXT, PRIMARY KEY (person_id, day),
                    FOREIGN KEY (person_id) REFERENCES person (id));
CREATE INDEX by_age ON person (age);
CREATE VIEW young AS SELECT name FROM person WHERE age < 10;
CREATE TRIGGER no_more AFTER INSERT ON person BEGIN DELETE FROM person; END;
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "clinic.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(CLINIC.rpartition("CREATE TRIGGER")[0])
        connection.executemany('INSERT INTO "town hall" VALUES (?, ?)', [(f"t{n}", f"Town {n}") for n in range(8)])
        people = [(n, f"Name {n}", n % 20, f"t{n % 9}") for n in range(40)]  # t8 is nowhere
        connection.executemany("INSERT INTO person (id, name, age, town) VALUES (?, ?, ?, ?)", people)
        connection.executemany("INSERT INTO visit VALUES (?, ?, ?)", [(str(n % 40), n, "well") for n in range(60)])
        connection.executescript("CREATE TRIGGER" + CLINIC.rpartition("CREATE TRIGGER")[2])
    return path


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def all_rows(path: Path) -> dict[str, list[Any]]:
    return {table: rows(path, f'SELECT * FROM "{table}"') for table in ("town hall", "person", "visit")}


def test_clones_are_smaller_and_their_joins_match(source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    clones = make_clones(tmp_path / "suite", "clinic", source)
    assert source.read_bytes() == before
    assert len(clones) == 20
    original = all_rows(source)
    for clone in clones:
        now = all_rows(clone)
        assert all(0 < len(now[table]) <= len(original[table]) for table in original)
        assert rows(clone, "SELECT count(*) FROM visit WHERE person_id NOT IN (SELECT id FROM person)") == [(0,)]
        # What led nowhere before may do so still, and nothing else.
        lost = rows(clone, 'SELECT town FROM person WHERE town NOT IN (SELECT code FROM "town hall")')
        assert {town for (town,) in lost} <= {"t8"}
        assert rows(clone, "SELECT count(*) FROM visit JOIN person ON person.id = person_id") != [(0,)]
        assert rows(clone, "SELECT count(*) FROM person WHERE shout <> upper(name)") == [(0,)]
        assert rows(clone, "SELECT count(*) FROM young") != []


def test_every_perturbation_is_there(source: Path, tmp_path: Path) -> None:
    clones = [all_rows(clone) for clone in make_clones(tmp_path / "suite", "clinic", source)]
    original = all_rows(source)
    people = {row[0]: row for row in original["person"]}
    assert any(len(clone["person"]) < len(people) for clone in clones)
    assert any(row[1] != people[row[0]][1] for clone in clones for row in clone["person"])
    with_nulls = [clone for clone in clones if any(None in row for row in clone["person"] + clone["visit"])]
    assert 1 <= len(with_nulls) <= 4
    ages = [Counter(row[2] for row in clone["person"] if row[2] is not None) for clone in clones]
    assert any(counts[max(counts)] == 1 and counts[min(counts)] == 1 for counts in ages)
    assert any(age not in range(20) for counts in ages for age in counts)  # a number near one that was tied
    assert all(row[1] is not None for clone in clones for row in clone["town hall"])
    assert all(None not in (row[0], row[3]) for clone in clones for row in clone["person"])


def test_the_same_seed_makes_the_same_clones(source: Path, tmp_path: Path) -> None:
    made = [make_clones(tmp_path / name, "clinic", source, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    contents = [[all_rows(clone) for clone in clones] for clones in made]
    assert contents[0] == contents[1] != contents[2]
    assert len({str(content) for content in contents[0]}) == 20


def test_what_was_stopped_is_completed(source: Path, tmp_path: Path) -> None:
    clones = make_clones(tmp_path / "suite", "clinic", source)
    content, kept = all_rows(clones[7]), clones[8].stat().st_mtime_ns
    clones[7].unlink()
    clones[7].with_name("07.sqlite.part").write_text("half a file")
    assert make_clones(tmp_path / "suite", "clinic", source) == clones
    assert all_rows(clones[7]) == content
    assert clones[8].stat().st_mtime_ns == kept
    assert not list(clones[7].parent.glob("*.part"))


def test_a_folder_holds_the_clones_of_one_file_and_seed(source: Path, tmp_path: Path) -> None:
    make_clones(tmp_path / "suite", "clinic", source, seed=1)
    with pytest.raises(EvaluationError, match="made with another seed; name another folder"):
        make_clones(tmp_path / "suite", "clinic", source, seed=2)
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("DELETE FROM visit")
    with pytest.raises(EvaluationError, match="made with another source; name another folder"):
        make_clones(tmp_path / "suite", "clinic", source, seed=1)
    (tmp_path / "suite/clinic/suite.json").write_text("{")
    with pytest.raises(EvaluationError, match=r"suite\.json is damaged"):
        make_clones(tmp_path / "suite", "clinic", source, seed=1)


def test_a_large_table_is_bounded_and_its_partners_are_kept(source: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("DROP TRIGGER no_more")
        people = [(n, f"Name {n}", n % 20, "t1") for n in range(100, 5000)]
        connection.executemany("INSERT INTO person (id, name, age, town) VALUES (?, ?, ?, ?)", people)
        connection.executemany("INSERT INTO visit VALUES (?, ?, ?)", [(str(n), 1, "ill") for n in range(4900, 4950)])
        read = {table.name: table for table in read_tables(connection, 200, Random(1))}
    # The 90 people with a visit are among the 200, so all of their 110 visits are.
    assert {name: len(table.rows) for name, table in read.items()} == {"town hall": 8, "person": 200, "visit": 110}
    assert [table.is_whole for table in read.values()] == [True, False, True]
    for clone in make_clones(tmp_path / "suite", "clinic", source, rows=200):
        assert 0 < len(all_rows(clone)["person"]) <= 200
        assert rows(clone, "SELECT count(*) FROM visit WHERE person_id NOT IN (SELECT id FROM person)") == [(0,)]


@pytest.mark.parametrize("fault", ["virtual", "no database"])
def test_what_can_not_be_cloned_is_said(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "shop.sqlite"
    if fault == "virtual":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
    else:
        path.write_text("no database" * 100)
    with pytest.raises(EvaluationError, match=r"no clones of .*shop\.sqlite can be made"):
        make_clones(tmp_path / "suite", "shop", path)


def test_clones_that_can_not_be_written_are_no_reason_to_do_without(source: Path, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(EvaluationError, match=r"the clone .*00\.sqlite can't be written") as raised:
            make_clones(tmp_path / "suite", "clinic", source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not isinstance(raised.value, NoClones)
    assert len(make_clones(tmp_path / "suite", "clinic", source)) == 20


def test_circles_of_references_end() -> None:
    def person(rows: list[tuple[int, int]]) -> TableRows:
        boss = RowReference((1,), "person", (0,))
        return TableRows("person", ("id", "boss"), frozenset(), ((0,),), (boss,), rows, is_whole=True)

    people = person([(n, (n + 1) % 30) for n in range(30)])
    for number in range(20):
        (now,) = perturb([people], recipe(number), Random(number))
        there = {row[0] for row in now.rows}
        assert all(row[1] in there for row in now.rows)


def test_keys_are_equal_as_in_a_join() -> None:
    assert (
        comparable_key((1, "1", 1.0), [0])
        == comparable_key((1, "1", 1.0), [1])
        == comparable_key((1, "1", 1.0), [2])
        == ("1",)
    )
    assert comparable_key((None,), [0]) is None


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 1e308, "9" * 5000, "007", "", "x", b"x", None])
def test_odd_values_are_cloned(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "odd.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, value)")
        connection.executemany("INSERT INTO odd VALUES (?, ?)", [(n, value) for n in range(10)])
    for clone in make_clones(tmp_path / "suite", "odd", path):
        assert {found for (found,) in rows(clone, "SELECT value FROM odd")} <= {value, None}


def test_text_that_is_not_utf_8_and_odd_names_are_cloned(tmp_path: Path) -> None:
    path = tmp_path / "a b%20'c.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("""CREATE TABLE "t""x" ("a ""b" TEXT, "select" TEXT)""")
        connection.execute("""INSERT INTO "t""x" VALUES (CAST(x'436166e9' AS TEXT), 'one')""")
    for clone in make_clones(tmp_path / "suite", "odd", path):
        assert rows(clone, """SELECT "a ""b" FROM "t""x" """) in ([("Caf\ufffd",)], [(None,)])
