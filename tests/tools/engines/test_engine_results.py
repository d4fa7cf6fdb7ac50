"""What comes back from each engine: plain rows, caps, digests that compare across engines, errors as data."""

from collections.abc import Callable

import pytest
from support.engine_cases import Engine, Postgres

from route_sql.tools.database.running.rows import result_digest
from route_sql.tools.limits import Limits

PEOPLE = "SELECT id, name, salary, rate, born, seen FROM emp ORDER BY id"


async def test_rows_are_plain(engine: Engine) -> None:
    outcome = await engine.open().execute(PEOPLE)
    assert (outcome["status"], outcome["error"], outcome["truncated"]) == ("ok", None, False)
    assert outcome["columns"] == ["id", "name", "salary", "rate", "born", "seen"]
    assert outcome["rows"] == [
        [1, "Ann", 10.5, 0.1, "1990-02-03", "2024-01-02 10:00:00"],
        [2, "Zo\u00eb", 20, 2, None, None],
        [3, "Bob", None, None, None, None],
    ]


@pytest.mark.parametrize(
    "sql",
    [
        PEOPLE,
        "SELECT salary, name FROM emp",
        "SELECT COUNT(*), SUM(n), SUM(n) / 16.0, AVG(n) FROM nums",
        "SELECT n, n * 1.0, n * 0.1 FROM nums WHERE n < 20",
        "SELECT d.name, COUNT(e.id) FROM dept d LEFT JOIN emp e ON e.dept_id = d.id GROUP BY d.name",
    ],
)
@pytest.mark.parametrize("name", ["duckdb", "postgres", "mariadb"])
async def test_equal_results_of_two_engines_have_equal_digests(
    make_engine: Callable[[str], Engine], name: str, sql: str
) -> None:
    found = await make_engine(name).open().execute(sql)
    expected = await make_engine("sqlite").open().execute(sql)
    assert found["digest"] == expected["digest"] is not None
    assert found["digest"] != result_digest([])


async def test_no_rows_is_empty(engine: Engine) -> None:
    outcome = await engine.open().execute("SELECT name FROM emp WHERE id > 9")
    assert (outcome["status"], outcome["columns"], outcome["rows"]) == ("empty", ["name"], [])
    assert outcome["digest"] == result_digest([])


async def test_caps_hold_and_the_connection_serves_on(engine: Engine) -> None:
    database = engine.open(pool=1)
    rows = await database.execute("SELECT n FROM nums", Limits(rows=10))
    assert (rows["row_count"], rows["truncated"], rows["status"]) == (10, True, "ok")
    exact = await database.execute("SELECT n FROM nums WHERE n <= 10", Limits(rows=10))
    assert (exact["row_count"], exact["truncated"]) == (10, False)
    whole = await database.execute("SELECT n FROM nums WHERE n <= 1500", Limits(rows=2_000))
    assert (whole["row_count"], whole["truncated"]) == (1500, False)
    cell = await database.execute(
        "SELECT REPLACE('aaaaaaaaaa', 'a', 'bbbbbbbbbb') AS word FROM dept", Limits(cell_chars=20)
    )
    assert cell["truncated"] and cell["rows"] == [["b" * 19 + "…"]] * 2
    size = await database.execute(
        "SELECT REPLACE('aaaaaaaaaa', 'a', 'bbbbbbbbbb') AS word FROM nums", Limits(result_bytes=1_000)
    )
    assert (size["row_count"], size["truncated"]) == (10, True)
    assert (await database.execute("SELECT COUNT(*) FROM nums"))["rows"] == [[2000]]


@pytest.mark.parametrize(
    "sql", ["SELECT nope FROM emp", "SELECT 1 FROM nowhere", "SELECT name FROM emp WHERE", "", "-- no"]
)
async def test_what_is_wrong_with_the_sql_is_an_outcome(engine: Engine, sql: str) -> None:
    database = engine.open(pool=1)
    outcome = await database.execute(sql)
    assert outcome["status"] == "error" and outcome["error"]
    assert (await database.execute("SELECT id FROM dept ORDER BY id"))["rows"] == [[1], [2]]


async def test_the_engine_says_which_name_is_wrong(engine: Engine) -> None:
    outcome = await engine.open().execute("SELECT nope FROM emp")
    assert outcome["error"] is not None and "nope" in outcome["error"] and "\n" not in outcome["error"]


async def test_percent_signs_and_colons_are_text(engine: Engine) -> None:
    outcome = await engine.open().execute("SELECT name FROM emp WHERE name LIKE 'A%' AND name <> '%s :x %(a)s'")
    assert outcome["rows"] == [["Ann"]]


async def test_half_a_surrogate_pair_is_an_outcome(engine: Engine) -> None:
    assert (await engine.open().execute("SELECT '\ud800'"))["status"] == "error"


async def test_types_of_postgres_are_plain(make_engine: Callable[[str], Engine]) -> None:
    engine = make_engine("postgres")
    assert isinstance(engine, Postgres)
    outcome = await engine.open().execute(
        """SELECT 12.50::numeric, 1e30::numeric, 'NaN'::numeric, 'infinity'::date, '2024-05-06 07:08:09+00'::timestamptz
           AT TIME ZONE 'UTC', ARRAY['a', NULL], ARRAY[1.5, 2], '{"b": [1]}'::jsonb, '[1,3)'::int4range,
           '\\x00ff'::bytea, '1 day'::interval, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, true,
           'infinity'::float8, '10.0.0.1'::inet"""
    )
    assert outcome["rows"] == [
        [
            12.5,
            str(10**30),
            "NaN",
            "infinity",
            "2024-05-06 07:08:09",
            "{a,NULL}",
            "{1.5,2}",
            '{"b": [1]}',
            "[1,3)",
            "x'00ff' (2 bytes)",
            "1 day",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            True,
            "Infinity",
            "10.0.0.1",
        ]
    ]
