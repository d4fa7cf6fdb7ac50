"""Missing joins that are added along the keys; every result is run on a database of that schema."""

import sqlite3
from dataclasses import replace

import pytest
from support.library import SCHEMA, STAFF, table

from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.sql.joins.repair import add_missing_joins


@pytest.mark.parametrize(
    ("sql", "repaired"),
    [
        pytest.param(
            "SELECT T2.title FROM author AS T1 JOIN wrote AS T2 ON T1.author_id = T2.author_id WHERE T1.name = 'Eco'",
            "SELECT T3.title FROM author AS T1 JOIN wrote AS T2 ON T1.author_id = T2.author_id "
            "JOIN book AS T3 ON T2.book_id = T3.book_id WHERE T1.name = 'Eco'",
            id="table one key away",
        ),
        pytest.param(
            "SELECT T1.title FROM loan AS T1 WHERE T1.price > 3 ORDER BY T1.price",
            "SELECT T2.title FROM loan AS T1 JOIN book AS T2 ON T1.book_id = T2.book_id "
            "WHERE T2.price > 3 ORDER BY T2.price",
            id="two uses of one added table",
        ),
        pytest.param(
            "SELECT T1.due, T1.city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id",
            "SELECT T1.due, T2.city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id",
            id="column of another joined table",
        ),
        pytest.param(
            "SELECT reader_id, name FROM loan GROUP BY reader_id HAVING COUNT(*) > 1",
            "SELECT loan.reader_id, T1.name FROM loan JOIN reader AS T1 ON loan.reader_id = T1.reader_id "
            "GROUP BY loan.reader_id HAVING COUNT(*) > 1",
            id="columns are qualified before a table is added",
        ),
        pytest.param(
            "SELECT title FROM book WHERE wrote.author_id = 3",
            "SELECT book.title FROM book JOIN wrote AS T1 ON book.book_id = T1.book_id WHERE T1.author_id = 3",
            id="qualifier names a table that is not joined",
        ),
        pytest.param(
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.id = T2.borrower",
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id",
            id="unknown columns on both sides of ON",
        ),
        pytest.param(
            "SELECT T1.name FROM author AS T1 JOIN book AS T2 ON T1.author_id = T2.author_id WHERE T2.price = 1",
            "SELECT T1.name FROM author AS T1 JOIN wrote AS T3 ON T1.author_id = T3.author_id "
            "JOIN book AS T2 ON T3.book_id = T2.book_id WHERE T2.price = 1",
            id="tables without a common key",
        ),
        pytest.param(
            "SELECT T3.amount FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id "
            "JOIN fine AS T3 ON T1.reader_id = T3.reader_id",
            "SELECT T3.amount FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id "
            "JOIN fine AS T3 ON T2.loan_id = T3.loan_id",
            id="key to another table than ON names",
        ),
        pytest.param(
            "SELECT title FROM book EXCEPT SELECT title FROM loan",
            "SELECT title FROM book EXCEPT SELECT T1.title FROM loan JOIN book AS T1 ON loan.book_id = T1.book_id",
            id="second part of a set operation",
        ),
        pytest.param(
            "SELECT name FROM reader WHERE reader_id IN (SELECT due FROM fine WHERE amount > 2)",
            "SELECT name FROM reader WHERE reader_id IN (SELECT T1.due FROM fine JOIN loan AS T1 "
            "ON fine.loan_id = T1.loan_id WHERE fine.amount > 2)",
            id="subquery",
        ),
        pytest.param(
            "SELECT T1.due, T1.city FROM loan AS T1 WHERE T1.\"order\" = 'x'",
            "SELECT T1.due, T2.city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id "
            "WHERE T2.\"order\" = 'x'",
            id="quoted reserved word",
        ),
        pytest.param(
            "SELECT * FROM loan AS T1 WHERE T1.city = 'Bergen'",
            "SELECT T1.* FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id WHERE T2.city = 'Bergen'",
            id="star keeps its tables",
        ),
        pytest.param(
            "SELECT loan.title, loan.due FROM loan",
            "SELECT T1.title, loan.due FROM loan JOIN book AS T1 ON loan.book_id = T1.book_id",
            id="unknown column qualified by its table's name",
        ),
        pytest.param(
            "SELECT loan.title FROM loan AS T1",
            "SELECT T2.title FROM loan AS T1 JOIN book AS T2 ON T1.book_id = T2.book_id",
            id="qualifier hidden by an alias",
        ),
        pytest.param(
            "SELECT a.name, COUNT(*) FROM loan AS a JOIN reader AS b ON a.reader_id = b.reader_id GROUP BY b.name",
            "SELECT b.name, COUNT(*) FROM loan AS a JOIN reader AS b ON a.reader_id = b.reader_id GROUP BY b.name",
            id="select list follows GROUP BY",
        ),
        pytest.param(
            "SELECT b.name, COUNT(*) FROM loan AS a JOIN reader AS b ON a.reader_id = b.reader_id GROUP BY a.name",
            "SELECT b.name, COUNT(*) FROM loan AS a JOIN reader AS b ON a.reader_id = b.reader_id GROUP BY b.name",
            id="GROUP BY follows select list",
        ),
        pytest.param(
            "SELECT T1.country FROM wrote AS T1 JOIN author AS T2 ON T1.author_id = T2.author_id ORDER BY T2.country",
            "SELECT T2.country FROM wrote AS T1 JOIN author AS T2 ON T1.author_id = T2.author_id ORDER BY T2.country",
            id="ORDER BY does not claim the column",
        ),
        pytest.param(
            "SELECT T3.name FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id JOIN wrote AS T4 "
            "ON T2.book_id = T4.book_id",
            "SELECT T5.name FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id JOIN wrote AS T4 "
            "ON T2.book_id = T4.book_id JOIN author AS T5 ON T4.author_id = T5.author_id",
            id="unknown alias stands for another table",
        ),
        pytest.param(
            "SELECT T1.name, COUNT(T2.price) FROM author AS T1 LEFT JOIN book AS T2 ON T1.author_id = T2.author_id "
            "GROUP BY T1.name",
            "SELECT T1.name, COUNT(T2.price) FROM author AS T1 LEFT JOIN wrote AS T3 ON T1.author_id = T3.author_id "
            "LEFT JOIN book AS T2 ON T3.book_id = T2.book_id GROUP BY T1.name",
            id="LEFT JOIN through a link table",
        ),
        pytest.param(
            "SELECT T1.name, T2.title FROM reader AS T1 LEFT JOIN loan AS T2 ON T1.reader_id = T2.reader_id",
            "SELECT T1.name, T3.title FROM reader AS T1 LEFT JOIN loan AS T2 ON T1.reader_id = T2.reader_id "
            "LEFT JOIN book AS T3 ON T2.book_id = T3.book_id",
            id="LEFT JOIN followed by LEFT JOIN",
        ),
        pytest.param(
            "SELECT loan.title FROM loan, hall WHERE hall.name = 'x'",
            "SELECT T1.title FROM loan CROSS JOIN hall JOIN book AS T1 ON loan.book_id = T1.book_id "
            "WHERE hall.name = 'x'",
            id="comma becomes CROSS JOIN",
        ),
        pytest.param(
            "SELECT COUNT(*) AS amount, T1.city FROM loan AS T1 GROUP BY T1.city ORDER BY amount",
            "SELECT COUNT(*) AS amount, T2.city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id "
            "GROUP BY T2.city ORDER BY amount",
            id="output name is kept",
        ),
    ],
)
def test_missing_joins_are_added(sql: str, repaired: str, database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        database.execute(sql)
    assert add_missing_joins(sql, SCHEMA) == repaired
    database.execute(repaired)


@pytest.mark.parametrize(
    ("sql", "repaired"),
    [
        pytest.param(
            "SELECT reader_id, city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id "
            "GROUP BY reader_id",
            "SELECT T1.reader_id, city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id "
            "GROUP BY T1.reader_id",
            id="equal by ON",
        ),
        pytest.param(
            "SELECT 1 FROM hall WHERE hall_id IN (SELECT book_id FROM loan, book, wrote "
            "WHERE loan.book_id = book.book_id AND book.book_id = wrote.book_id)",
            "SELECT 1 FROM hall WHERE hall_id IN (SELECT loan.book_id FROM loan CROSS JOIN book CROSS JOIN wrote "
            "WHERE loan.book_id = book.book_id AND book.book_id = wrote.book_id)",
            id="equal by two conditions in a subquery",
        ),
        pytest.param(
            "SELECT reader_id, title FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id",
            "SELECT T1.reader_id, T3.title FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id "
            "JOIN book AS T3 ON T1.book_id = T3.book_id",
            id="together with an unknown column",
        ),
        pytest.param(
            "SELECT name FROM author JOIN reader ON author_id = reader_id",
            None,
            id="equal columns, but another shared name",
        ),
        pytest.param(
            "SELECT book_id FROM loan AS T1 JOIN book AS T2 ON T1.book_id = T2.book_id OR T2.price > 3",
            None,
            id="OR requires nothing",
        ),
    ],
)
def test_an_ambiguous_column_is_qualified_if_it_is_equal_in_all_tables(
    sql: str, repaired: str | None, database: sqlite3.Connection
) -> None:
    with pytest.raises(sqlite3.OperationalError, match="ambiguous|no such column"):
        database.execute(sql)
    assert add_missing_joins(sql, SCHEMA) == repaired
    database.execute(repaired or "SELECT 1")


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT title FROM book", id="no unknown column"),
        pytest.param("SELECT isbn FROM book", id="column of no table"),
        pytest.param(
            "SELECT name FROM loan AS T1 JOIN wrote AS T2 ON T1.book_id = T2.book_id", id="two tables equally near"
        ),
        pytest.param("SELECT title FROM hall", id="no key leads there"),
        pytest.param("SELECT amount FROM author", id="four keys away"),
        pytest.param("SELECT x FROM (SELECT title FROM book)", id="unknown column of a subquery"),
        pytest.param("SELECT title FROM books", id="unknown table"),
        pytest.param("SELECT", id="half a query"),
        pytest.param("SELECT d.title JOIN loan AS d ON d.loan_id = 1", id="no FROM clause"),
        pytest.param("DELETE FROM loan WHERE title = 'x'", id="no query"),
        pytest.param("", id="empty text"),
    ],
)
def test_nothing_is_guessed(sql: str) -> None:
    assert add_missing_joins(sql, SCHEMA) is None


