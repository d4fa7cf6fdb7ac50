"""DuckDB: a process of its own, bounded and read-only; its schema; what is hidden in it."""

import asyncio
import hashlib
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import chdir
from pathlib import Path

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.duckdb.database import DuckDBDatabase
from route_sql.tools.database.duckdb.session import DuckDBSession
from route_sql.tools.database.running.query import Query
from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import ForeignKey
from route_sql.tools.schema.rendering import render
from route_sql.tools.schema.rights.visibility import Visibility

duckdb = pytest.importorskip("duckdb", reason="the extra duckdb is not installed")

SHOP = """
CREATE SCHEMA sales;
CREATE TABLE customer (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, salary DECIMAL(9, 2), tags VARCHAR[],
    place STRUCT(town VARCHAR), born DATE);
CREATE TABLE sale (customer_id INTEGER REFERENCES customer (id), day DATE, PRIMARY KEY (customer_id, day));
CREATE TABLE secret (word VARCHAR);
CREATE TABLE sales.lead (id INTEGER);
CREATE VIEW who AS SELECT name FROM customer;
COMMENT ON TABLE customer IS 'people who buy';
COMMENT ON COLUMN customer.name IS 'first name';
INSERT INTO customer VALUES (1, 'Ida', 10.50, ['a', 'b'], {'town': 'Oslo'}, '1990-01-02'),
    (2, 'Ole', 2, NULL, NULL, NULL);
INSERT INTO secret VALUES ('HIDDEN');
"""
ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"
SIX_HUNDRED_MEGABYTES = "SELECT length(array_to_string(range(50000000), ','))"

HALF_OF_THE_MEMORY = (
    "SELECT length(string_agg(range, ',')) FROM range(3000000)",
    "SELECT count(DISTINCT range) FROM range(1500000)",
)


def make(path: Path, script: str = SHOP) -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute(script)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path / "shop.duckdb")


@pytest.fixture
async def shop(path: Path) -> AsyncIterator[DuckDBDatabase]:
    database = DuckDBDatabase("shop", path, Limits(seconds=5), workers=2)
    yield database
    await database.close()


@pytest.fixture
async def unguarded(path: Path) -> AsyncIterator[DuckDBDatabase]:
    database = DuckDBDatabase("shop", path, Limits(seconds=5), workers=1, guard=False)
    yield database
    await database.close()


async def test_cells_are_plain(shop: DuckDBDatabase) -> None:
    outcome = await shop.execute("SELECT * FROM customer ORDER BY id")
    assert outcome["columns"] == ["id", "name", "salary", "tags", "place", "born"]
    assert outcome["rows"] == [
        [1, "Ida", 10.5, "[a, b]", "{'town': Oslo}", "1990-01-02"],
        [2, "Ole", 2.0, None, None, None],
    ]
    assert (await shop.execute("SELECT 1 WHERE false"))["status"] == "empty"


async def test_the_schema_has_keys_comments_samples_and_views(shop: DuckDBDatabase) -> None:
    schema = await shop.schema()
    assert list(schema.names()) == ["customer", "sale", "secret", "who"]
    customer, sale = schema.table("customer"), schema.table("sale")
    assert customer is not None and sale is not None
    assert (customer.primary_key, customer.comment, customer.columns[1].comment) == (
        ("id",),
        "people who buy",
        "first name",
    )
    assert (customer.columns[1].nullable, customer.columns[1].samples) == (False, ("Ida", "Ole"))
    assert sale.primary_key == ("customer_id", "day")
    assert sale.foreign_keys == (ForeignKey(("customer_id",), "customer", ("id",)),)
    assert await shop.schema() is schema


async def test_schemas_other_than_main(path: Path) -> None:
    both = DuckDBDatabase("shop", path, namespaces=["main", "sales"])
    assert "sales.lead" in (await both.schema()).names()
    assert (await both.execute("SELECT count(*) FROM sales.lead"))["rows"] == [[0]]
    await both.close()


