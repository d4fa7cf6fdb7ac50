import os
from pathlib import Path

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.limits import Limits
from route_sql.training.datasets.data_set import DataSet, open_data_set
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy, drop_distinct, has_order_by

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) SELECT i FROM n"


def example(sql: str) -> Example:
    return Example(0, "shop", "?", "", sql)


@pytest.mark.parametrize(
    ("gold", "predicted", "spider", "bird"),
    [
        ("SELECT name, city FROM customer", "SELECT city, name FROM customer", True, False),
        ("SELECT name FROM customer", "SELECT name FROM customer ORDER BY name DESC", True, True),
        (
            "SELECT name FROM customer ORDER BY name",
            "SELECT name FROM customer ORDER BY name DESC",
            False,
            True,
        ),
        ("SELECT name FROM customer ORDER BY name", "SELECT name FROM customer ORDER BY id", True, True),
        ("SELECT DISTINCT city FROM customer", "SELECT city FROM customer", True, True),
        ("SELECT city FROM customer GROUP BY city", "SELECT city FROM customer", False, True),
        ("SELECT count(DISTINCT city) FROM customer", "SELECT count(city) FROM customer", True, False),
        ("SELECT count(*) FROM customer", "SELECT 4.0", True, True),
        ("SELECT count(*) FROM customer", "SELECT '4'", False, False),
        ("SELECT name FROM customer WHERE id > 9", "SELECT id, city FROM customer WHERE id > 9", True, True),
        ("SELECT name FROM customer WHERE id > 9", "SELECT name FROM customer", False, False),
        ("SELECT name FROM customer", "SELECT name, city FROM customer", False, False),
        ("SELECT name FROM customer", "SELECT nam FROM customer", False, False),
        ("SELECT name FROM customer", "SELECT", False, False),
        ("SELECT name FROM customer", "DELETE FROM customer", False, False),
        ("SELECT name FROM customer", "", False, False),
        ("SELECT name FROM customer", None, False, False),
    ],
)
async def test_by_hand(catalog: Catalog, gold: str, predicted: str | None, spider: bool, bird: bool) -> None:
    for metric, right in (("spider", spider), ("bird", bird)):
        scorer = ExecutionAccuracy(catalog, metric="bird" if metric == "bird" else "spider")
        verdict = await scorer.score(example(gold), predicted)
        assert verdict.correct is right, verdict
        assert (verdict.reason is None) is right


async def test_distinct_is_kept_when_asked(catalog: Catalog) -> None:
    scorer = ExecutionAccuracy(catalog, keep_distinct=True)
    verdict = await scorer.score(example("SELECT DISTINCT city FROM customer"), "SELECT city FROM customer")
    assert verdict.reason == "rows: 4, the gold has 3"


@pytest.mark.parametrize(
    ("predicted", "reason"),
    [
        ("SELECT name FROM product", "rows: 3, the gold has 4"),
        ("SELECT a.name FROM customer a, customer b", "rows: at least 5, the gold has 4"),
        ("SELECT name, id FROM customer", "columns: 2, the gold has 1"),
        ("SELECT city FROM customer", "values differ from the gold's"),
        (" ", "no SQL"),
    ],
)
async def test_the_reason_is_told(catalog: Catalog, predicted: str, reason: str) -> None:
    verdict = await ExecutionAccuracy(catalog).score(example("SELECT name FROM customer"), predicted)
    assert verdict.reason == reason


async def test_an_error_keeps_its_status_and_text(catalog: Catalog) -> None:
    scorer = ExecutionAccuracy(catalog)
    verdict = await scorer.score(example("SELECT 1"), "SELECT nothing FROM customer")
    assert verdict.status == "error"
    assert verdict.reason is not None and "nothing" in verdict.reason


async def test_an_endless_prediction_is_stopped(catalog: Catalog) -> None:
    scorer = ExecutionAccuracy(catalog, limits=Limits(seconds=0.2))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    verdict = await scorer.score(example("SELECT 1"), endless)
    assert (verdict.correct, verdict.status) == (False, "timeout")


async def test_a_prediction_beyond_the_limits_is_wrong(catalog: Catalog) -> None:
    scorer = ExecutionAccuracy(catalog, metric="bird", limits=Limits(rows=50))
    verdict = await scorer.score(example("SELECT i % 5 FROM (" + NUMBERS.format(20) + ")"), NUMBERS.format(51))
    assert verdict.reason == "too large: the result exceeds the limits of scoring"


@pytest.mark.parametrize("gold", ["SELECT nothing FROM customer", NUMBERS.format(51)])
async def test_gold_that_fails_or_is_too_large_is_reported(catalog: Catalog, gold: str) -> None:
    verdict = await ExecutionAccuracy(catalog, limits=Limits(rows=50)).score(example(gold), gold)
    assert verdict.gold_fault
    assert not verdict.correct


async def test_long_cells_are_compared_to_their_end(catalog: Catalog) -> None:
    long = "SELECT replace(hex(zeroblob(100000)), '0', 'x') || '{}'"
    verdict = await ExecutionAccuracy(catalog).score(example(long.format("a")), long.format("b"))
    assert verdict.reason == "values differ from the gold's"
    assert (await ExecutionAccuracy(catalog).score(example(long.format("a")), long.format("a"))).correct


