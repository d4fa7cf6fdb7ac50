"""Joins that become unused by a repair are dropped; those that filter rows stay."""

import sqlite3

import pytest
from support.library import SCHEMA

from route_sql.tools.sql.joins.repair import add_missing_joins


@pytest.mark.parametrize(
    ("sql", "repaired"),
    [
        pytest.param(
            "SELECT T2.title FROM book AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id WHERE T1.price > 3",
            "SELECT T1.title FROM book AS T1 WHERE T1.price > 3",
            id="table joined for a column of the first",
        ),
        pytest.param(
            "SELECT T1.title FROM book AS T1 JOIN wrote AS T2 ON T1.book_id = T2.book_id "
            "JOIN reader AS T3 ON T2.author_id = T3.writer WHERE T3.city = 'Oslo'",
            "SELECT T1.title FROM book AS T1 JOIN loan AS T4 ON T1.book_id = T4.book_id "
            "JOIN reader AS T3 ON T4.reader_id = T3.reader_id WHERE T3.city = 'Oslo'",
            id="link table replaced by another",
        ),
        pytest.param(
            "SELECT T1.isbn, T2.country FROM book AS T1 JOIN loan AS T3 ON T1.book_id = T3.book_id "
            "JOIN wrote AS T2 ON T1.book_id = T2.book_id",
            None,
            id="unused before, no repair",
        ),
        pytest.param(
            "SELECT T1.title, T2.country FROM book AS T1 JOIN loan AS T3 ON T1.book_id = T3.book_id "
            "JOIN wrote AS T2 ON T1.book_id = T2.book_id",
            "SELECT T1.title, T4.country FROM book AS T1 JOIN loan AS T3 ON T1.book_id = T3.book_id "
            "JOIN wrote AS T2 ON T1.book_id = T2.book_id JOIN author AS T4 ON T2.author_id = T4.author_id",
            id="unused before, kept",
        ),
        pytest.param(
            "SELECT title FROM book EXCEPT SELECT T2.title FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id",
            "SELECT title FROM book EXCEPT SELECT T1.title FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id",
            id="unchanged ON filters rows",
        ),
        pytest.param(
            "SELECT COUNT(*) FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id WHERE T2.title = 'Solaris'",
            "SELECT COUNT(*) FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id WHERE T1.title = 'Solaris'",
            id="star counts rows",
        ),
        pytest.param(
            "SELECT T2.title, due FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id",
            "SELECT T1.title, due FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id",
            id="unqualified column may be of its table",
        ),
        pytest.param(
            "SELECT T2.title FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id "
            "WHERE EXISTS (SELECT 1 FROM fine AS T3 WHERE T3.loan_id = T2.loan_id)",
            "SELECT T1.title FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id "
            "WHERE EXISTS(SELECT 1 FROM fine AS T3 WHERE T3.loan_id = T2.loan_id)",
            id="used by a subquery",
        ),
    ],
)
def test_a_join_that_becomes_unused_is_dropped(sql: str, repaired: str | None, database: sqlite3.Connection) -> None:
    assert add_missing_joins(sql, SCHEMA) == repaired
    database.execute(repaired or "SELECT 1")


def test_a_join_with_its_own_filter_is_never_unused() -> None:
    sql = (
        "SELECT T1.title FROM book AS T1 JOIN wrote AS T2 ON T1.book_id = T2.book_id AND T2.author_id > 3 "
        "JOIN reader AS T3 ON T2.author_id = T3.writer WHERE T3.city = 'Oslo'"
    )
    assert "JOIN wrote AS T2" in (add_missing_joins(sql, SCHEMA) or "")
