import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.schema.rights.visibility import Visibility
from route_sql.training.datasets.data_set import DataSet, open_data_set
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy, Metric
from route_sql.training.evaluation.scores.suite.suite_accuracy import SuiteAccuracy
from route_sql.training.evaluation.scores.suite.tied_order import determined, settled_ties

PEOPLE = """
CREATE TABLE person (id INT PRIMARY KEY, name TEXT, age INT, city TEXT, year INT);
CREATE TABLE visit (id INT PRIMARY KEY, person_id INT REFERENCES person (id), ward TEXT);
"""


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    """People in the order of their age, none before 2014, each with a city; two thirds of them have a visit."""
    path = tmp_path / "people.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(PEOPLE)
        people = [(n, f"Name {n}", 20 + n, f"City {n % 5}", 2014 + n % 3) for n in range(30)]
        connection.executemany("INSERT INTO person VALUES (?, ?, ?, ?, ?)", people)
        connection.executemany("INSERT INTO visit VALUES (?, ?, ?)", [(n, n, f"Ward {n % 3}") for n in range(20)])
    async with Catalog({"people": SQLiteDatabase("people", path)}) as catalog:
        yield catalog


def example(sql: str, *accepted: str) -> Example:
    return Example(0, "people", "?", "", sql, accepted=accepted)


@pytest.mark.parametrize(
    ("gold", "wrong"),
    [
        ("SELECT name FROM person WHERE year >= 2014", "SELECT name FROM person"),
        ("SELECT count(*) FROM person", "SELECT count(city) FROM person"),
        ("SELECT name FROM person ORDER BY age", "SELECT name FROM person"),
        ("SELECT name FROM person ORDER BY age LIMIT 3", "SELECT name FROM person LIMIT 3"),
        ("SELECT count(*) FROM visit", "SELECT 20"),
        ("SELECT max(age) FROM person", "SELECT 49"),
        ("SELECT p.name FROM person p JOIN visit v ON v.person_id = p.id", "SELECT name FROM person WHERE id < 20"),
        ("SELECT name FROM person WHERE age > 30", "SELECT name FROM person WHERE id > 10"),
    ],
)
async def test_right_by_accident_is_wrong_on_the_suite(catalog: Catalog, tmp_path: Path, gold: str, wrong: str) -> None:
    assert (await ExecutionAccuracy(catalog).score(example(gold), wrong)).correct
    async with SuiteAccuracy(catalog, tmp_path / "suite") as suite:
        assert not await suite.score(example(gold), wrong)
        assert await suite.score(example(gold), gold)


@pytest.mark.parametrize(
    ("gold", "same"),
    [
        (
            "SELECT name FROM person WHERE age IS NOT NULL ORDER BY age DESC LIMIT 1",
            "SELECT name FROM person WHERE age IN (SELECT max(age) FROM person) LIMIT 1",
        ),
        (
            "SELECT p.name FROM person p JOIN visit v ON v.person_id = p.id",
            "SELECT name FROM visit AS v, person WHERE person_id = person.id",
        ),
        (
            "SELECT ward, count(*) FROM visit GROUP BY ward ORDER BY count(*) DESC LIMIT 1",
            "SELECT v.ward, count(v.id) AS n FROM person p JOIN visit v ON p.id = v.person_id GROUP BY 1 "
            "ORDER BY n DESC LIMIT 1",
        ),
        ("SELECT count(*) FROM visit", "SELECT count(*) FROM visit v JOIN person p ON v.person_id = p.id"),
        ("SELECT name FROM person ORDER BY year", "SELECT name FROM person ORDER BY year, id"),
    ],
)
async def test_equal_queries_are_right_on_the_suite(catalog: Catalog, tmp_path: Path, gold: str, same: str) -> None:
    async with SuiteAccuracy(catalog, tmp_path / "suite") as suite:
        assert await suite.score(example(gold), same)
        assert await suite.counting(example(gold)) >= 5


async def test_a_clone_counts_where_the_gold_returns_rows(catalog: Catalog, tmp_path: Path) -> None:
    async with SuiteAccuracy(catalog, tmp_path / "suite") as suite:
        assert await suite.counting(example("SELECT count(*) FROM person")) == 20
        assert 0 < await suite.counting(example("SELECT name FROM person WHERE name = 'Name 7'")) < 20
        none = example("SELECT name FROM person WHERE age > 1000")
        assert await suite.counting(none) == 0
        assert await suite.score(none, "SELECT name FROM person WHERE age > 2000")


