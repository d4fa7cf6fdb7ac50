"""Types, labels, keys across schemas and tables that are nobody's, as each engine's schema shows them."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from support.engine_cases import DuckDB, Engine, MariaDB, Postgres

from route_sql.tools.database.unknown_engine import UnknownEngineDatabase
from route_sql.tools.limits import Limits
from route_sql.tools.schema.keys import join_graph
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.rendering import render
from route_sql.tools.sql.joins.repair import add_missing_joins
from route_sql.tools.values.building import build_value_index
from route_sql.tools.values.index import render_match

ODD_LABELS = ("waiting for pickup", "it's (new), or not", 'say "hi"', "closed")
LABELS = ", ".join("'" + label.replace("'", "''") + "'" for label in ODD_LABELS)
SHOWN = f"one of {LABELS}"
SHOP = (
    "CREATE TABLE {person}.people (id INTEGER PRIMARY KEY, full_name VARCHAR(20))",
    "CREATE TABLE {hr}.staff (id INTEGER PRIMARY KEY, people_id INTEGER, boss_id INTEGER{to_people}{to_staff})",
    "CREATE TABLE {sales}.orders (id INTEGER PRIMARY KEY, staff_id INTEGER, people_id INTEGER, total INTEGER{to_people}"
    "{from_staff})",
    "INSERT INTO {person}.people VALUES (1, 'Ida'), (2, 'Ole')",
    "INSERT INTO {hr}.staff VALUES (7, 2, NULL)",
    "INSERT INTO {sales}.orders (id, staff_id, people_id, total) VALUES (3, 7, 1, 50)",
)
NAMES = ("sales", "person", "hr")


def _spread(engine: Engine) -> tuple[str, ...]:
    """Three namespaces with keys between them, as far as the engine lets them; the names of the namespaces."""
    names = tuple(f"{engine.database}_{name}" if isinstance(engine, MariaDB) else name for name in NAMES)
    kind = "DATABASE" if isinstance(engine, MariaDB) else "SCHEMA"
    engine.run(*(f"CREATE {kind} {name}" for name in names))
    sales, person, hr = names
    keys = {"to_people": "", "to_staff": "", "from_staff": ""}
    if not isinstance(engine, DuckDB):  # which refuses keys across schemas
        keys = {
            "to_people": f", FOREIGN KEY (people_id) REFERENCES {person}.people (id)",
            "to_staff": f", FOREIGN KEY (boss_id) REFERENCES {hr}.staff (id)",
            "from_staff": f", FOREIGN KEY (staff_id) REFERENCES {hr}.staff (id)",
        }
    engine.run(*(line.format(sales=sales, person=person, hr=hr, **keys) for line in SHOP))
    if isinstance(engine, Postgres):
        engine.run(f"GRANT USAGE ON SCHEMA sales, person, hr TO {engine.reader}")
        engine.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA sales, person, hr TO {engine.reader}")
    if isinstance(engine, MariaDB):
        engine.run(*(f"GRANT SELECT ON {name}.* TO {engine.reader}" for name in names))
    return names


@pytest.fixture(params=["postgres", "mariadb", "duckdb"])
async def spread(
    request: pytest.FixtureRequest, make_engine: Callable[[str], Engine]
) -> AsyncIterator[tuple[Engine, tuple[str, ...]]]:
    engine = make_engine(request.param)
    names = _spread(engine)
    yield engine, names
    if isinstance(engine, MariaDB):
        engine.run("SET foreign_key_checks = 0", *(f"DROP DATABASE {name}" for name in names))


def _key(names: tuple[str, ...], engine: Engine, namespace: str, table: str) -> str:
    """A table's key, whose namespace is left out where it is the default one."""
    name = names[NAMES.index(namespace)]
    default = {"postgres": names[0], "mariadb": getattr(engine, "database", ""), "duckdb": "main"}[engine.name]
    return table if name == default else f"{name}.{table}"


async def test_keys_between_listed_schemas_lead_across(spread: tuple[Engine, tuple[str, ...]]) -> None:
    engine, names = spread
    schema = await engine.open(namespaces=names).schema()
    orders, staff, people = (
        _key(names, engine, *place) for place in (("sales", "orders"), ("hr", "staff"), ("person", "people"))
    )
    assert {table.key for table in schema} == {orders, staff, people}
    if engine.name != "duckdb":
        declared = {(table.key, key.columns, key.target_table) for table in schema for key in table.foreign_keys}
        assert declared == {
            (orders, ("people_id",), people),
            (orders, ("staff_id",), staff),
            (staff, ("people_id",), people),
            (staff, ("boss_id",), staff),
        }
    steps = {(step.target, step.columns) for step in join_graph(schema)[orders]}
    assert {(people, (("people_id", "id"),)), (staff, (("staff_id", "id"),))} <= steps