def test_joins_are_added_across_namespaces_in_another_dialect() -> None:
    loan = replace(table("loan"), foreign_keys=(ForeignKey(("reader_id",), "people.reader"),))
    schema = Schema("postgres", (loan, table("reader", "people")))
    found = add_missing_joins('SELECT due FROM loan WHERE "order" IS NULL', schema)
    assert found == (
        'SELECT loan.due FROM loan JOIN people.reader AS T1 ON loan.reader_id = T1.reader_id WHERE T1."order" IS NULL'
    )


@pytest.mark.parametrize(
    ("sql", "repaired"),
    [
        pytest.param(
            "SELECT title FROM loan",
            "SELECT T1.title FROM loan JOIN book AS T1 ON loan.book_id = T1.book_id",
            id="shared column name",
        ),
        pytest.param(
            "SELECT city FROM visit WHERE day = 3",
            "SELECT T1.city FROM visit JOIN guests AS T1 ON visit.guest_id = T1.id WHERE visit.day = 3",
            id="column named after a table",
        ),
        pytest.param("SELECT day FROM loan", None, id="no table has the column"),
    ],
)
def test_names_suggest_keys_where_none_is_declared_for_a_repair(sql: str, repaired: str | None) -> None:
    tables = {name: table(name) for name in ("loan", "book")}
    tables["visit"] = Table("visit", tuple(Column(name, "TEXT") for name in ("id", "guest_id", "day")))
    tables["guests"] = Table("guests", tuple(Column(name, "TEXT") for name in ("id", "city")))
    schema = Schema("sqlite", tuple(replace(each, foreign_keys=()) for each in tables.values()))
    assert add_missing_joins(sql, schema) == repaired


