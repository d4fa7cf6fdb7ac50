"""The schema of each engine: keys, comments, views, namespaces, odd names, changes, and only what may be read."""

import asyncio
from collections.abc import Callable

import pytest
from support.engine_cases import Engine, MariaDB, Postgres, ServerEngine

from route_sql.tools.schema.quoting import quote_name, quote_table
from route_sql.tools.schema.records import ForeignKey


async def test_tables_keys_and_views(engine: Engine) -> None:
    schema = await engine.open().schema()
    assert {(table.key, table.is_view) for table in schema} == {
        ("dept", False),
        ("emp", False),
        ("nums", False),
        ("rich", True),
    }
    emp = schema.table("emp")
    assert emp is not None and emp.primary_key == ("id",)
    assert emp.foreign_keys == (ForeignKey(("dept_id",), "dept", ("id",)),)
    names = ["id", "name", "salary", "rate", "born", "seen", "dept_id"]
    assert [column.name for column in emp.columns] == names
    samples = {column.name: column.samples for column in emp.columns}
    assert samples["name"] == ("Ann", "Bob", "Zo\u00eb") and samples["born"] == ("1990-02-03",)


async def test_comments(server: ServerEngine) -> None:
    emp = (await server.open().schema()).table("emp")
    assert emp is not None and emp.comment == "the people"
    assert {column.name: column.comment for column in emp.columns if column.comment} == {"name": "given name"}


async def test_other_namespaces(server: ServerEngine) -> None:
    depot = "depot" if isinstance(server, Postgres) else f"{server.database}_depot"
    default = "public" if isinstance(server, Postgres) else server.database
    database = server.open(namespaces=(default, depot))
    schema = await database.schema()
    assert {table.key for table in schema} == {"dept", "emp", "nums", "rich", f"{depot}.stock"}
    stock = schema.table(f"{depot}.stock")
    assert stock is not None and stock.foreign_keys == (ForeignKey(("emp_id",), "emp", ("id",)),)
    outcome = await database.execute(f"SELECT id FROM {quote_table(stock, schema.dialect)}")
    assert outcome["status"] == "empty"


async def test_system_catalogs_are_neither_shown_nor_readable(server: ServerEngine) -> None:
    schema = await server.open().schema()
    assert not [table.key for table in schema if table.name.startswith("pg_") or table.namespace]
    outcome = await server.open().execute("SELECT table_name FROM information_schema.tables")
    assert outcome["status"] == "refused"


async def test_a_change_of_the_schema_is_seen(engine: Engine) -> None:
    if engine.name == "duckdb":
        pytest.skip("nobody can change a DuckDB file that is open here")
    database = engine.open()
    first = await database.schema()
    assert await database.schema() is first
    engine.run("ALTER TABLE dept ADD COLUMN city VARCHAR(20)")
    await _until_shown(database, lambda schema: schema.table("dept").column("city"))
    engine.run("CREATE TABLE later (id INTEGER PRIMARY KEY)")
    if isinstance(engine, Postgres):
        engine.run(f"GRANT SELECT ON later TO {engine.reader}")
    await _until_shown(database, lambda schema: schema.table("later"))
    engine.run("DROP TABLE later")
    await _until_shown(database, lambda schema: schema.table("later") is None)
    engine.run("ALTER TABLE dept DROP COLUMN city")
    await _until_shown(database, lambda schema: schema.table("dept").column("city") is None)


async def test_a_changed_comment_is_seen(server: ServerEngine) -> None:
    database = server.open()
    await database.schema()
    is_postgres = isinstance(server, Postgres)
    server.run("COMMENT ON TABLE dept IS 'teams'" if is_postgres else "ALTER TABLE dept COMMENT 'teams'")
    await _until_shown(database, lambda schema: schema.table("dept").comment == "teams")


async def _until_shown(database, condition) -> None:
    while not condition(await database.schema()):
        await asyncio.sleep(0.02)


