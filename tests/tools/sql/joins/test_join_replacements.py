"""Joins that are put on keys: those of an empty result, and those of unrelated ids."""

import sqlite3
from dataclasses import replace

import pytest
from support.library import SCHEMA, STAFF

from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.sql.joins.repair import accidental_joins, rejoin_on_keys, replace_accidental_joins


@pytest.mark.parametrize(
    ("sql", "repaired"),
    [
        pytest.param(
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.name = T2.due",
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id",
            id="words instead of keys",
        ),
        pytest.param(
            "SELECT 1 FROM hall WHERE name IN (SELECT T1.name FROM author AS T1 JOIN book AS T2 ON T1.name = T2.title)",
            "SELECT 1 FROM hall WHERE name IN (SELECT T1.name FROM author AS T1 "
            "JOIN wrote AS T3 ON T1.author_id = T3.author_id JOIN book AS T2 ON T3.book_id = T2.book_id)",
            id="link table in a subquery",
        ),
        pytest.param(
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T2.reader_id = T1.reader_id",
            None,
            id="already on a key",
        ),
        pytest.param(
            "SELECT T1.due FROM loan AS T1 JOIN wrote AS T2 ON T1.book_id = T2.book_id",
            None,
            id="columns that refer to the same table",
        ),
        pytest.param(
            "SELECT T1.name FROM author AS T1 JOIN reader AS T2 ON T1.name = T2.name", None, id="columns of one name"
        ),
        pytest.param("SELECT T1.name FROM hall AS T1 JOIN reader AS T2 ON T1.hall_id = T2.city", None, id="no path"),
        pytest.param(
            "SELECT T1.name FROM reader AS T1 JOIN (SELECT 1 AS x) AS T2 ON T1.city = T2.x",
            None,
            id="join with a subquery",
        ),
        pytest.param("SELECT name FROM reader", None, id="no join"),
        pytest.param("SELECT", None, id="half a query"),
    ],
)
def test_joins_of_an_empty_result_are_put_on_keys(sql: str, repaired: str | None, database: sqlite3.Connection) -> None:
    assert rejoin_on_keys(sql, SCHEMA) == repaired
    database.execute(repaired or "SELECT 1")


@pytest.mark.parametrize(
    ("sql", "accidental", "repaired"),
    [
        pytest.param(
            "SELECT T1.name FROM reader AS T1 JOIN book AS T2 ON T1.reader_id = T2.book_id",
            ["T1.reader_id = T2.book_id"],
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T3 ON T1.reader_id = T3.reader_id "
            "JOIN book AS T2 ON T3.book_id = T2.book_id",
            id="ids of two tables",
        ),
        pytest.param(
            "SELECT 1 FROM hall WHERE 2 IN (SELECT T2.price FROM loan AS T1 JOIN book AS T2 "
            "ON T1.loan_id = T2.book_id AND T2.price > 3)",
            ["T1.loan_id = T2.book_id"],
            "SELECT 1 FROM hall WHERE 2 IN (SELECT T2.price FROM loan AS T1 JOIN book AS T2 "
            "ON T1.book_id = T2.book_id AND T2.price > 3)",
            id="next to another condition in a subquery",
        ),
        pytest.param(
            "SELECT T2.city FROM fine AS T1 JOIN reader AS T2 ON T1.fine_id = T2.reader_id",
            [],
            None,
            id="no path replaces it",
        ),
        pytest.param(
            "SELECT 1 FROM reader AS T1 JOIN fine AS T2 ON T1.reader_id = T2.loan_id OR T2.amount > 3",
            [],
            None,
            id="under OR",
        ),
        pytest.param(
            "SELECT 1 FROM reader AS T1 JOIN fine AS T2 ON NOT T1.reader_id = T2.loan_id", [], None, id="under NOT"
        ),
        pytest.param("SELECT 1 JOIN loan AS T2 ON T1.reader_id = T2.book_id", [], None, id="no FROM clause"),
        pytest.param(
            "WITH book AS (SELECT reader_id AS book_id FROM loan) SELECT 1 FROM reader AS T1 "
            "JOIN book AS T2 ON T1.reader_id = T2.book_id",
            [],
            None,
            id="common table expression",
        ),
        pytest.param(
            "SELECT 1 FROM reader AS T1 JOIN hall AS T2 ON T1.reader_id = T2.hall_id", [], None, id="table without keys"
        ),
        pytest.param(
            "SELECT 1 FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id", [], None, id="key of one thing"
        ),
        pytest.param(
            "SELECT 1 FROM loan AS T1 JOIN wrote AS T2 ON T1.book_id = T2.book_id",
            [],
            None,
            id="both refer to the same table",
        ),
        pytest.param(
            "SELECT 1 FROM reader AS T1 JOIN loan AS T2 ON T1.name = T2.book_id", [], None, id="words are no ids"
        ),
        pytest.param(
            "SELECT 1 FROM reader AS T1, book AS T2 WHERE T1.reader_id = T2.book_id", [], None, id="equation in WHERE"
        ),
        pytest.param(
            "SELECT 1 FROM reader AS T1 JOIN (SELECT 1 AS book_id) AS T2 ON T1.reader_id = T2.book_id",
            [],
            None,
            id="join with a subquery",
        ),
        pytest.param("SELECT name FROM reader", [], None, id="no join"),
        pytest.param("SELECT", [], None, id="half a query"),
    ],
)
def test_accidental_joins_are_found_and_replaced(sql: str, accidental: list[str], repaired: str | None) -> None:
    assert accidental_joins(sql, SCHEMA) == accidental
    assert replace_accidental_joins(sql, SCHEMA) == repaired


