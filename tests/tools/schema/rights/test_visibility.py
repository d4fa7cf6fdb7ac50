"""What is hidden stays hidden: every query must meet the same as on a database that never had it."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from route_sql.tools.database.outcome import Outcome
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.schema.rights.visibility import Visibility
from route_sql.tools.values.building import build_value_index

PLAIN = """
CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE visit (staff_id INTEGER REFERENCES staff(id), day TEXT);
CREATE VIEW who AS SELECT name FROM staff;
CREATE VIRTUAL TABLE memo USING fts5(body);
INSERT INTO staff VALUES (1, 'Ida', 'Bergen'), (2, 'Ole', 'Oslo');
INSERT INTO visit VALUES (1, '2024-01-05'), (1, '2024-02-01');
INSERT INTO memo VALUES ('a word');
"""
WHOLE = """
CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT, salary TEXT, city TEXT, bank TEXT);
CREATE TABLE bank (iban TEXT, owner INTEGER REFERENCES staff(id));
CREATE TABLE visit (staff_id INTEGER REFERENCES staff(id), day TEXT, bank TEXT REFERENCES bank(iban));
CREATE VIEW who AS SELECT name FROM staff;
CREATE VIEW paid AS SELECT name, salary FROM staff;
CREATE VIRTUAL TABLE memo USING fts5(body);
CREATE VIRTUAL TABLE diary USING fts5(body, owner);
INSERT INTO staff VALUES (1, 'Ida', 'SECRET1', 'Bergen', 'SECRET2'), (2, 'Ole', 'SECRET3', 'Oslo', 'SECRET2');
INSERT INTO bank VALUES ('SECRET2', 1);
INSERT INTO visit VALUES (1, '2024-01-05', 'SECRET2'), (1, '2024-02-01', 'SECRET2');
INSERT INTO memo VALUES ('a word');
INSERT INTO diary VALUES ('SECRET4 word', 'Ida');
"""
HIDDEN = Visibility(hide=("bank", "paid", "diary", "*.salary", "staff.bank", "visit.bank"))
RIGHTS = (
    HIDDEN,
    Visibility(allow=("staff.id", "staff.name", "staff.city", "visit.staff_id", "visit.day", "who", "memo")),
    Visibility(allow=("Staff", "V*", "who", "memo")).narrowed(HIDDEN),
    HIDDEN.narrowed(Visibility(allow=("*",))).narrowed(Visibility(hide=("none.such",))),
)

QUERIES = [
    "SELECT * FROM staff",
    "SELECT staff.* FROM staff",
    "SELECT s.*, v.* FROM staff s JOIN visit AS v ON v.staff_id = s.id",
    "SELECT * FROM staff NATURAL JOIN visit",
    "SELECT * FROM staff, visit",
    "SELECT salary FROM staff",
    "SELECT nonesuch FROM staff",
    "SELECT SALARY AS name FROM Staff",
    "SELECT staff.salary FROM staff",
    "SELECT main.staff.salary FROM main.staff",
    "SELECT main.staff.name FROM main.staff ORDER BY main.staff.id",
    "SELECT x.salary FROM staff x",
    "SELECT [salary], `salary` FROM staff",
    'SELECT "salary" FROM staff',
    'SELECT staff."salary" FROM staff',
    "SELECT name FROM staff WHERE salary > 'A'",
    "SELECT name FROM staff ORDER BY salary",
    "SELECT count(*) FROM staff GROUP BY salary",
    "SELECT name FROM staff GROUP BY name HAVING max(salary) > 'A'",
    "SELECT max(salary) OVER () FROM staff",
    "SELECT name FROM staff WHERE EXISTS (SELECT 1 FROM visit WHERE visit.staff_id = staff.id AND salary > 'A')",
    "SELECT (SELECT salary FROM staff WHERE id = 1)",
    "SELECT * FROM (SELECT * FROM staff)",
    "SELECT z.a FROM (SELECT * FROM staff) AS z",
    "SELECT name FROM staff UNION ALL SELECT salary FROM staff",
    "WITH x AS (SELECT * FROM staff) SELECT * FROM x",
    "WITH x(a, b, c, d, e) AS (SELECT * FROM staff) SELECT d FROM x",
    "WITH x(a, b, c) AS (SELECT * FROM staff) SELECT c FROM x",
    "WITH staff AS (SELECT * FROM staff) SELECT * FROM staff",
    "WITH staff AS (SELECT * FROM main.staff) SELECT * FROM staff",
    "WITH bank AS (SELECT 1 AS a) SELECT * FROM bank",
    "SELECT * FROM (WITH bank AS (SELECT 1 AS a) SELECT * FROM bank), bank",
    "WITH bank AS (SELECT * FROM main.bank) SELECT * FROM bank",
    "WITH a AS (SELECT * FROM b), b AS (SELECT 1 AS x) SELECT * FROM a",
    "WITH a AS (SELECT * FROM bank), bank AS (SELECT 1 AS x) SELECT * FROM a",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n, staff.* FROM r, staff",
    "SELECT * FROM bank",
    "SELECT * FROM main.bank",
    'SELECT * FROM "bank"',
    "SELECT * FROM 'bank'",
    "SELECT * FROM 'staff'",
    "SELECT * FROM [staff] AS [s t]",
    "SELECT * FROM nonesuch",
    "SELECT count(*) FROM bank",
    "SELECT bank FROM staff",
    "SELECT 1 WHERE 'SECRET2' IN bank",
    "SELECT name FROM staff WHERE 1 IN staff",
    "SELECT name FROM staff WHERE id IN (SELECT staff_id FROM visit)",
    "SELECT name FROM staff WHERE ('x', 1) IN bank",
    "SELECT * FROM visit JOIN bank ON 1 = 1",
    "SELECT * FROM staff JOIN visit USING (bank)",
    "SELECT * FROM staff JOIN staff AS t USING (salary)",
    "SELECT name FROM staff JOIN visit ON bank = bank",
    "SELECT bank FROM staff, visit",
    "SELECT rowid FROM staff",
    "SELECT rowid, * FROM memo",
    "SELECT * FROM paid",
    "SELECT name FROM paid",
    "SELECT * FROM who",
    "SELECT * FROM memo WHERE memo MATCH 'word'",
    "SELECT * FROM memo('word')",
    "SELECT * FROM diary('word')",
    "SELECT * FROM diary WHERE diary MATCH 'word'",
    "SELECT * FROM diary_content",
    "SELECT * FROM memo_content",
    "SELECT sql FROM sqlite_master",
    "SELECT * FROM pragma_table_info('staff')",
    "SELECT * FROM json_each((SELECT salary FROM staff))",
    "SELECT json_object('a', salary) FROM staff",
    "VALUES ((SELECT salary FROM staff))",
    "SELECT CASE WHEN salary LIKE 'S%' THEN 1 END FROM staff",
    "SELECT name AS salary FROM staff ORDER BY salary",
    "SELECT name FROM staff LIMIT (SELECT length(salary) FROM staff)",
    "SELECT s.name FROM staff AS s LEFT JOIN (visit AS v JOIN bank AS b ON 1) ON 1",
    "SELECT * FROM (staff, visit)",
    "SELECT * FROM staff; -- all",
    "SELECT salery FROM staff",
    "SELECT * FROM banks",
    "SELECT bank.iban FROM staff",
    "SELECT max(name) FROM staff WHERE id = nonesuch.bank",
]


def make(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


@pytest.fixture
async def databases(tmp_path: Path) -> AsyncIterator[tuple[SQLiteDatabase, SQLiteDatabase]]:
    whole = SQLiteDatabase("staff", make(tmp_path / "whole.sqlite", WHOLE))
    plain = SQLiteDatabase("staff", make(tmp_path / "plain.sqlite", PLAIN))
    yield whole, plain
    await whole.close()
    await plain.close()


def compared(outcome: Outcome) -> dict[str, Any]:
    return {key: value for key, value in outcome.items() if key != "seconds"}


@pytest.mark.parametrize("visibility", RIGHTS)
async def test_a_query_meets_what_it_would_if_the_hidden_had_never_been(
    databases: tuple[SQLiteDatabase, SQLiteDatabase], visibility: Visibility
) -> None:
    whole, plain = (VisibleDatabase(database, visibility) for database in databases)
    assert await whole.schema() == await plain.schema()
    for query in QUERIES:
        seen, expected = await whole.execute(query), await plain.execute(query)
        # In the plain database no column of these tables is hidden, so that they keep their rowid.
        if "rowid FROM staff" not in query:
            assert compared(seen) == compared(expected), query
        assert "SECRET" not in str(seen), query


async def test_honest_queries_run_and_stars_show_what_is_visible(
    databases: tuple[SQLiteDatabase, SQLiteDatabase],
) -> None:
    visible = VisibleDatabase(databases[0], HIDDEN)
    outcome = await visible.execute("SELECT * FROM staff AS s JOIN visit ON visit.staff_id = s.id ORDER BY day")
    assert outcome["columns"] == ["id", "name", "city", "staff_id", "day"]
    assert outcome["rows"][1] == [1, "Ida", "Bergen", 1, "2024-02-01"]
    matched = await visible.execute("SELECT * FROM memo WHERE memo MATCH 'word'")
    assert (matched["status"], matched["rows"]) == ("ok", [["a word"]])


async def test_what_is_hidden_is_an_unknown_name_like_any_other(
    databases: tuple[SQLiteDatabase, SQLiteDatabase],
) -> None:
    visible = VisibleDatabase(databases[0], HIDDEN)
    words = [await visible.execute(f"SELECT {name} FROM staff") for name in ("salary", "nonesuch")]
    assert [outcome["error"] for outcome in words] == [
        "unknown column salary. There is no column salary.",
        "unknown column nonesuch. There is no column nonesuch.",
    ]
    tables = [await visible.execute(f"SELECT * FROM {name}") for name in ("bank", "nonesuch")]
    assert [(outcome["status"], outcome["error"]) for outcome in tables] == [
        ("error", "unknown table bank. There is no table bank."),
        ("error", "unknown table nonesuch. There is no table nonesuch."),
    ]


async def test_values_are_looked_up_in_visible_columns_only(
    databases: tuple[SQLiteDatabase, SQLiteDatabase],
) -> None:
    visible = VisibleDatabase(databases[0], HIDDEN)
    index = await build_value_index(visible, await visible.schema())
    assert [match.reference for match in index.match("Who is in Bergen, SECRET1, 'SECRET2'?")] == ["staff.city"]


async def test_the_schema_stays_the_same_object_and_follows_the_database(
    databases: tuple[SQLiteDatabase, SQLiteDatabase],
) -> None:
    visible = VisibleDatabase(databases[0], HIDDEN)
    before = await visible.schema()
    assert await visible.schema() is before
    make(databases[0].path, "ALTER TABLE visit ADD COLUMN salary TEXT; ALTER TABLE visit ADD COLUMN hour TEXT;")
    after = (await visible.schema()).table("visit")
    assert after is not None and [column.name for column in after.columns] == ["staff_id", "day", "hour"]


async def test_a_pattern_that_stands_for_nothing_is_a_mistake(
    databases: tuple[SQLiteDatabase, SQLiteDatabase],
) -> None:
    hidden = Visibility(hide=("staff.salry", "*.none"))
    misspelt = VisibleDatabase(databases[0], hidden, checked=hidden)
    with pytest.raises(DatabaseUnavailable, match="names tables or columns that it lacks: staff.salry; write table"):
        await misspelt.execute("SELECT name FROM staff")