async def test_names_that_need_quoting(engine: Engine) -> None:
    dialect = engine.open().dialect
    names = [
        "Order Details",
        "select",
        "MixedCase",
        "na\u00efve",
        'say "hi"' if engine.name != "mariadb" else "say `hi`",
    ]
    for name in names:
        table = _quoted(engine, name)
        engine.run(f"CREATE TABLE {table} ({table} INTEGER, plain VARCHAR(5))", f"INSERT INTO {table} VALUES (7, 'a')")
        if isinstance(engine, Postgres):
            engine.run(f"GRANT SELECT ON {table} TO {engine.reader}")
    database = engine.open()
    schema = await database.schema()
    for name in names:
        found = schema.table(name)
        assert found is not None and found.columns[0].samples == ("7",)
        sql = f"SELECT {quote_name(found.columns[0].name, dialect)} FROM {quote_table(found, dialect)}"
        outcome = await database.execute(sql)
        assert outcome["rows"] == [[7]] or outcome["status"] == "refused" and '"hi"' in name, outcome["error"]


def _quoted(engine: Engine, name: str) -> str:
    mark = "`" if engine.name == "mariadb" else '"'
    return mark + name.replace(mark, mark * 2) + mark


async def test_only_what_the_role_may_read_is_shown(server: ServerEngine) -> None:
    if isinstance(server, Postgres):
        server.run("CREATE TABLE hidden (id INTEGER)", f"REVOKE SELECT ON emp FROM {server.reader}")
        server.run(f"GRANT SELECT (id, name) ON emp TO {server.reader}", f"REVOKE SELECT ON nums FROM {server.reader}")
    else:
        server.run(
            f"REVOKE SELECT ON {server.database}.* FROM {server.reader}",
            f"GRANT SELECT ON {server.database}.dept TO {server.reader}",
            f"GRANT SELECT (id, name) ON {server.database}.emp TO {server.reader}",
            f"GRANT SELECT ON {server.database}.rich TO {server.reader}",
        )
    database = server.open()
    schema = await database.schema()
    assert schema.names() == {"dept": ["id", "name"], "emp": ["id", "name"], "rich": ["id", "name"]}
    unknown = await database.execute("SELECT salary FROM emp")
    assert unknown["status"] == "error" and "unknown column salary" in str(unknown["error"])


async def test_callers_that_come_together_get_one_schema(engine: Engine) -> None:
    database = engine.open()
    first, *others = await asyncio.gather(*(database.schema() for _ in range(8)))
    assert all(other is first for other in others)


async def test_large_tables_are_sampled_from_statistics(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    assert isinstance(engine, Postgres)
    engine.run(
        "CREATE TABLE large AS SELECT g AS id, CASE WHEN g <= 1000 THEN 'first' ELSE 'common' END AS word "
        "FROM generate_series(1, 20000) g",
        "ANALYZE large",
        f"GRANT SELECT ON large TO {engine.reader}",
    )
    large = (await engine.open().schema()).table("large")
    assert large is not None
    assert large.columns[1].samples == ("common", "first"), "the first 1,000 rows hold `first` alone"
    assert len(large.columns[0].samples) == 3


async def test_parts_of_a_partitioned_table_are_not_shown(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    assert isinstance(engine, Postgres)
    engine.run(
        "CREATE TABLE logs (day DATE) PARTITION BY RANGE (day)",
        "CREATE TABLE logs_2024 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        f"GRANT SELECT ON logs, logs_2024 TO {engine.reader}",
    )
    schema = await engine.open().schema()
    assert schema.table("logs") is not None and schema.table("logs_2024") is None


async def test_widths_of_integers_are_left_out(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("mariadb")
    assert isinstance(engine, MariaDB)
    engine.run("CREATE TABLE kinds (a INT, b TINYINT(1), c BIGINT UNSIGNED, d SMALLINT(3))")
    kinds = (await engine.open().schema()).table("kinds")
    assert kinds is not None
    assert [column.type for column in kinds.columns] == ["INT", "TINYINT(1)", "BIGINT UNSIGNED", "SMALLINT"]


@pytest.mark.parametrize("name", ["sqlite", "duckdb"])
async def test_files_have_no_role_to_warn_of(make_engine: Callable[[str], Engine], name: str) -> None:
    assert await make_engine(name).open().warnings() == ()
