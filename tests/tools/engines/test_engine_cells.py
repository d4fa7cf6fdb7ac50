"""Cells are what their engine prints: each is compared with the engine's own cast to text."""

from collections.abc import Callable

import pytest
from support.engine_cases import Engine, MariaDB, Postgres

from route_sql.tools.database.outcome import Cell

DUCKDB = (
    "age(DATE '2024-01-01', DATE '2000-01-01')",
    "INTERVAL '1 month 40 days -3 hours'",
    "DATE 'infinity'",
    "DATE '-infinity'",
    "DATE '0044-03-15 (BC)'",
    "DATE '9999-12-31'",
    "TIMESTAMP 'infinity'",
    "TIMESTAMP '2024-01-02 10:00:00.5'",
    "TIMESTAMP_NS '2024-01-01 00:00:00.123456789'",
    "TIMESTAMP_S '2024-01-01 00:00:00'",
    "TIMESTAMPTZ '2024-01-01 00:00:00+02'",
    "TIME '24:00:00'",
    "TIMETZ '10:00:00.25+02'",
    "'101'::BIT",
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID",
    "[1.50::DECIMAL(5, 2), NULL]",
    "[[DATE '2020-01-01'], []]",
    "{'a': 1, 'b': ['x', NULL], 'c': {'d': INTERVAL 1 DAY}}",
    "MAP {'k': 1.50::DECIMAL(5, 2)}",
    "[1, 2]::INTEGER[2]",
    "union_value(n := 2)",
    "'\\xAA'::BLOB::VARCHAR",
    "'{\"a\": [1, 2.50]}'::JSON",
    "'closed'::ENUM ('open', 'closed')",
    "(2::HUGEINT ** 100)::HUGEINT",
    "170141183460469231731687303715884105727::HUGEINT",
    "340282366920938463463374607431768211455::UHUGEINT",
    "0.12345678901234567890::DECIMAL(38, 20)",
    "12345678901234567890123456789012345678::DECIMAL(38, 0)",
    "'nan'::DOUBLE",
    "'-inf'::DOUBLE",
)
POSTGRES = (
    "interval '24 years -3 days'",
    "interval '-1 hour'",
    "interval '100 hours'",
    "time '24:00'",
    "timetz '10:00:00.25+02'",
    "date 'infinity'",
    "date '0044-03-15 BC'",
    "date '9999-12-31'",
    "timestamp '-infinity'",
    "timestamptz '2024-01-01 00:00:00.5+02'",
    "B'101'",
    "B'10'::varbit",
    "uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
    "inet '10.0.0.1/8'",
    "macaddr '08:00:2b:01:02:03'",
    "int4range(1, 3)",
    "tstzmultirange(tstzrange('2024-01-01', NULL))",
    "ARRAY['a b', NULL, 'c\"d']",
    "ARRAY[1.50, 2]",
    "ARRAY[[1, 2], [3, 4]]",
    "ARRAY[interval '1 mon', interval '-1 day']",
    "ARRAY[date 'infinity']",
    "ARRAY[true, false]",
    "'[2:3]={1,2}'::int[]",
    "'{}'::text[]",
    "ROW(1, 'a b', NULL)::pair",
    "ARRAY['sad', 'so so']::mood[]",
    "'{\"a\": [1, 2.50]}'::jsonb",
    "'{\"a\":  1}'::json",
    "12.50::numeric::money",
    "point '(1,2)'",
    "box '(1,2),(0,0)'",
    "'fat & cat'::tsquery",
    "'a b'::tsvector",
    "'pg_class'::regclass::oid::regclass",
    "12345678901234567890123456789012345678::numeric(78, 0)",
    "2::numeric ^ 100",
    "0.12345678901234567890::numeric",
    "'NaN'::numeric",
    "'Infinity'::numeric",
    "'-Infinity'::float8",
    "'NaN'::float4",
)
MARIADB = (
    "TIMEDIFF('00:00:00', '01:00:00')",
    "CAST('-838:59:59' AS TIME)",
    "CAST('100:00:00.250' AS TIME(3))",
    "CAST('2024-01-02 10:00:00.500' AS DATETIME(3))",
    "CAST('2024-01-02' AS DATE)",
    "CAST('9999-12-31 23:59:59' AS DATETIME)",
    "JSON_EXTRACT('{\"a\": [1, 2.50]}', '$')",
    "CAST('12345678901234567890123456789012345678' AS DECIMAL(65, 0))",
    "CAST('0.12345678901234567890' AS DECIMAL(38, 20))",
    "CAST('12345678901234567.89' AS DECIMAL(38, 2))",
    "CAST('::1' AS INET6)",
    "CAST('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AS UUID)",
)


