"""Statements that must be refused or bounded, and honest ones that must not be; nothing is ever written."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import chdir, closing
from pathlib import Path

import pytest

from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.limits import Limits

REFUSED = [
    "DROP TABLE emp",
    "drop table emp",
    "SELECT 1; DROP TABLE emp",
    "SELECT 1;; SELECT 2",
    "WITH d AS (SELECT 2 AS id) DELETE FROM emp WHERE id IN (SELECT id FROM d)",
    "WITH d AS (SELECT 2 AS id) UPDATE emp SET name = 'x'",
    "WITH d AS (SELECT 2 AS id) INSERT INTO emp (id) SELECT id FROM d",
    "/* report */ DELETE FROM emp",
    "-- report\nDELETE FROM emp",
    "/* /* */ DELETE FROM emp",
    "REPLACE INTO emp VALUES (1, 'x', 1, 1)",
    "INSERT INTO emp VALUES (9, 'x', 1, 1) RETURNING id",
    "CREATE TABLE evil (a)",
    "CREATE TEMP TABLE evil AS SELECT * FROM emp",
    "CREATE VIRTUAL TABLE evil USING fts5(a)",
    "PRAGMA writable_schema = 1",
    "PRAGMA table_info(emp)",
    "SELECT * FROM pragma_table_info('emp')",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM dbstat",
    "ATTACH DATABASE 'evil.db' AS evil",
    "ATTACH ':memory:' AS evil",
    "DETACH main",
    "VACUUM INTO 'evil.db'",
    "VACUUM",
    "BEGIN IMMEDIATE",
    "COMMIT; DROP TABLE emp; SELECT 1",
    "SAVEPOINT a",
    "REINDEX",
    "ANALYZE",
    "EXPLAIN DELETE FROM emp",
    "ALTER TABLE emp RENAME TO gone",
    "SELECT load_extension('a.so')",
    "SELECT LOAD_EXTENSION('a.so') FROM emp",
    "SELECT \"load_extension\"('a.so')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT sql FROM sqlite_master",
    "SELECT name FROM sqlite_schema",
    "SELECT (SELECT sql FROM SQLITE_MASTER LIMIT 1) FROM emp",
    "SELECT sql FROM main.sqlite_master",
    "SELECT name FROM sqlite_temp_schema",
]
NOT_THERE = ["SELECT readfile('/etc/passwd')", "SELECT writefile('evil.db', 'x')", "SELECT edit('x')"]
STOPPED = [
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT max(x) FROM r LIMIT 1",
    "WITH r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT max(x) AS m FROM r LIMIT 1",
    "SELECT count(*) AS c FROM nums a JOIN nums b ON 1=1 JOIN nums c LIMIT 1",
    "SELECT count(*) FROM nums a, nums b, nums c",
    "SELECT a.n FROM nums a, nums b, nums c ORDER BY random()",
    "SELECT DISTINCT a.n * b.n * c.n AS p FROM nums a, nums b, nums c WHERE p < 0",
    "SELECT x FROM (SELECT a.n || b.n || c.n AS x FROM nums a, nums b, nums c) GROUP BY x",
]
TOO_BIG = [
    "SELECT length(hex(zeroblob(1000000000))) AS n LIMIT 1",
    "SELECT zeroblob(1000000000)",
    "SELECT length(replace(hex(zeroblob(1000000)), '0', hex(zeroblob(1000000))))",
    "SELECT instr(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || '1')",
    "SELECT trim(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || '1')",
    "SELECT group_concat(hex(zeroblob(100000))) FROM nums",
    "SELECT 1 WHERE 'a' LIKE '" + "%a" * 400 + "'",
    "SELECT " + "(" * 3000 + "1" + ")" * 3000,
    "SELECT " + "+".join(["1"] * 60_000),
    "SELECT 1" + " UNION SELECT 1" * 300,
]
HONEST = [
    "SELECT COUNT(*) AS c FROM emp LIMIT 1",
    "SELECT REPLACE(name,'a','b') AS n FROM emp LIMIT 5",
    "SELECT id FROM notes WHERE body LIKE '%;%' LIMIT 5",
    'SELECT "update" FROM t LIMIT 5',
    "SELECT `drop table`, [delete] FROM t",
    "SELECT id FROM emp LIMIT 5;",
    "SELECT id FROM emp; -- the end",
    "SELECT id FROM emp WHERE name <> '; DROP TABLE emp; --'",
    "WITH a AS (SELECT dept_id, AVG(salary) AS s FROM emp GROUP BY dept_id) SELECT dept_id, s FROM a LIMIT 5",
    "SELECT id FROM emp UNION SELECT id FROM dept LIMIT 5",
    "SELECT AVG(salary) AS a FROM emp",
    "SELECT `Free Meals (K-12)` / `Enrolled (K-12)` AS r FROM frpm ORDER BY r DESC LIMIT 1",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM t WHERE n<12) SELECT n FROM t LIMIT 12",
    "VALUES (1), (2)",
    "SELECT json_extract('{\"a\": 1}', '$.a'), strftime('%Y', '2020-01-01'), printf('%05d', 3), upper('a')",
    "SELECT value FROM json_each('[1,2]')",
    "SELECT rank() OVER (ORDER BY salary) FROM emp",
    "SELECT COUNT(*) FROM emp_names",
    "SELECT id FROM sqlite",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ground" / "emp.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            CREATE TABLE emp (id INTEGER PRIMARY KEY, name TEXT, dept_id INTEGER, salary REAL);
            INSERT INTO emp VALUES (1, 'Ann', 1, 10), (2, 'Bob', 1, 20);
            CREATE TABLE dept (id INTEGER); INSERT INTO dept VALUES (3);
            CREATE TABLE notes (id INTEGER, body TEXT); INSERT INTO notes VALUES (1, 'a;b');
            CREATE TABLE t ("update" TEXT, "drop table" TEXT, "delete" TEXT); INSERT INTO t VALUES (1, 2, 3);
            CREATE TABLE frpm (`Free Meals (K-12)` REAL, `Enrolled (K-12)` REAL);
            INSERT INTO frpm VALUES (1, 2);
            CREATE TABLE sqlite (id INTEGER); INSERT INTO sqlite VALUES (1);
            CREATE VIEW emp_names AS SELECT name FROM emp;
            CREATE TABLE nums (n INTEGER);
            INSERT INTO nums WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r LIMIT 3000)
                SELECT x FROM r;
            """
        )
    return path


