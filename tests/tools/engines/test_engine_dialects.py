"""SQL that an engine takes and sqlglot's parsers don't: it runs as written, with hidden columns and without."""

from collections.abc import Callable
from typing import Any

import pytest
from support.engine_cases import Engine

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.guard.check import check_sql
from route_sql.tools.schema.rights.visibility import Visibility

JSON = (
    "JSON_TABLE('[{\"a\": 1}]', '$[*]' COLUMNS (a INT PATH '$.a', b INT PATH '$.b' DEFAULT '7' ON EMPTY NULL ON ERROR"
)
STATEMENTS: dict[str, dict[str, Any]] = {
    "postgres": {
        "SELECT a FROM emp, ROWS FROM (generate_series(1, 1), generate_series(2, 2)) AS t(a, b) WHERE id = 1": [[1]],
        "SELECT @ -5": [[5]],
        "SELECT @ (id - 3), |/ 4.0 FROM emp WHERE id = 1": [[2, 2.0]],
    },
    "mariadb": {
        "SELECT CAST(id AS UNSIGNED INT), CAST(id AS SIGNED INTEGER) FROM emp WHERE id = 1": [[1, 1]],
        "SELECT id, count(*) FROM emp GROUP BY id DESC": [[3, 1], [2, 1], [1, 1]],
        "SELECT id FROM emp GROUP BY id DESC, salary ASC LIMIT 1": [[3]],
        "SELECT id, count(*) FROM emp GROUP BY id DESC WITH ROLLUP": [[3, 1], [2, 1], [1, 1], [None, 3]],
        "VALUES (1), (2)": [[1], [2]],
        "VALUES (1), (2) UNION SELECT id FROM emp ORDER BY 1": [[1], [2], [3]],
        "SELECT * FROM (VALUES (1), (2)) AS v": [[1], [2]],
        f"SELECT * FROM {JSON}, c INT EXISTS PATH '$.a')) AS j": [[1, 7, 1]],
    },
    "sqlite": {
        "SELECT CAST(id AS UNSIGNED BIG INT), CAST('12x' AS LONG VARCHAR(9)) FROM emp WHERE id = 1": [[1, "12x"]],
        "SELECT CAST('2.5' AS DOUBLE PRECISION), CAST(7 AS NATIVE CHARACTER (70))": [[2.5, "7"]],
    },
    "duckdb": {
        "PIVOT (SELECT id, dept_id FROM emp) ON dept_id USING count(*) GROUP BY id ORDER BY id LIMIT 1": [[1, 1, 0]],
        "PIVOT dept ON id USING max(length(name)) GROUP BY name ORDER BY name": [
            ["Legal", None, 5],
            ["Sales", 5, None],
        ],
        "PIVOT dept ON id IN (1, 2) USING count(*) GROUP BY name ORDER BY ALL LIMIT 1": [["Legal", 0, 1]],
        "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME n VALUE v": [["a", 1], ["b", 2]],
        "UNPIVOT dept ON COLUMNS(* EXCLUDE (name)) INTO NAME n VALUE v ORDER BY v LIMIT 1": [["Sales", "id", 1]],
        "WITH e AS (SELECT * FROM dept) PIVOT e ON id USING count(*) GROUP BY name ORDER BY 1 LIMIT 1": [
            ["Legal", 0, 1]
        ],
        "WITH p AS (PIVOT dept ON id USING count(*) GROUP BY name) SELECT name FROM p ORDER BY 1": [
            ["Legal"],
            ["Sales"],
        ],
        "SELECT count(*) FROM (PIVOT dept ON id USING count(*))": [[2]],
    },
}
CASES = [(name, sql, rows) for name, statements in STATEMENTS.items() for sql, rows in statements.items()]
SPIES = {
    "postgres": ["SELECT @ salary FROM emp", "SELECT @salary FROM emp"],
    "mariadb": [
        "SELECT id FROM emp GROUP BY salary DESC",
        "SELECT CAST(salary AS UNSIGNED INT) FROM emp",
        "VALUES ((SELECT max(salary) FROM emp)), (2)",
        "VALUES (1), (2) UNION SELECT salary FROM emp",
        "SELECT (SELECT id FROM emp ORDER BY salary DESC LIMIT 1) FROM dept GROUP BY id DESC",
    ],
    "sqlite": ["SELECT CAST(salary AS UNSIGNED BIG INT) FROM emp"],
    "duckdb": [
        "PIVOT emp ON salary",
        "PIVOT emp ON id USING max(salary)",
        "PIVOT emp ON dept_id IN (SELECT salary FROM emp) USING count(*)",
        "UNPIVOT emp ON salary INTO NAME n VALUE v",
        "UNPIVOT emp ON COLUMNS(* EXCLUDE (name, born, seen, id, dept_id, rate)) INTO NAME n VALUE v",
        "PIVOT (SELECT salary FROM emp) ON salary",
        "WITH e AS (SELECT * FROM emp) PIVOT e ON salary USING count(*)",
        "PIVOT emp ON dept_id USING count(*) GROUP BY salary",
        "PIVOT emp ON dept_id USING count(*) ORDER BY salary",
    ],
}


@pytest.mark.parametrize(("name", "sql", "rows"), CASES)
async def test_it_runs_as_written(
    make_engine: Callable[[str], Engine], name: str, sql: str, rows: list[list[object]]
) -> None:
    whole = make_engine(name).open()
    outcome = await whole.execute(sql)
    assert (outcome["error"], outcome["rows"]) == (None, rows)
    hidden = VisibleDatabase(whole, Visibility(hide=("emp.rate",)))
    assert (await hidden.execute(sql))["rows"] == rows


@pytest.mark.parametrize("name", list(SPIES))
async def test_it_shows_nothing_hidden(make_engine: Callable[[str], Engine], name: str) -> None:
    engine = make_engine(name)
    engine.run("UPDATE emp SET salary = 314159")
    database = VisibleDatabase(engine.open(), Visibility(hide=("emp.salary",)))
    for sql in SPIES[name]:
        outcome = await database.execute(sql)
        assert "314159" not in str(outcome), sql
        assert outcome["status"] != "ok", sql


async def test_a_pivot_leaves_nothing_behind(make_engine: Callable[[str], Engine]) -> None:
    database = make_engine("duckdb").open(pool=1, guard=False)
    assert (await database.execute("PIVOT dept ON id USING count(*)"))["status"] == "ok"
    assert (await database.execute("SELECT type_name FROM duckdb_types() WHERE NOT internal"))["rows"] == []


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TEMP TABLE x AS PIVOT dept ON id USING count(*)",
        "COPY (PIVOT dept ON id USING count(*)) TO 'x.csv'",
        "SELECT 1); CREATE TEMP TABLE x AS (PIVOT dept ON id USING count(*)",
        "EXPLAIN ANALYZE PIVOT dept ON id USING count(*)",
    ],
)
async def test_only_the_query_may_be_a_pivot(make_engine: Callable[[str], Engine], sql: str) -> None:
    engine = make_engine("duckdb")
    for guard in (True, False):
        outcome = await engine.open(guard=guard).execute(sql)
        assert outcome["status"] in ("refused", "error"), sql
    assert check_sql(sql, None, "duckdb") is not None


@pytest.mark.parametrize("sql", ["SELECT 1 INTO name", "SELECT id INTO x FROM emp", "PIVOT emp ON id INTO x"])
def test_into_is_refused_but_for_the_names_of_an_unpivot(sql: str) -> None:
    assert check_sql(sql, None, "duckdb") is not None