async def test_a_file_that_takes_the_place_of_another_is_taken_up(shop: DuckDBDatabase, path: Path) -> None:
    assert "extra" not in (await shop.schema()).names()
    make(path.with_name("new"))
    with duckdb.connect(str(path.with_name("new"))) as connection:
        connection.execute("CREATE TABLE extra (a INTEGER); INSERT INTO extra VALUES (3);")
    path.with_name("new").rename(path)
    assert (await shop.execute("SELECT a FROM extra"))["rows"] == [[3]]
    assert "extra" in (await shop.schema()).names()


WRITES = [
    "CREATE TEMP TABLE t (a INTEGER)",
    "CREATE TEMP VIEW t AS SELECT 1",
    "CREATE TEMP SEQUENCE t",
    "INSERT INTO customer (id, name) VALUES (9, 'x')",
    "WITH a AS (SELECT 1) DELETE FROM customer",
    "SELECT 1; DELETE FROM customer",
    "SET VARIABLE x = 1",
    "SET threads = 8",
    "PREPARE p AS SELECT 1",
    "USE sales",
    "BEGIN",
    "CHECKPOINT",
    "ATTACH 'new.duckdb'",
    "COPY customer TO 'customer.csv'",
    "EXPORT DATABASE 'folder'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA version",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT * FROM read_csv('shop.csv')",
    "SELECT * FROM 'shop.csv'",
    "SELECT * FROM glob('*')",
    "SELECT getenv('HOME')",
]


@pytest.mark.parametrize("layers", [(True, True), (False, True)], ids=["guard and session", "session alone"])
async def test_nothing_but_reading_runs(path: Path, tmp_path: Path, layers: tuple[bool, bool]) -> None:
    (tmp_path / "shop.csv").write_text("a\nSECRET\n")
    before, files = hashlib.sha256(path.read_bytes()).digest(), sorted(tmp_path.iterdir())
    database = DuckDBDatabase("shop", path, workers=1, guard=layers[0], session=layers[1])
    with chdir(tmp_path):  # the engine's process begins where this one is
        for sql in WRITES:
            outcome = await database.execute(sql)
            is_harmless = sql == "PRAGMA version" and not layers[0]  # before DuckDB 1.5 it reads a version
            assert is_harmless or outcome["status"] in ("refused", "error"), sql
            assert "SECRET" not in str(outcome), sql
        assert (await database.execute("SELECT count(*) FROM customer"))["rows"] == [[2]]
    await database.close()
    assert (hashlib.sha256(path.read_bytes()).digest(), sorted(tmp_path.iterdir())) == (before, files)


async def test_the_deadline_stops_what_runs_and_the_next_query_is_answered(unguarded: DuckDBDatabase) -> None:
    outcome = await unguarded.execute(ENDLESS, Limits(seconds=0.3))
    assert (outcome["status"], outcome["error"]) == ("timeout", "the query took longer than 0.3 s and was stopped")
    # One function over one long value: nothing in DuckDB looks at the clock, so its process is ended.
    stubborn = "SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))"
    assert (await unguarded.execute(stubborn, Limits(seconds=0.3)))["status"] == "timeout"
    assert (await unguarded.execute("SELECT 1"))["rows"] == [[1]]


async def test_cancelling_stops_the_query(unguarded: DuckDBDatabase) -> None:
    task = asyncio.create_task(unguarded.execute(ENDLESS, Limits(seconds=3600)))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The only worker is free again.
    assert (await unguarded.execute("SELECT 1"))["rows"] == [[1]]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts mapped memory")
async def test_memory_is_capped_where_duckdb_itself_does_not_count(unguarded: DuckDBDatabase) -> None:
    outcome = await unguarded.execute(SIX_HUNDRED_MEGABYTES, Limits(seconds=60))
    assert (outcome["status"], outcome["error"]) == ("error", "the query needs more than 256 MB of memory")
    assert (await unguarded.execute("SELECT 1"))["rows"] == [[1]]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts mapped memory")