@pytest.mark.parametrize("first", range(3))
async def test_a_join_is_repaired_across_schemas(spread: tuple[Engine, tuple[str, ...]], first: int) -> None:
    """Whichever of the schemas is listed first, and so is the default."""
    engine, names = spread
    database = engine.open(namespaces=names[first:] + names[:first])
    schema = await database.schema()
    orders = next(table.key for table in schema if table.name == "orders")
    sql = f"SELECT T1.full_name FROM {orders} AS T1 WHERE T1.total > 10"
    repaired = add_missing_joins(sql, schema)
    assert repaired is not None
    assert (await database.execute(repaired))["rows"] == [["Ida"]], repaired


async def test_sqlalchemy_alone_keeps_keys_across_schemas(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    assert isinstance(engine, Postgres)
    _spread(engine)
    engine.run(f"ALTER ROLE {engine.reader} SET search_path = sales, person, hr", *_POSTGRES_TYPES)
    engine.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public, sales TO {engine.reader}")
    database = UnknownEngineDatabase("a", engine.url.set(drivername="postgresql+psycopg"), Limits(), namespaces=NAMES)
    schema = await database.schema()
    await database.close()
    declared = {(table.key, key.columns, key.target_table) for table in schema for key in table.foreign_keys}
    assert declared == {
        ("orders", ("people_id",), "person.people"),
        ("orders", ("staff_id",), "hr.staff"),
        ("hr.staff", ("people_id",), "person.people"),
        ("hr.staff", ("boss_id",), "hr.staff"),
    }


_POSTGRES_TYPES = (
    f"CREATE TYPE order_status AS ENUM ({LABELS})",
    "CREATE DOMAIN stage AS order_status",
    "CREATE DOMAIN postcode AS text CHECK (VALUE <> '')",
    "CREATE TYPE address AS (street text, number integer)",
    "CREATE SCHEMA IF NOT EXISTS kinds",
    "CREATE TYPE kinds.\"Odd Kind\" AS ENUM ('x')",
    "CREATE TYPE span AS RANGE (subtype = float8)",
    "CREATE TABLE things (id INTEGER PRIMARY KEY, status order_status, steps order_status[], st stage, code postcode, "
    'home address, doc xml, place point, odd kinds."Odd Kind", during span, dump bytea, days daterange, '
    "tags text[], short varchar(5), homes address[])",
    "INSERT INTO things VALUES (1, 'closed', '{closed}', 'closed', 'N-1', ROW('Main', 1), NULL, '(1,2)', 'x', "
    "'[1,2]', '\\x0102030405060708090a', '[2024-01-01,2024-02-01)', '{a}', 'abc', ARRAY[ROW('B', 2)::address])",
)


async def test_types_of_postgresql(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    assert isinstance(engine, Postgres)
    engine.run(*_POSTGRES_TYPES, f"GRANT SELECT ON things TO {engine.reader}")
    schema = await engine.open().schema()
    things = schema.table("things")
    assert things is not None
    assert {column.name: column.type for column in things.columns} == {
        "id": "INTEGER",
        "status": "order_status",
        "steps": "order_status[]",
        "st": "stage",
        "code": "postcode",
        "home": "address",
        "doc": "xml",
        "place": "point",
        "odd": 'kinds."Odd Kind"',
        "during": "span",
        "dump": "BYTEA",
        "days": "DATERANGE",
        "tags": "TEXT[]",
        "short": "VARCHAR(5)",
        "homes": "address[]",
    }
    labels = {column.name: column.labels for column in things.columns if column.labels}
    assert labels == {"status": ODD_LABELS, "steps": ODD_LABELS, "st": ODD_LABELS, "odd": ("x",)}
    lines = render(schema).splitlines()
    assert f"  status order_status, -- {SHOWN}" in lines
    assert "  dump BYTEA," in lines and "  short VARCHAR, -- 'abc'" in lines and "  place point, -- '(1,2)'" in lines


async def test_vectors_of_an_extension(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    assert isinstance(engine, Postgres)
    if not engine.ask("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"):
        pytest.skip("the server has no extension vector")
    engine.run(
        "CREATE EXTENSION vector",
        "CREATE TABLE texts (short vector(2), long vector(64))",
        "INSERT INTO texts SELECT '[1,2]', array_agg(g / 7.0)::vector FROM generate_series(1, 64) g",
        f"GRANT SELECT ON texts TO {engine.reader}",
    )
    text = render(await engine.open().schema())
    assert "  short vector, -- '[1,2]'" in text and "  long vector,\n" in text


async def test_tables_of_extensions_and_sequences_are_left_out(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    assert isinstance(engine, Postgres)
    engine.run(
        "CREATE TABLE spatial_ref_sys (srid INTEGER)",
        "CREATE VIEW geometry_columns AS SELECT 1 AS a",
        "CREATE SEQUENCE counter",
        "ALTER EXTENSION plpgsql ADD TABLE spatial_ref_sys",
        "ALTER EXTENSION plpgsql ADD VIEW geometry_columns",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {engine.reader}",
    )
    assert {table.key for table in await engine.open().schema()} == {"dept", "emp", "nums", "rich"}


async def test_sequences_of_mariadb_are_left_out(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("mariadb")
    engine.run("CREATE SEQUENCE counter")
    assert {table.key for table in await engine.open().schema()} == {"dept", "emp", "nums", "rich"}


async def test_a_new_label_is_seen(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    assert isinstance(engine, Postgres)
    engine.run(*_POSTGRES_TYPES, f"GRANT SELECT ON things TO {engine.reader}")
    database = engine.open()
    assert "lost" not in _labels(await database.schema(), "status")
    engine.run("ALTER TYPE order_status ADD VALUE 'lost'")
    async with asyncio.timeout(30):
        while "lost" not in _labels(await database.schema(), "status"):
            await asyncio.sleep(0.02)


def _labels(schema: Schema, column: str) -> tuple[str, ...]:
    things = schema.table("things")
    found = things.column(column) if things else None
    return found.labels if found else ()


_FILL = {
    "postgres": _POSTGRES_TYPES,
    "mariadb": (
        f"CREATE TABLE things (id INTEGER, status ENUM({LABELS}), steps SET('a b', 'unsigned'), "
        "slash ENUM('a\\\\b', 'c'), place POINT, dump BINARY(16))",
        "INSERT INTO things VALUES (1, 'closed', 'a b', 'c', POINT(1, 2), x'00112233445566778899aabbccddeeff')",
    ),
    "duckdb": (
        f"CREATE TABLE things (id INTEGER, status ENUM({LABELS}), steps ENUM('a b', 'x')[], "
        "geo STRUCT(\"lat (deg)\" DOUBLE, kind ENUM('p)', 'q')), src VARCHAR, m MAP(VARCHAR, DECIMAL(9, 2)), "
        "u UNION(n INTEGER, t VARCHAR), v FLOAT[64], dump BLOB)",
        "INSERT INTO things (id, status, src, dump) VALUES (1, 'closed', 'web', 'abc'::BLOB)",
    ),
}


@pytest.mark.parametrize("name", _FILL)
async def test_labels_are_shown_and_matched(make_engine: Callable[[str], Engine], name: str) -> None:
    engine = make_engine(name)
    engine.run(*_FILL[name])
    if isinstance(engine, Postgres):
        engine.run(f"GRANT SELECT ON things TO {engine.reader}")
    database = engine.open()
    schema = await database.schema()
    assert _labels(schema, "status") == ODD_LABELS
    assert SHOWN in render(schema)
    index = await build_value_index(database, schema)
    notes = [render_match(match, schema.dialect) for match in index.match("How many things are Waiting for Pickup?")]
    assert "things.status = 'waiting for pickup'" in notes
    notes = [render_match(match, schema.dialect) for match in index.match('How many are "it\'s (new), or not"?')]
    assert "things.status = 'it''s (new), or not'" in notes
    for label in ODD_LABELS:
        quoted = label.replace("'", "''")
        outcome = await database.execute(f"SELECT id FROM things WHERE status = '{quoted}'")
        assert outcome["status"] in ("ok", "empty"), outcome["error"]


async def test_types_of_mariadb(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("mariadb")
    engine.run(*_FILL["mariadb"])
    schema = await engine.open().schema()
    assert _labels(schema, "steps") == ("a b", "unsigned") and _labels(schema, "slash") == ("a\\b", "c")
    lines = render(schema).splitlines()
    assert "  steps SET, -- any of 'a b', 'unsigned'" in lines
    assert "  place POINT," in lines and "  dump BINARY," in lines


async def test_types_of_duckdb(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("duckdb")
    engine.run(*_FILL["duckdb"])
    lines = render(await engine.open().schema()).splitlines()
    assert "  steps ENUM[], -- any of 'a b', 'x'" in lines
    assert "  geo STRUCT(\"lat (deg)\" DOUBLE, kind ENUM('p)', 'q'))," in lines
    assert "  src VARCHAR, -- 'web'" in lines
    assert "  m MAP(VARCHAR, DECIMAL)," in lines and "  u UNION(n INTEGER, t VARCHAR)," in lines
    assert "  v FLOAT[64]," in lines and "  dump BLOB," in lines