@pytest.fixture
async def database(file: Path) -> AsyncIterator[SQLiteDatabase]:
    before = hashlib.sha256(file.read_bytes()).digest()
    database = SQLiteDatabase("emp", file, Limits(seconds=0.3))
    with chdir(file.parent):  # where `evil.db` would appear
        yield database
    await database.close()
    assert hashlib.sha256(file.read_bytes()).digest() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("sql", REFUSED)
async def test_refused(database: SQLiteDatabase, sql: str) -> None:
    outcome = await database.execute(sql)
    assert (outcome["status"], outcome["rows"]) == ("refused", []), outcome
    assert outcome["error"]


@pytest.mark.parametrize("sql", NOT_THERE)
async def test_the_shells_functions_are_refused_and_not_there(database: SQLiteDatabase, file: Path, sql: str) -> None:
    assert (await database.execute(sql))["status"] == "refused"
    unguarded = SQLiteDatabase("emp", file, guard=False)
    outcome = await unguarded.execute(sql)
    await unguarded.close()
    assert outcome["status"] == "error" and "no such function" in (outcome["error"] or "")


@pytest.mark.parametrize("sql", STOPPED)
async def test_stopped_at_the_deadline(database: SQLiteDatabase, sql: str) -> None:
    assert (await database.execute(sql))["status"] == "timeout"


@pytest.mark.parametrize("sql", TOO_BIG)
async def test_too_big(database: SQLiteDatabase, sql: str) -> None:
    outcome = await database.execute(sql)
    assert outcome["status"] == "error", outcome


@pytest.mark.parametrize("sql", HONEST)
async def test_honest_queries_pass(database: SQLiteDatabase, sql: str) -> None:
    outcome = await database.execute(sql)
    assert outcome["status"] == "ok", outcome


async def test_the_refusal_says_what_was_tried(database: SQLiteDatabase) -> None:
    drop = await database.execute("DROP TABLE emp")
    assert drop["error"] == "only one SELECT statement may run; this one is DROP TABLE"
    hidden = await database.execute("WITH d AS (SELECT 1) DELETE FROM emp")
    assert hidden["error"] == "only one SELECT statement may run; this one does DELETE"