@pytest.mark.parametrize(
    ("sql", "dropped"),
    [
        ("SELECT DISTINCT a FROM t", "SELECT  a FROM t"),
        ("select count(distinct a), 'distinct' FROM t", "select count( a), 'distinct' FROM t"),
        ('SELECT "distinct", `distinct`, [distinct] FROM t', None),
        ("SELECT a -- not distinct\nFROM t", None),
        ("SELECT 'it''s distinct' FROM t", None),
        ("SELECT a IS DISTINCT FROM b, a IS NOT DISTINCT FROM b FROM t", None),
        ("SELECT 'é', DISTINCT x", "SELECT 'é',  x"),
        ("SELECT 'unclosed DISTINCT", None),
        ("", None),
    ],
)
def test_drop_distinct(sql: str, dropped: str | None) -> None:
    assert drop_distinct(sql, "sqlite") == (sql if dropped is None else dropped)


@pytest.mark.parametrize(
    ("dialect", "sql", "dropped"),
    [
        ("postgres", "SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b", None),
        ("duckdb", "SELECT count(*) FROM (SELECT distinct on (lower(a)) * FROM t)", None),
        ("mysql", "SELECT COUNT(DISTINCT a, f(b)) FROM t", None),
        ("mysql", "SELECT COUNT(DISTINCT f(a, b)), c FROM t", "SELECT COUNT( f(a, b)), c FROM t"),
        ("mysql", "SELECT GROUP_CONCAT(DISTINCT a, b) FROM t", "SELECT GROUP_CONCAT( a, b) FROM t"),
        ("postgres", "SELECT DISTINCT a FROM t JOIN u ON true", "SELECT  a FROM t JOIN u ON true"),
    ],
)
def test_distinct_stays_where_the_query_needs_it(dialect: str, sql: str, dropped: str | None) -> None:
    assert drop_distinct(sql, dialect) == (sql if dropped is None else dropped)


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("SELECT a FROM t order  by a", True),
        ("SELECT a FROM t WHERE b IN (SELECT b FROM u ORDER\nBY b LIMIT 1)", True),
        ("SELECT 'order by' FROM t", False),
        ("SELECT a FROM t -- order by a", False),
        ("SELECT a FROM t GROUP BY a", False),
    ],
)
def test_has_order_by(sql: str, ordered: bool) -> None:
    assert has_order_by(sql, "sqlite") is ordered


async def test_gold_tables(catalog: Catalog, examples: list[Example]) -> None:
    scorer = ExecutionAccuracy(catalog)
    assert [await scorer.gold_tables(one) for one in examples] == [1, 1, 1, 2, 2, 3]


@pytest.mark.skipif("ROUTE_SQL_SPIDER" not in os.environ, reason="ROUTE_SQL_SPIDER names no Spider folder")
async def test_all_gold_of_spider_dev_is_right() -> None:
    folder = Path(os.environ["ROUTE_SQL_SPIDER"])
    async with open_data_set(DataSet("spider", folder / "dev.json", folder / "database")) as source:
        scorer = ExecutionAccuracy(source.catalog)
        wrong = [one.index for one in source.examples if not (await scorer.score(one, one.sql)).correct]
    assert wrong == []


async def test_two_ways_to_a_mean_are_equal_where_decimals_have_many_digits(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    from route_sql.tools.database.duckdb.database import DuckDBDatabase

    file = tmp_path / "shop.duckdb"
    duckdb.connect(str(file)).close()
    gold, same = "SELECT 3.33333333333333333333::DECIMAL(38, 20)", "SELECT 10.0::DOUBLE / 3"
    async with Catalog({"shop": DuckDBDatabase("shop", file)}) as catalog:
        for metric in ("spider", "bird"):
            scorer = ExecutionAccuracy(catalog, metric="bird" if metric == "bird" else "spider")
            assert (await scorer.score(example(gold), same)).correct
            assert not (await scorer.score(example(gold), "SELECT 3.34")).correct


@pytest.mark.parametrize(
    ("gold", "predicted", "right"),
    [
        ("SELECT '1.10'", "SELECT '1.1'", False),
        ("SELECT '1.10'", "SELECT '1.10'", True),
        ("SELECT '2.50'", "SELECT 2.5", False),
        ("SELECT 1.50::DECIMAL(10, 2)", "SELECT 1.5::DOUBLE", True),
        ("SELECT DISTINCT ON (a) a, b FROM (VALUES (1, 2), (1, 3)) t(a, b) ORDER BY a, b", "SELECT 1, 2", True),
        ("SELECT DISTINCT ON (a) a, b FROM (VALUES (1, 2), (1, 3)) t(a, b) ORDER BY a, b", "SELECT 1, 3", False),
    ],
)
async def test_texts_and_decimals_of_duckdb(tmp_path: Path, gold: str, predicted: str, right: bool) -> None:
    duckdb = pytest.importorskip("duckdb")
    from route_sql.tools.database.duckdb.database import DuckDBDatabase

    file = tmp_path / "shop.duckdb"
    duckdb.connect(str(file)).close()
    async with Catalog({"shop": DuckDBDatabase("shop", file)}) as catalog:
        score = await ExecutionAccuracy(catalog).score(example(gold), predicted)
    assert (score.correct, score.gold_fault) == (right, False)