@pytest.mark.parametrize(
    ("name", "expressions", "text"),
    [("duckdb", DUCKDB, "VARCHAR"), ("postgres", POSTGRES, "text"), ("mariadb", MARIADB, "CHAR")],
)
async def test_cells_are_what_the_engine_prints(
    make_engine: Callable[[str], Engine], name: str, expressions: tuple[str, ...], text: str
) -> None:
    engine = make_engine(name)
    places = range(len(expressions))
    kinds = ", ".join(f"{expression} AS c{place}" for place, expression in enumerate(expressions))
    texts = ", ".join(f"CAST({expression} AS {text}) AS c{place}" for place, expression in enumerate(expressions))
    if isinstance(engine, Postgres):
        engine.run("CREATE TYPE pair AS (n int, name text, more text)", "CREATE TYPE mood AS ENUM ('sad', 'so so')")
    engine.run(f"CREATE VIEW kinds AS SELECT {kinds}", f"CREATE VIEW texts AS SELECT {texts}")
    if isinstance(engine, Postgres):
        engine.run(f"GRANT SELECT ON kinds, texts TO {engine.reader}")
    database = engine.open()
    shown, printed = [await database.execute(f"SELECT * FROM {view}") for view in ("kinds", "texts")]
    assert shown["error"] is None and shown["columns"] == [f"c{place}" for place in places]
    assert dict(zip(expressions, shown["rows"][0], strict=True)) == dict(
        zip(expressions, printed["rows"][0], strict=True)
    )


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        (
            "SELECT 0.1::FLOAT, 1.50::DECIMAL(5, 2), true, 7::UBIGINT, '\\x00'::BLOB",
            [0.1, 1.5, True, 7, "x'00' (1 byte)"],
        ),
        ("SELECT INTERVAL 1 DAY AS a, 2 AS a; -- the end", ["1 day", 2]),
        ("SELECT 18446744073709551615::UBIGINT, NULL", [2**64 - 1, None]),
        ("FROM (VALUES (DATE '2020-01-01'))", ["2020-01-01"]),
    ],
)
async def test_numbers_of_duckdb_stay_numbers(make_engine: Callable[[str], Engine], sql: str, row: list[Cell]) -> None:
    outcome = await make_engine("duckdb").open().execute(sql)
    assert (outcome["error"], outcome["rows"]) == (None, [row])
    if " AS a" in sql:
        assert outcome["columns"] == ["a", "a"]


async def test_order_stays_where_duckdb_casts(make_engine: Callable[[str], Engine]) -> None:
    database = make_engine("duckdb").open()
    sql = "SELECT a.n, INTERVAL (a.n) MONTH FROM nums AS a, nums AS b WHERE b.n <= 200 ORDER BY a.n DESC, b.n"
    outcome = await database.execute(sql, None)
    assert [row[0] for row in outcome["rows"]] == [2000 - place // 200 for place in range(1000)]
    assert outcome["rows"][0][1] == "166 years 8 months" and outcome["truncated"]
    assert (await database.execute("SELECT DATE 'infinity' AS d"))["rows"] == [["infinity"]]


async def test_a_wrong_query_keeps_duckdbs_own_words(make_engine: Callable[[str], Engine]) -> None:
    outcome = await make_engine("duckdb").open().execute("SELECT error('no'), INTERVAL 1 DAY")
    assert outcome["status"] in ("error", "refused") and "DESCRIBE" not in (outcome["error"] or "")


async def test_bits_and_odd_dates_of_mariadb(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("mariadb")
    assert isinstance(engine, MariaDB)
    engine.run(
        "CREATE TABLE flags (is_open BIT(1), mask BIT(64), made DATE, took TIME, made_in YEAR, rate FLOAT, "
        "raw VARBINARY(4))",
        "CREATE TABLE five (b BIT(8))",
        "INSERT INTO five VALUES (53)",
    )
    with engine.connected() as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.execute("INSERT INTO flags VALUES (b'1', ~0, '0000-00-00', '-01:00:00', 2024, 0.1, x'00ff')")
    outcome = await engine.open().execute("SELECT * FROM flags")
    assert outcome["rows"] == [[1, 2**64 - 1, "0000-00-00", "-01:00:00", 2024, 0.1, "x'00ff' (2 bytes)"]]
    computed = await engine.open().execute(
        "SELECT MAX(is_open), COALESCE(mask, 0), mask = 5, (SELECT b) FROM flags, five"
    )
    assert computed["rows"] == [[1, 2**64 - 1, 0, 53]]


async def test_an_integer_beyond_64_bits_is_exact(engine: Engine) -> None:
    if engine.name == "sqlite":
        pytest.skip("SQLite has no such integer")
    kind = {"duckdb": "HUGEINT", "postgres": "NUMERIC(78, 0)", "mariadb": "DECIMAL(65, 0)"}[engine.name]
    engine.run(f"CREATE TABLE big (n {kind})", f"INSERT INTO big VALUES ({2**64}), ({2**64 - 1})")
    if isinstance(engine, Postgres):
        engine.run(f"GRANT SELECT ON big TO {engine.reader}")
    outcome = await engine.open().execute("SELECT n FROM big ORDER BY n")
    assert outcome["rows"] == [[2**64 - 1], ["18446744073709551616"]]