def test_ids_are_numbers_or_texts_of_digits() -> None:
    sql = "SELECT 1 FROM reader AS T1 JOIN book AS T2 ON T1.reader_id = T2.book_id"

    def coded(type: str, *samples: str) -> Schema:
        def typed(each: Table) -> Table:
            return replace(each, columns=tuple(replace(c, type=type, samples=samples) for c in each.columns))

        return replace(SCHEMA, tables=tuple(map(typed, SCHEMA)))

    assert accidental_joins(sql, coded("VARCHAR(8)", "AB1", "7")) == accidental_joins(sql, coded("uuid")) == []
    assert accidental_joins(sql, coded("VARCHAR(8)", "12", "7")) == ["T1.reader_id = T2.book_id"]


def test_a_shared_column_without_a_primary_key_makes_no_join_accidental() -> None:
    people = Table("users", tuple(Column(name, "INTEGER") for name in ("id", "company_id")), primary_key=("id",))
    posts = Table("posts", tuple(Column(name, "INTEGER") for name in ("id", "author_id", "company_id")), None, ("id",))
    notes = Table("notes", tuple(Column(name, "INTEGER") for name in ("id", "author_id", "post_id")), None, ("id",))
    schema = Schema("sqlite", (people, posts, notes))
    assert accidental_joins("SELECT 1 FROM posts AS a JOIN users AS b ON a.author_id = b.id", schema) == []


@pytest.mark.parametrize("test", ["b.due IS NULL", "due IS NULL AND a.city = 'Bergen'"])
def test_rows_that_a_left_join_finds_none_for_may_be_none(test: str) -> None:
    sql = f"SELECT a.name FROM reader AS a LEFT JOIN loan AS b ON a.name = b.due WHERE {test}"
    assert rejoin_on_keys(sql, SCHEMA) is None
    for other in ("a.city IS NULL", "b.due IS NOT NULL"):
        assert rejoin_on_keys(sql.replace(test, other), SCHEMA) is not None
    ids = sql.replace("a.name = b.due", "a.reader_id = b.loan_id")
    assert replace_accidental_joins(ids, SCHEMA) is not None


def test_a_shared_parent_joins_tables_only_after_an_empty_result() -> None:
    places = {"shop": "shop_id", "fair": "fair_id"}
    tables = [Table("country", (Column("id", "INTEGER"),), primary_key=("id",))]
    for name, own in places.items():
        columns = (Column(own, "INTEGER"), Column("country_id", "INTEGER"))
        tables.append(Table(name, columns, None, (own,), (ForeignKey(("country_id",), "country"),)))
        keys = (ForeignKey((own,), name),)
        tables.append(Table(f"visit_of_{name}", (Column(own, "INTEGER"), Column("day", "TEXT")), None, (), keys))
    sql = "SELECT 1 FROM shop AS a JOIN fair AS b ON a.shop_id = b.fair_id"
    schema = Schema("sqlite", tuple(tables))
    assert replace_accidental_joins(sql, schema) is None and accidental_joins(sql, schema) == []
    assert "JOIN country AS T1" in (rejoin_on_keys(sql, schema) or "")


def test_a_join_of_a_table_with_itself_on_its_own_key_stands() -> None:
    assert rejoin_on_keys("SELECT 1 FROM staff AS a JOIN staff AS b ON a.boss_id = b.id", STAFF) is None


def test_a_table_is_never_joined_with_itself_by_one_column_of_another() -> None:
    alone = replace(STAFF, tables=(replace(STAFF.tables[0], foreign_keys=()), STAFF.tables[1]))
    repaired = rejoin_on_keys("SELECT 1 FROM staff AS a JOIN staff AS b ON a.boss_id = b.id", alone)
    assert repaired is None or "T1.seller_id = b.id" in repaired and "a.id = T1.buyer_id" in repaired


def test_primary_keys_of_one_name_are_no_join() -> None:
    sale = replace(STAFF.tables[1], foreign_keys=STAFF.tables[1].foreign_keys[:1])
    schema = replace(STAFF, tables=(STAFF.tables[0], sale))
    wrong = "SELECT 1 FROM sale AS T1 JOIN staff AS T2 ON T1.id = T2.id"
    assert rejoin_on_keys(wrong, schema) == "SELECT 1 FROM sale AS T1 JOIN staff AS T2 ON T1.seller_id = T2.id"


def test_an_id_without_a_known_key_may_refer_to_the_table_that_it_is_joined_with() -> None:
    sale = replace(STAFF.tables[1], foreign_keys=STAFF.tables[1].foreign_keys[:1])
    schema = replace(STAFF, tables=(STAFF.tables[0], sale))
    assert rejoin_on_keys("SELECT 1 FROM sale AS T1 JOIN staff AS T2 ON T1.buyer_id = T2.id", schema) is None
    assert rejoin_on_keys("SELECT 1 FROM sale AS T1 JOIN staff AS T2 ON T1.price = T2.id", schema) is not None