async def test_ties_that_decide_do_not_count(catalog: Catalog, tmp_path: Path) -> None:
    tied = "SELECT name FROM person ORDER BY length(city) LIMIT 1"  # all cities are as long
    async with SuiteAccuracy(catalog, tmp_path / "suite") as suite:
        # Only where a single city is NULL, which is first, the ties don't decide.
        assert await suite.counting(example(tied)) <= 4
        assert await suite.counting(example("SELECT name FROM person ORDER BY length(city)")) == 20


async def test_any_accepted_query_is_right_on_the_suite(catalog: Catalog, tmp_path: Path) -> None:
    two = example("SELECT name FROM person", "SELECT name, age FROM person")
    async with SuiteAccuracy(catalog, tmp_path / "suite") as suite:
        assert await suite.score(two, "SELECT name, age FROM person")
        assert await suite.score(two, "SELECT name FROM person")
        assert not await suite.score(two, "SELECT name, year FROM person")


@pytest.mark.parametrize(("metric", "right"), [("spider", True), ("bird", False)])
async def test_the_metric_is_that_of_the_data_set(
    catalog: Catalog, tmp_path: Path, metric: Metric, right: bool
) -> None:
    async with SuiteAccuracy(catalog, tmp_path / "suite", metric=metric) as suite:
        assert await suite.score(example("SELECT name, age FROM person"), "SELECT age, name FROM person") is right


async def test_a_database_that_can_not_be_cloned_is_said_before_anything_is_asked(
    catalog: Catalog, tmp_path: Path
) -> None:
    hidden = Catalog({"people": catalog.get("people")}, visibility={"people": Visibility(hide=("person.age",))})
    with pytest.raises(EvaluationError, match="whole SQLite files, which 'people' is not .a part of it is hidden."):
        await SuiteAccuracy(hidden, tmp_path / "suite").prepare(["people"])
    await SuiteAccuracy(catalog, tmp_path / "suite").prepare(["people", "not there"])
    duckdb = pytest.importorskip("duckdb")
    from route_sql.tools.database.duckdb.database import DuckDBDatabase

    duckdb.connect(str(tmp_path / "shop.duckdb")).close()
    async with Catalog({"shop": DuckDBDatabase("shop", tmp_path / "shop.duckdb")}) as other:
        with pytest.raises(EvaluationError, match="'shop' is not .it is duckdb.; leave --suite out"):
            await SuiteAccuracy(other, tmp_path / "suite").prepare(["shop"])


@pytest.mark.parametrize(
    ("sql", "columns", "least"),
    [
        ("SELECT a FROM t ORDER BY b LIMIT 1", 1, "SELECT a FROM t ORDER BY b, 1 ASC LIMIT 1"),
        ("SELECT * FROM t ORDER BY b", 2, "SELECT * FROM t ORDER BY b, 1 ASC, 2 ASC"),
        (
            "SELECT a FROM t WHERE b = (SELECT c FROM u ORDER BY d LIMIT 1)",
            1,
            "SELECT a FROM t WHERE b = (SELECT c FROM u ORDER BY d, 1 ASC LIMIT 1)",
        ),
        ("SELECT rank() OVER (ORDER BY a) FROM t", 1, None),
        ("SELECT a FROM t", 1, None),
        ("SELECT FROM ORDER BY (", 1, None),
    ],
)
def test_settled_ties(sql: str, columns: int, least: str | None) -> None:
    settled = settled_ties(sql, "sqlite", columns)
    assert settled == ((least, least.replace("ASC", "DESC")) if least else None)


def test_determined() -> None:
    assert determined([[1], [2]], [[1], [2]]) == "list"
    assert determined([[1], [2]], [[2], [1]]) == "rows"
    assert determined([[1]], [[2]]) is None


@pytest.mark.skipif("ROUTE_SQL_SPIDER" not in os.environ, reason="ROUTE_SQL_SPIDER names no Spider folder")
async def test_gold_of_spider_dev_is_right_on_the_suite(tmp_path: Path) -> None:
    folder = Path(os.environ["ROUTE_SQL_SPIDER"])
    async with (
        open_data_set(DataSet("spider", folder / "dev.json", folder / "database")) as source,
        SuiteAccuracy(source.catalog, tmp_path / "suite") as suite,
    ):
        some = source.examples[::25]
        assert [one.index for one in some if not await suite.score(one, one.sql)] == []
        assert sum([await suite.counting(one) for one in some]) / len(some) > 10