def test_a_repaired_query_selects_the_right_rows(database: sqlite3.Connection) -> None:
    sql = "SELECT T2.title FROM author AS T1 JOIN wrote AS T2 ON T1.id = T2.author WHERE T1.name = 'Eco'"
    database.execute("INSERT INTO author VALUES (1, 'Eco', 'Italy'), (2, 'Lem', 'Poland')")
    database.execute("INSERT INTO book VALUES (7, 'Baudolino', 9), (8, 'Solaris', 5)")
    database.execute("INSERT INTO wrote VALUES (1, 7), (2, 8)")
    assert database.execute(add_missing_joins(sql, SCHEMA) or "").fetchall() == [("Baudolino",)]


@pytest.mark.parametrize(
    ("sql", "repaired"),
    [
        pytest.param(
            "SELECT T2.name FROM staff AS T1 JOIN staff AS T2 ON T1.manager = T2.id",
            "SELECT T2.name FROM staff AS T1 JOIN staff AS T2 ON T1.boss_id = T2.id",
            id="table with itself, second side known",
        ),
        pytest.param(
            "SELECT T2.name FROM staff AS T1 JOIN staff AS T2 ON T2.manager = T1.id",
            "SELECT T2.name FROM staff AS T1 JOIN staff AS T2 ON T1.id = T2.boss_id",
            id="table with itself, first side unknown",
        ),
        pytest.param(
            "SELECT T2.name FROM sale AS T1 JOIN staff AS T2 ON T1.buyer = T2.id",
            "SELECT T2.name FROM sale AS T1 JOIN staff AS T2 ON T1.buyer_id = T2.id",
            id="column named like a key",
        ),
    ],
)
def test_the_key_with_the_most_similar_name_is_taken(sql: str, repaired: str) -> None:
    assert add_missing_joins(sql, STAFF) == repaired


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * EXCLUDE (due), title FROM loan",
        "SELECT * REPLACE (upper(due) AS due), title FROM loan",
        "SELECT COLUMNS(*), title FROM loan",
        "SELECT *, title FROM loan JOIN reader USING (reader_id)",
        "SELECT *, title FROM loan NATURAL JOIN reader",
        "SELECT * EXCLUDE (due), book.name FROM loan JOIN reader ON loan.reader_id = reader.reader_id",
        "SELECT 1 FROM author AS a JOIN book AS b ON a.author_id = b.author_id NATURAL JOIN hall",
    ],
)
def test_no_table_is_added_that_a_star_or_a_natural_join_would_take_in(sql: str) -> None:
    assert add_missing_joins(sql, replace(SCHEMA, dialect="duckdb")) is None