async def test_memory_that_earlier_queries_took_is_there_again(unguarded: DuckDBDatabase) -> None:
    for _ in range(3):
        assert (await unguarded.execute(SIX_HUNDRED_MEGABYTES, Limits(seconds=60)))["status"] == "error"
        for sql in HALF_OF_THE_MEMORY:
            assert (await unguarded.execute(sql, Limits(seconds=60)))["status"] == "ok"


async def test_a_file_that_was_copied_over_an_open_one_is_seen(tmp_path: Path) -> None:
    file = make(tmp_path / "emp.duckdb", "CREATE TABLE emp (id INT, name TEXT); INSERT INTO emp VALUES (1, 'Ann')")
    async with Catalog.from_url(file)[0] as catalog:
        database = catalog.get("emp", Visibility(hide=("*.secret",)))
        assert (await database.execute("SELECT * FROM emp"))["rows"] == [[1, "Ann"]]
        columns = "CREATE TABLE emp (id INT, secret TEXT, name TEXT)"
        shutil.copyfile(make(tmp_path / "new", f"{columns}; INSERT INTO emp VALUES (1, 'hidden', 'Bob')"), file)
        assert (await database.execute("SELECT * FROM emp"))["rows"] == [[1, "Bob"]]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts mapped memory")
def test_a_file_that_was_replaced_is_not_asked_once_more(path: Path) -> None:
    session = DuckDBSession(path, Limits().memory_bytes)
    assert session.run(Query("SELECT 1", Limits()))["status"] == "ok"
    path.unlink()
    make(path, "CREATE TABLE other (id INTEGER)")
    with pytest.raises(DatabaseUnavailable, match="replaced"):
        session.run(Query(SIX_HUNDRED_MEGABYTES, Limits(seconds=60)))
    session.close()


async def test_results_come_in_pieces(shop: DuckDBDatabase) -> None:
    outcome = await shop.execute("SELECT * FROM range(1000000000000)", Limits(rows=5))
    assert (outcome["rows"], outcome["truncated"]) == ([[0], [1], [2], [3], [4]], True)
    long = await shop.execute("SELECT repeat('x', 1000)", Limits(cell_chars=10))
    assert (long["rows"], long["truncated"]) == ([["xxxxxxxxx…"]], True)


async def test_errors_are_one_line_without_a_drawing(shop: DuckDBDatabase) -> None:
    error = (await shop.execute("SELECT CAST(name AS DATE) FROM customer"))["error"]
    assert error is not None and error.startswith("Conversion Error: ") and "LINE 1" not in error and "\n" not in error


async def test_files_that_are_no_databases_are_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 1000)
    (tmp_path / "empty").touch()
    for name, reason in [
        ("none", "there is no file .*none; check the path"),
        ("text", "this is not a DuckDB database; name a DuckDB file"),
        ("empty", "this is not a DuckDB database"),
        (".", "is a folder; name the DuckDB file in it"),
    ]:
        database = DuckDBDatabase("shop", tmp_path / name)
        with pytest.raises(DatabaseUnavailable, match=reason):
            await database.execute("SELECT 1")
        await database.close()
    with pytest.raises(DatabaseUnavailable, match="was closed"):
        await database.schema()


async def test_a_file_that_another_program_writes_to(path: Path) -> None:
    script = f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "open\n"
        database = DuckDBDatabase("shop", path)
        with pytest.raises(DatabaseUnavailable, match="another program has it open for writing; try again"):
            await database.execute("SELECT 1")
        writer.communicate("\n")
    assert (await database.execute("SELECT 1"))["rows"] == [[1]]
    await database.close()


@pytest.mark.parametrize("form", ["{path}", "duckdb:///{path}"])
async def test_a_path_or_url_makes_a_catalog_of_one(path: Path, form: str) -> None:
    other = path.rename(path.with_name("shop.db"))
    catalog, name = Catalog.from_url(form.format(path=other))
    async with catalog:
        assert isinstance(catalog.get(name), DuckDBDatabase)
        assert (name, (await catalog.get(name).execute("SELECT name FROM who"))["status"]) == ("shop", "ok")


