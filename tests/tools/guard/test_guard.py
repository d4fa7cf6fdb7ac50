"""The static guard on texts alone: both lists, what a refusal says, and that it never raises."""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.guard_statements import BOUNDED, HONEST, REFUSED

from route_sql.tools.guard.check import DIALECTS, check_sql, names_to_look_up
from route_sql.tools.guard.refusal import Place, Policy, UnknownDialect
from route_sql.tools.schema.records import Column, Schema, Table

CORPUS = Path(__file__).parents[1] / "corpus" / "queries.sql"
ENGINES = ("sqlite", "postgres", "mysql", "duckdb")


def each(statements: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(dialect, sql) for dialect, texts in statements.items() for sql in texts]


@pytest.mark.parametrize(("dialect", "sql"), each(REFUSED))
def test_refused(dialect: str, sql: str) -> None:
    refusal = check_sql(sql, None, dialect)
    assert refusal is not None
    assert refusal.message and len(refusal.message) < 300


@pytest.mark.parametrize(("dialect", "sql"), each(HONEST) + each(BOUNDED))
def test_not_refused(dialect: str, sql: str) -> None:
    assert check_sql(sql, None, dialect) is None


def test_our_corpus_passes() -> None:
    queries = re.split(r"\n{2,}", CORPUS.read_text().strip())
    assert len(queries) > 20
    assert [query for query in queries if check_sql(query, None, "sqlite")] == []


@pytest.mark.parametrize(
    ("variable", "files", "key"),
    [("ROUTE_SQL_SPIDER", ("dev.json", "train_spider.json"), "query"), ("ROUTE_SQL_BIRD", ("train.json",), "SQL")],
)
def test_no_gold_is_refused(variable: str, files: tuple[str, ...], key: str) -> None:
    if not (folder := os.environ.get(variable)):
        pytest.skip(f"{variable} does not name the data set's folder")
    gold = {entry[key] for file in files for entry in json.loads((Path(folder) / file).read_text())}
    assert len(gold) > 1_000
    assert [(sql, refusal) for sql in gold if (refusal := check_sql(sql, None, "sqlite"))] == []


@pytest.mark.parametrize(
    ("dialect", "sql", "code", "node", "place"),
    [
        ("sqlite", "DROP TABLE emp", "statement", "DROP TABLE", (1, 1)),
        ("sqlite", "WITH d AS (SELECT 1)\nDELETE FROM emp", "statement", "DELETE", (2, 1)),
        ("sqlite", "SELECT 1;\nSELECT 2", "several_statements", ";", (1, 9)),
        ("postgres", "WITH x AS (DELETE FROM emp RETURNING id) SELECT id FROM x", "clause", "DELETE", (1, 24)),
        ("postgres", "SELECT a\nFROM emp\nFOR UPDATE", "clause", "LOCK", None),
        ("sqlite", "SELECT a,\n  load_extension('x')", "function", "load_extension", (2, 3)),
        ("sqlite", "SELECT 1 FROM main.sqlite_master", "system_catalog", "main.sqlite_master", (1, 15)),
        ("duckdb", "SELECT 1 FROM 'x.csv'", "file", "x.csv", None),
        ("mysql", "SELECT /*!50000 1 */", "ambiguous_text", "/*!50000 1", (1, 8)),
        ("sqlite", "SELECT name FROM", "unparsable", "text", (1, 17)),
        ("sqlite", "SELECT 'a", "unparsable", "text", None),
        ("sqlite", " -- nothing", "unparsable", "text", None),
        ("sqlite", "SELECT " + " " * 100_000 + "1", "too_large", "text", None),
    ],
)
def test_what_a_refusal_says(dialect: str, sql: str, code: str, node: str, place: tuple[int, int] | None) -> None:
    refusal = check_sql(sql, None, dialect)
    assert refusal is not None
    assert (refusal.code, refusal.node) == (code, node)
    if place is not None:
        assert refusal.place == Place(*place)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=st.text())
def test_it_never_raises(dialect: str, text: str) -> None:
    check_sql(text, None, dialect)


DEPTHS = (20, 60, 100, 200, 400, 2_000)
DEEP = {
    "brackets": ("(", "1", ")"),
    "selects": ("(SELECT ", "1", ")"),
    "tables": ("1 FROM (SELECT ", "1", ")"),
    "calls": ("abs(", "1", ")"),
    "cases": ("CASE WHEN 1=1 THEN ", "1", " END"),
    "casts": ("CAST(", "1", " AS INT)"),
    "dots": ("a", "", ".a"),
    "sums": ("1+", "1", ""),
    "nots": ("NOT ", "1", ""),
    "unions": ("1 UNION SELECT ", "1", ""),
    "lists": ("[", "1", "]"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", DEEP)
def test_no_depth_is_too_deep(dialect: str, kind: str) -> None:
    opening, inner, closing = DEEP[kind]
    for depth in DEPTHS:
        sql = "SELECT " + opening * depth + inner + closing * depth
        check_sql(sql, SHOP, dialect)
        names_to_look_up(sql, dialect)


WORDS = st.sampled_from(
    "SELECT FROM WHERE ( ) , . ; 'a' \" ` [ ] $$ $ -- /* */ # \\ \r \n WITH AS a b sleep pg_sleep INTO UPDATE IN * "
    "= :: {# #} @ @@ ? : CAST CASE END JOIN ON UNION 1 e' x' | && @> -> FOR VALUES OVER INTERVAL NOT".split(" ")
)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(words=st.lists(WORDS, max_size=25))
def test_it_never_raises_on_pieces_of_sql(dialect: str, words: list[str]) -> None:
    check_sql("SELECT " + " ".join(words), None, dialect)


def test_a_policy_widens_and_narrows() -> None:
    assert check_sql("SELECT name FROM sqlite_master", None, "sqlite", Policy(system_catalogs=True)) is None
    assert check_sql("SELECT my_own(1)", None, "sqlite") is not None
    assert check_sql("SELECT my_own(1)", None, "sqlite", Policy(functions=frozenset({"my_own"}))) is None
    narrow = Policy(only_shown=True)
    assert check_sql("SELECT 1 FROM other", SHOP, "sqlite", narrow).code == "unknown_name"  # type: ignore[union-attr]
    assert check_sql("WITH other AS (SELECT 1) SELECT 1 FROM other, Item, main.item", SHOP, "sqlite", narrow) is None
    assert check_sql("SELECT 1 FROM other", SHOP, "sqlite").code == "unknown_name"  # type: ignore[union-attr]
    assert check_sql("SELECT 1 FROM other", None, "sqlite") is None


SHOP = Schema("sqlite", (Table("item", (Column("name", "TEXT"),)), Table("a.csv", (Column("x", "TEXT"),))))


def test_the_schema_shows_what_names_are_tables() -> None:
    assert check_sql('SELECT * FROM "a.csv"', None, "duckdb") is not None
    assert check_sql('SELECT * FROM "a.csv"', SHOP, "duckdb") is None
    assert check_sql("SELECT * FROM item('word')", None, "sqlite") is not None
    assert check_sql("SELECT * FROM item('word')", SHOP, "sqlite") is None


def test_an_unknown_dialect_is_the_users_fault() -> None:
    with pytest.raises(UnknownDialect, match="it knows sqlite, postgres, mysql, duckdb, tsql"):
        check_sql("SELECT 1", None, "oracle")