def test_a_star_of_one_table_keeps_its_columns() -> None:
    found = add_missing_joins("SELECT loan.*, COUNT(*), title FROM loan JOIN reader USING (reader_id)", SCHEMA)
    assert found == (
        "SELECT loan.*, COUNT(*), T1.title FROM loan JOIN reader USING (reader_id) "
        "JOIN book AS T1 ON loan.book_id = T1.book_id"
    )


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        pytest.param("loan AS a", "reader AS b WHERE b.reader_id = a.reader_id AND title = 'x'", id="nearer outside"),
        pytest.param("loan AS a", "reader AS b WHERE b.reader_id = a.reader_id AND b.due = 3", id="outer column"),
        pytest.param("loan AS a", "reader AS b WHERE b.reader_id = a.reader_id AND a.city = 'x'", id="outer alias"),
        pytest.param("loan AS a", "reader AS b JOIN book AS c ON c.isbn = a.book_id", id="outer alias in ON"),
        pytest.param("fine AS a", "reader AS b WHERE b.name = amount AND due = 3", id="no alias"),
    ],
)
def test_no_table_is_joined_where_the_row_of_an_outer_query_may_be_meant(outer: str, inner: str) -> None:
    sql = f"SELECT 1 FROM {outer} WHERE EXISTS (SELECT 1 FROM {inner})"
    assert add_missing_joins(sql, SCHEMA) is None


@pytest.mark.parametrize(
    ("sql", "repaired"),
    [
        pytest.param(
            "SELECT name FROM reader WHERE EXISTS (SELECT 1 FROM loan AS a WHERE a.reader_id = reader.reader_id "
            "AND title = 'Emma')",
            "SELECT name FROM reader WHERE EXISTS(SELECT 1 FROM loan AS a JOIN book AS T1 ON a.book_id = T1.book_id "
            "WHERE a.reader_id = reader.reader_id AND T1.title = 'Emma')",
            id="nearer to its own table",
        ),
        pytest.param(
            "SELECT 1 FROM loan JOIN (SELECT reader.name FROM reader WHERE loan.due = 3) AS a ON 1 = 1",
            "SELECT 1 FROM loan JOIN (SELECT reader.name FROM reader JOIN loan AS T1 ON reader.reader_id = "
            "T1.reader_id WHERE T1.due = 3) AS a ON 1 = 1",
            id="a source does not see the others",
        ),
        pytest.param(
            "SELECT due FROM loan WHERE price > (SELECT AVG(price) FROM loan)",
            "SELECT loan.due FROM loan JOIN book AS T1 ON loan.book_id = T1.book_id WHERE T1.price > "
            "(SELECT AVG(T2.price) FROM loan JOIN book AS T2 ON loan.book_id = T2.book_id)",
            id="the outer query lacks the table too",
        ),
    ],
)
def test_a_table_is_joined_in_a_subquery_that_means_its_own_rows(
    sql: str, repaired: str, database: sqlite3.Connection
) -> None:
    assert add_missing_joins(sql, SCHEMA) == repaired
    database.execute(repaired)