HIDDEN = Visibility(hide=("secret", "*.salary"))
ATTEMPTS = [
    ("SELECT * FROM customer", "ok"),
    ("FROM customer", "ok"),
    ("SELECT c.* FROM customer AS c", "ok"),
    ("SELECT c FROM customer AS c", "ok"),
    ("SELECT COLUMNS('.*') FROM customer", "ok"),
    ("SELECT * EXCLUDE (name) FROM customer", "ok"),
    ("SELECT to_json(customer) FROM customer", "ok"),
    ("SELECT struct_values(c) FROM customer AS c", "ok"),
    ("SELECT x: c.name FROM c: customer", "ok"),
    ("SELECT main.customer.name FROM main.customer", "ok"),
    ("SELECT * FROM customer NATURAL JOIN who", "ok"),
    ("WITH secret AS (SELECT 1 AS word) SELECT * FROM secret", "ok"),
    ("SELECT * FROM (PIVOT customer ON name IN ('Ida') USING count(*)) ORDER BY id", "ok"),
    ("SELECT salary FROM customer", "error"),
    ("SELECT customer.salary FROM customer", "error"),
    ("SELECT c.salary FROM customer c", "error"),
    ("SELECT * EXCLUDE (salary) FROM customer", "error"),
    ("SELECT * REPLACE (salary AS name) FROM customer", "error"),
    ("SELECT salry FROM customer", "error"),
    ("SELECT name FROM customer ORDER BY salary", "error"),
    ("SELECT max(salary) FROM customer", "error"),
    ("SELECT struct_extract(c, 'salary') FROM customer AS c", "error"),
    ("SELECT * FROM secret", "error"),
    ("SELECT * FROM main.secret", "error"),
    ("SELECT * FROM shop.main.secret", "error"),
    ("SELECT * FROM 'secret'", "error"),
    ("SELECT * FROM secrt", "error"),
    ("SELECT * FROM (DESCRIBE secret)", "refused"),
    ("SELECT * FROM (SUMMARIZE customer)", "refused"),
    ("SELECT * FROM (SHOW ALL TABLES)", "refused"),
    ("SELECT * FROM query_table('secret')", "refused"),
    ("SELECT * FROM duckdb_columns()", "refused"),
    ("SELECT * FROM information_schema.columns", "refused"),
]


async def test_what_is_hidden_is_nowhere(shop: DuckDBDatabase) -> None:
    visible = VisibleDatabase(shop, HIDDEN)
    schema = await visible.schema()
    assert "secret" not in render(schema) and "salary" not in render(schema)
    for sql, status in ATTEMPTS:
        outcome = await visible.execute(sql)
        is_unknown = "struct_values" in sql and "struct_values" in str(outcome["error"])  # DuckDB 1.5 brought it
        assert is_unknown or outcome["status"] == status, (sql, outcome)
        assert "HIDDEN" not in str(outcome) and "10.5" not in str(outcome), sql
        if outcome["error"] is not None:
            assert not [name for name in ("salary", "secret") if name in outcome["error"] and name not in sql], sql


async def test_a_query_meets_the_same_whatever_is_hidden(shop: DuckDBDatabase, path: Path) -> None:
    path.with_name("other").mkdir()
    other_path = make(path.with_name("other") / "shop.duckdb", SHOP.replace("salary", "size").replace("secret", "plan"))
    other = DuckDBDatabase("shop", other_path, Limits(seconds=5))
    hidden = VisibleDatabase(shop, HIDDEN), VisibleDatabase(other, Visibility(hide=("plan", "*.size")))
    assert await hidden[0].schema() == await hidden[1].schema()
    for sql, _ in ATTEMPTS:
        seen, expected = [{**await database.execute(sql), "seconds": 0.0} for database in hidden]
        assert seen == expected, sql
    await other.close()
