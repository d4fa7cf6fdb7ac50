"""Joins that a query lacks, put in along the keys; every result is run on the schema's own database."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.sql.joins.joining import unrelated_keys, with_joins_on_keys, with_missing_joins, with_related_keys

TABLES = {
    "author": (("author_id", "name", "country"), {}),
    "book": (("book_id", "title", "price"), {}),
    "wrote": (("author_id", "book_id"), {"author_id": "author", "book_id": "book"}),
    "reader": (("reader_id", "name", "city", "order"), {}),
    "loan": (("loan_id", "reader_id", "book_id", "due"), {"reader_id": "reader", "book_id": "book"}),
    "fine": (("fine_id", "loan_id", "amount"), {"loan_id": "loan"}),
    "hall": (("hall_id", "name"), {}),
}


def table(name: str, namespace: str | None = None) -> Table:
    columns, keys = TABLES[name]
    return Table(
        name=name,
        columns=tuple(Column(column, "INTEGER" if column.endswith("_id") else "TEXT") for column in columns),
        namespace=namespace,
        primary_key=columns[:1] if name != "wrote" else columns,
        foreign_keys=tuple(ForeignKey((column,), target) for column, target in keys.items()),
    )


SCHEMA = Schema("sqlite", tuple(map(table, TABLES)))


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for name, (columns, _) in TABLES.items():
            written = ", ".join(f'"{column}"' for column in columns)
            connection.execute(f"CREATE TABLE {name} ({written})")
        yield connection


@pytest.mark.parametrize(
    ("sql", "mended"),
    [
        (  # of a table one key further
            "SELECT T2.title FROM author AS T1 JOIN wrote AS T2 ON T1.author_id = T2.author_id WHERE T1.name = 'Eco'",
            "SELECT T3.title FROM author AS T1 JOIN wrote AS T2 ON T1.author_id = T2.author_id "
            "JOIN book AS T3 ON T2.book_id = T3.book_id WHERE T1.name = 'Eco'",
        ),
        (  # twice, joined once
            "SELECT T1.title FROM loan AS T1 WHERE T1.price > 3 ORDER BY T1.price",
            "SELECT T2.title FROM loan AS T1 JOIN book AS T2 ON T1.book_id = T2.book_id "
            "WHERE T2.price > 3 ORDER BY T2.price",
        ),
        (  # of the other table that is joined
            "SELECT T1.due, T1.city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id",
            "SELECT T1.due, T2.city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id",
        ),
        (  # what had no table is given one, since the new table may have such a column too
            "SELECT reader_id, name FROM loan GROUP BY reader_id HAVING COUNT(*) > 1",
            "SELECT loan.reader_id, T1.name FROM loan JOIN reader AS T1 ON loan.reader_id = T1.reader_id "
            "GROUP BY loan.reader_id HAVING COUNT(*) > 1",
        ),
        (  # a table that is named but not joined
            "SELECT title FROM book WHERE wrote.author_id = 3",
            "SELECT book.title FROM book JOIN wrote AS T1 ON book.book_id = T1.book_id WHERE T1.author_id = 3",
        ),
        (  # on a column that is not there
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.id = T2.borrower",
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id",
        ),
        (  # of two tables that have no key in common
            "SELECT T1.name FROM author AS T1 JOIN book AS T2 ON T1.author_id = T2.author_id WHERE T2.price = 1",
            "SELECT T1.name FROM author AS T1 JOIN wrote AS T3 ON T1.author_id = T3.author_id "
            "JOIN book AS T2 ON T3.book_id = T2.book_id WHERE T2.price = 1",
        ),
        (  # the key is to another table before it than the condition says
            "SELECT T3.amount FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id "
            "JOIN fine AS T3 ON T1.reader_id = T3.reader_id",
            "SELECT T3.amount FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id "
            "JOIN fine AS T3 ON T2.loan_id = T3.loan_id",
        ),
        (  # in a part of a set operation, in a subquery
            "SELECT title FROM book EXCEPT SELECT title FROM loan",
            "SELECT title FROM book EXCEPT SELECT T1.title FROM loan JOIN book AS T1 ON loan.book_id = T1.book_id",
        ),
        (
            "SELECT name FROM reader WHERE reader_id IN (SELECT due FROM fine WHERE amount > 2)",
            "SELECT name FROM reader WHERE reader_id IN (SELECT T1.due FROM fine JOIN loan AS T1 "
            "ON fine.loan_id = T1.loan_id WHERE fine.amount > 2)",
        ),
        (  # a reserved word
            "SELECT T1.due, T1.city FROM loan AS T1 WHERE T1.\"order\" = 'x'",
            "SELECT T1.due, T2.city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id "
            "WHERE T2.\"order\" = 'x'",
        ),
        (  # a star is that of the tables that were there
            "SELECT * FROM loan AS T1 WHERE T1.city = 'Bergen'",
            "SELECT T1.* FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id WHERE T2.city = 'Bergen'",
        ),
        (  # by the name of its table
            "SELECT loan.title, loan.due FROM loan",
            "SELECT T1.title, loan.due FROM loan JOIN book AS T1 ON loan.book_id = T1.book_id",
        ),
        (
            "SELECT loan.title FROM loan AS T1",
            "SELECT T2.title FROM loan AS T1 JOIN book AS T2 ON T1.book_id = T2.book_id",
        ),
        (  # what is grouped by is what is shown
            "SELECT a.name, COUNT(*) FROM loan AS a JOIN reader AS b ON a.reader_id = b.reader_id GROUP BY b.name",
            "SELECT b.name, COUNT(*) FROM loan AS a JOIN reader AS b ON a.reader_id = b.reader_id GROUP BY b.name",
        ),
        (
            "SELECT b.name, COUNT(*) FROM loan AS a JOIN reader AS b ON a.reader_id = b.reader_id GROUP BY a.name",
            "SELECT b.name, COUNT(*) FROM loan AS a JOIN reader AS b ON a.reader_id = b.reader_id GROUP BY b.name",
        ),
        (  # what is joined on says nothing of what is shown
            "SELECT T1.country FROM wrote AS T1 JOIN author AS T2 ON T1.author_id = T2.author_id ORDER BY T2.country",
            "SELECT T2.country FROM wrote AS T1 JOIN author AS T2 ON T1.author_id = T2.author_id ORDER BY T2.country",
        ),
        (  # an alias that stands for nothing means another table than those that are joined
            "SELECT T3.name FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id JOIN wrote AS T4 "
            "ON T2.book_id = T4.book_id",
            "SELECT T5.name FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id JOIN wrote AS T4 "
            "ON T2.book_id = T4.book_id JOIN author AS T5 ON T4.author_id = T5.author_id",
        ),
        (  # a LEFT JOIN keeps its rows
            "SELECT T1.name, COUNT(T2.price) FROM author AS T1 LEFT JOIN book AS T2 ON T1.author_id = T2.author_id "
            "GROUP BY T1.name",
            "SELECT T1.name, COUNT(T2.price) FROM author AS T1 LEFT JOIN wrote AS T3 ON T1.author_id = T3.author_id "
            "LEFT JOIN book AS T2 ON T3.book_id = T2.book_id GROUP BY T1.name",
        ),
        (
            "SELECT T1.name, T2.title FROM reader AS T1 LEFT JOIN loan AS T2 ON T1.reader_id = T2.reader_id",
            "SELECT T1.name, T3.title FROM reader AS T1 LEFT JOIN loan AS T2 ON T1.reader_id = T2.reader_id "
            "LEFT JOIN book AS T3 ON T2.book_id = T3.book_id",
        ),
        (  # after a comma, the condition of a join could not name what stands before it
            "SELECT loan.title FROM loan, hall WHERE hall.name = 'x'",
            "SELECT T1.title FROM loan CROSS JOIN hall JOIN book AS T1 ON loan.book_id = T1.book_id "
            "WHERE hall.name = 'x'",
        ),
        (  # an output name stays one
            "SELECT COUNT(*) AS amount, T1.city FROM loan AS T1 GROUP BY T1.city ORDER BY amount",
            "SELECT COUNT(*) AS amount, T2.city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id "
            "GROUP BY T2.city ORDER BY amount",
        ),
    ],
)
def test_a_query_gets_the_joins_it_lacks(sql: str, mended: str, database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        database.execute(sql)
    assert with_missing_joins(sql, SCHEMA) == mended
    database.execute(mended)


@pytest.mark.parametrize(
    ("sql", "mended"),
    [
        (
            "SELECT reader_id, city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id "
            "GROUP BY reader_id",
            "SELECT T1.reader_id, city FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id "
            "GROUP BY T1.reader_id",
        ),
        (  # equal along two equations, in a query below
            "SELECT 1 FROM hall WHERE hall_id IN (SELECT book_id FROM loan, book, wrote "
            "WHERE loan.book_id = book.book_id AND book.book_id = wrote.book_id)",
            "SELECT 1 FROM hall WHERE hall_id IN (SELECT loan.book_id FROM loan CROSS JOIN book CROSS JOIN wrote "
            "WHERE loan.book_id = book.book_id AND book.book_id = wrote.book_id)",
        ),
        (  # beside a column that lacks its table
            "SELECT reader_id, title FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id",
            "SELECT T1.reader_id, T3.title FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id "
            "JOIN book AS T3 ON T1.book_id = T3.book_id",
        ),
        ("SELECT name FROM author JOIN reader ON author_id = reader_id", None),  # which of the names?
        ("SELECT book_id FROM loan AS T1 JOIN book AS T2 ON T1.book_id = T2.book_id OR T2.price > 3", None),
    ],
)
def test_a_column_that_several_tables_have_is_taken_from_one_if_it_is_equal_in_all(
    sql: str, mended: str | None, database: sqlite3.Connection
) -> None:
    with pytest.raises(sqlite3.OperationalError, match="ambiguous|no such column"):
        database.execute(sql)
    assert with_missing_joins(sql, SCHEMA) == mended
    database.execute(mended or "SELECT 1")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT title FROM book",  # nothing lacks
        "SELECT isbn FROM book",  # no table has it
        "SELECT name FROM loan AS T1 JOIN wrote AS T2 ON T1.book_id = T2.book_id",  # two are as near
        "SELECT title FROM hall",  # no key leads there
        "SELECT amount FROM author",  # four keys away
        "SELECT x FROM (SELECT title FROM book)",
        "SELECT title FROM books",
        "SELECT",
        "SELECT d.title JOIN loan AS d ON d.loan_id = 1",  # no FROM, as small models write
        "DELETE FROM loan WHERE title = 'x'",
        "",
    ],
)
def test_nothing_is_guessed(sql: str) -> None:
    assert with_missing_joins(sql, SCHEMA) is None


@pytest.mark.parametrize(
    ("sql", "mended"),
    [
        (
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.name = T2.due",
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id",
        ),
        (
            "SELECT 1 FROM hall WHERE name IN (SELECT T1.name FROM author AS T1 JOIN book AS T2 ON T1.name = T2.title)",
            "SELECT 1 FROM hall WHERE name IN (SELECT T1.name FROM author AS T1 "
            "JOIN wrote AS T3 ON T1.author_id = T3.author_id JOIN book AS T2 ON T3.book_id = T2.book_id)",
        ),
        ("SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T2.reader_id = T1.reader_id", None),
        ("SELECT T1.due FROM loan AS T1 JOIN wrote AS T2 ON T1.book_id = T2.book_id", None),  # both refer to book
        ("SELECT T1.name FROM author AS T1 JOIN reader AS T2 ON T1.name = T2.name", None),  # of one name
        ("SELECT T1.name FROM hall AS T1 JOIN reader AS T2 ON T1.hall_id = T2.city", None),  # no way
        ("SELECT T1.name FROM reader AS T1 JOIN (SELECT 1 AS x) AS T2 ON T1.city = T2.x", None),
        ("SELECT name FROM reader", None),
        ("SELECT", None),
    ],
)
def test_joins_are_put_on_keys(sql: str, mended: str | None, database: sqlite3.Connection) -> None:
    assert with_joins_on_keys(sql, SCHEMA) == mended
    database.execute(mended or "SELECT 1")


@pytest.mark.parametrize(
    ("sql", "unrelated", "mended"),
    [
        (
            "SELECT T1.name FROM reader AS T1 JOIN book AS T2 ON T1.reader_id = T2.book_id",
            ["T1.reader_id = T2.book_id"],
            "SELECT T1.name FROM reader AS T1 JOIN loan AS T3 ON T1.reader_id = T3.reader_id "
            "JOIN book AS T2 ON T3.book_id = T2.book_id",
        ),
        (  # beside another condition, below another query
            "SELECT 1 FROM hall WHERE 2 IN (SELECT T2.price FROM loan AS T1 JOIN book AS T2 "
            "ON T1.loan_id = T2.book_id AND T2.price > 3)",
            ["T1.loan_id = T2.book_id"],
            "SELECT 1 FROM hall WHERE 2 IN (SELECT T2.price FROM loan AS T1 JOIN book AS T2 "
            "ON T1.book_id = T2.book_id AND T2.price > 3)",
        ),
        # a key to which none leads may lead to what is not declared
        ("SELECT T2.city FROM fine AS T1 JOIN reader AS T2 ON T1.fine_id = T2.reader_id", [], None),
        ("SELECT 1 FROM reader AS T1 JOIN fine AS T2 ON T1.reader_id = T2.loan_id OR T2.amount > 3", [], None),
        ("SELECT 1 FROM reader AS T1 JOIN fine AS T2 ON NOT T1.reader_id = T2.loan_id", [], None),
        ("SELECT 1 JOIN loan AS T2 ON T1.reader_id = T2.book_id", [], None),
        (  # what WITH names is no table of the schema
            "WITH book AS (SELECT reader_id AS book_id FROM loan) SELECT 1 FROM reader AS T1 "
            "JOIN book AS T2 ON T1.reader_id = T2.book_id",
            [],
            None,
        ),
        ("SELECT 1 FROM reader AS T1 JOIN hall AS T2 ON T1.reader_id = T2.hall_id", [], None),  # halls have no keys
        ("SELECT 1 FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id", [], None),
        ("SELECT 1 FROM loan AS T1 JOIN wrote AS T2 ON T1.book_id = T2.book_id", [], None),  # both refer to book
        ("SELECT 1 FROM reader AS T1 JOIN loan AS T2 ON T1.name = T2.book_id", [], None),  # a name is no key
        ("SELECT 1 FROM reader AS T1, book AS T2 WHERE T1.reader_id = T2.book_id", [], None),  # no join's condition
        ("SELECT 1 FROM reader AS T1 JOIN (SELECT 1 AS book_id) AS T2 ON T1.reader_id = T2.book_id", [], None),
        ("SELECT name FROM reader", [], None),
        ("SELECT", [], None),
    ],
)
def test_keys_of_different_things_are_told_apart(sql: str, unrelated: list[str], mended: str | None) -> None:
    assert unrelated_keys(sql, SCHEMA) == unrelated
    assert with_related_keys(sql, SCHEMA) == mended


@pytest.mark.parametrize(
    ("sql", "mended"),
    [
        (  # reader was joined for its title, over a table that would now serve nothing either
            "SELECT T2.title FROM book AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id WHERE T1.price > 3",
            "SELECT T1.title FROM book AS T1 WHERE T1.price > 3",
        ),
        (  # wrote led to what loan leads to
            "SELECT T1.title FROM book AS T1 JOIN wrote AS T2 ON T1.book_id = T2.book_id "
            "JOIN reader AS T3 ON T2.author_id = T3.writer WHERE T3.city = 'Oslo'",
            "SELECT T1.title FROM book AS T1 JOIN loan AS T4 ON T1.book_id = T4.book_id "
            "JOIN reader AS T3 ON T4.reader_id = T3.reader_id WHERE T3.city = 'Oslo'",
        ),
        (  # served nothing before: only books that are lent
            "SELECT T1.isbn, T2.country FROM book AS T1 JOIN loan AS T3 ON T1.book_id = T3.book_id "
            "JOIN wrote AS T2 ON T1.book_id = T2.book_id",
            None,
        ),
        (
            "SELECT T1.title, T2.country FROM book AS T1 JOIN loan AS T3 ON T1.book_id = T3.book_id "
            "JOIN wrote AS T2 ON T1.book_id = T2.book_id",
            "SELECT T1.title, T4.country FROM book AS T1 JOIN loan AS T3 ON T1.book_id = T3.book_id "
            "JOIN wrote AS T2 ON T1.book_id = T2.book_id JOIN author AS T4 ON T2.author_id = T4.author_id",
        ),
        (  # a join that stands as it was written filters: those that are never lent
            "SELECT title FROM book EXCEPT SELECT T2.title FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id",
            "SELECT title FROM book EXCEPT SELECT T1.title FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id",
        ),
        (  # a star counts its rows
            "SELECT COUNT(*) FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id WHERE T2.title = 'Solaris'",
            "SELECT COUNT(*) FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id WHERE T1.title = 'Solaris'",
        ),
        (  # a column without a table may be its
            "SELECT T2.title, due FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id",
            "SELECT T1.title, due FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id",
        ),
        (  # named by a query below
            "SELECT T2.title FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id "
            "WHERE EXISTS (SELECT 1 FROM fine AS T3 WHERE T3.loan_id = T2.loan_id)",
            "SELECT T1.title FROM book AS T1 JOIN loan AS T2 ON T1.book_id = T2.book_id "
            "WHERE EXISTS(SELECT 1 FROM fine AS T3 WHERE T3.loan_id = T2.loan_id)",
        ),
    ],
)
def test_what_was_joined_for_a_column_of_another_table_is_left_out(
    sql: str, mended: str | None, database: sqlite3.Connection
) -> None:
    assert with_missing_joins(sql, SCHEMA) == mended
    database.execute(mended or "SELECT 1")


def test_words_are_not_equal_by_accident_but_digits_are() -> None:
    sql = "SELECT 1 FROM reader AS T1 JOIN book AS T2 ON T1.reader_id = T2.book_id"

    def coded(type: str, *samples: str) -> Schema:
        def typed(each: Table) -> Table:
            return replace(each, columns=tuple(replace(c, type=type, samples=samples) for c in each.columns))

        return replace(SCHEMA, tables=tuple(map(typed, SCHEMA)))

    assert unrelated_keys(sql, coded("VARCHAR(8)", "AB1", "7")) == unrelated_keys(sql, coded("uuid")) == []
    assert unrelated_keys(sql, coded("VARCHAR(8)", "12", "7")) == ["T1.reader_id = T2.book_id"]


def test_a_shared_column_that_is_the_key_of_no_table_is_no_evidence() -> None:
    people = Table("users", tuple(Column(name, "INTEGER") for name in ("id", "company_id")), primary_key=("id",))
    posts = Table("posts", tuple(Column(name, "INTEGER") for name in ("id", "author_id", "company_id")), None, ("id",))
    notes = Table("notes", tuple(Column(name, "INTEGER") for name in ("id", "author_id", "post_id")), None, ("id",))
    schema = Schema("sqlite", (people, posts, notes))
    assert unrelated_keys("SELECT 1 FROM posts AS a JOIN users AS b ON a.author_id = b.id", schema) == []


def test_tables_that_only_refer_to_one_row_are_not_joined_on_it_where_rows_come_back() -> None:
    places = {"shop": "shop_id", "fair": "fair_id"}
    tables = [Table("country", (Column("id", "INTEGER"),), primary_key=("id",))]
    for name, own in places.items():
        columns = (Column(own, "INTEGER"), Column("country_id", "INTEGER"))
        tables.append(Table(name, columns, None, (own,), (ForeignKey(("country_id",), "country"),)))
        keys = (ForeignKey((own,), name),)
        tables.append(Table(f"visit_of_{name}", (Column(own, "INTEGER"), Column("day", "TEXT")), None, (), keys))
    sql = "SELECT 1 FROM shop AS a JOIN fair AS b ON a.shop_id = b.fair_id"
    schema = Schema("sqlite", tuple(tables))
    assert with_related_keys(sql, schema) is None and unrelated_keys(sql, schema) == []
    assert "JOIN country AS T1" in (with_joins_on_keys(sql, schema) or "")


def test_a_join_with_a_filter_of_its_own_is_never_idle() -> None:
    sql = (
        "SELECT T1.title FROM book AS T1 JOIN wrote AS T2 ON T1.book_id = T2.book_id AND T2.author_id > 3 "
        "JOIN reader AS T3 ON T2.author_id = T3.writer WHERE T3.city = 'Oslo'"
    )
    assert "JOIN wrote AS T2" in (with_missing_joins(sql, SCHEMA) or "")


def test_a_namespace_and_another_dialect() -> None:
    loan = replace(table("loan"), foreign_keys=(ForeignKey(("reader_id",), "people.reader"),))
    schema = Schema("postgres", (loan, table("reader", "people")))
    found = with_missing_joins('SELECT due FROM loan WHERE "order" IS NULL', schema)
    assert found == (
        'SELECT loan.due FROM loan JOIN people.reader AS T1 ON loan.reader_id = T1.reader_id WHERE T1."order" IS NULL'
    )


@pytest.mark.parametrize(
    ("sql", "mended"),
    [
        (
            "SELECT title FROM loan",
            "SELECT T1.title FROM loan JOIN book AS T1 ON loan.book_id = T1.book_id",
        ),
        (
            "SELECT city FROM visit WHERE day = 3",
            "SELECT T1.city FROM visit JOIN guests AS T1 ON visit.guest_id = T1.id WHERE visit.day = 3",
        ),
        ("SELECT day FROM loan", None),
    ],
)
def test_where_no_key_is_declared_names_tell(sql: str, mended: str | None) -> None:
    tables = {name: table(name) for name in ("loan", "book")}
    tables["visit"] = Table("visit", tuple(Column(name, "TEXT") for name in ("id", "guest_id", "day")))
    tables["guests"] = Table("guests", tuple(Column(name, "TEXT") for name in ("id", "city")))
    schema = Schema("sqlite", tuple(replace(each, foreign_keys=()) for each in tables.values()))
    assert with_missing_joins(sql, schema) == mended


def test_what_is_mended_selects_what_was_meant(database: sqlite3.Connection) -> None:
    sql = "SELECT T2.title FROM author AS T1 JOIN wrote AS T2 ON T1.id = T2.author WHERE T1.name = 'Eco'"
    database.execute("INSERT INTO author VALUES (1, 'Eco', 'Italy'), (2, 'Lem', 'Poland')")
    database.execute("INSERT INTO book VALUES (7, 'Baudolino', 9), (8, 'Solaris', 5)")
    database.execute("INSERT INTO wrote VALUES (1, 7), (2, 8)")
    assert database.execute(with_missing_joins(sql, SCHEMA) or "").fetchall() == [("Baudolino",)]


STAFF = Schema(
    "sqlite",
    (
        Table(
            name="staff",
            columns=tuple(Column(name, "INTEGER") for name in ("id", "name", "boss_id")),
            primary_key=("id",),
            foreign_keys=(ForeignKey(("boss_id",), "staff"),),
        ),
        Table(
            name="sale",
            columns=tuple(Column(name, "INTEGER") for name in ("id", "seller_id", "buyer_id", "price")),
            primary_key=("id",),
            foreign_keys=(ForeignKey(("seller_id",), "staff"), ForeignKey(("buyer_id",), "staff")),
        ),
    ),
)


@pytest.mark.parametrize(
    ("sql", "mended"),
    [
        (  # a table with itself, on its key to itself
            "SELECT T2.name FROM staff AS T1 JOIN staff AS T2 ON T1.manager = T2.id",
            "SELECT T2.name FROM staff AS T1 JOIN staff AS T2 ON T1.boss_id = T2.id",
        ),
        (
            "SELECT T2.name FROM staff AS T1 JOIN staff AS T2 ON T2.manager = T1.id",
            "SELECT T2.name FROM staff AS T1 JOIN staff AS T2 ON T1.id = T2.boss_id",
        ),
        (  # of two keys, the one that is named much like what was written
            "SELECT T2.name FROM sale AS T1 JOIN staff AS T2 ON T1.buyer = T2.id",
            "SELECT T2.name FROM sale AS T1 JOIN staff AS T2 ON T1.buyer_id = T2.id",
        ),
    ],
)
def test_the_key_is_the_one_that_was_meant(sql: str, mended: str) -> None:
    assert with_missing_joins(sql, STAFF) == mended


def test_a_join_of_a_table_with_itself_on_its_own_key_stands() -> None:
    assert with_joins_on_keys("SELECT 1 FROM staff AS a JOIN staff AS b ON a.boss_id = b.id", STAFF) is None


def test_a_table_is_never_joined_with_itself_by_one_column_of_another() -> None:
    alone = replace(STAFF, tables=(replace(STAFF.tables[0], foreign_keys=()), STAFF.tables[1]))
    mended = with_joins_on_keys("SELECT 1 FROM staff AS a JOIN staff AS b ON a.boss_id = b.id", alone)
    assert mended is None or "T1.seller_id = b.id" in mended and "a.id = T1.buyer_id" in mended


def test_keys_of_their_own_that_share_a_name_join_nothing() -> None:
    sale = replace(STAFF.tables[1], foreign_keys=STAFF.tables[1].foreign_keys[:1])
    schema = replace(STAFF, tables=(STAFF.tables[0], sale))
    wrong = "SELECT 1 FROM sale AS T1 JOIN staff AS T2 ON T1.id = T2.id"
    assert with_joins_on_keys(wrong, schema) == "SELECT 1 FROM sale AS T1 JOIN staff AS T2 ON T1.seller_id = T2.id"
