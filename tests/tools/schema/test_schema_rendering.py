"""A rendered schema is short and exact in its names, with one line for each column, whatever the database holds."""

import sqlite3

import pytest
import sqlglot
from hypothesis import assume, given
from hypothesis import strategies as st

from route_sql.tools.schema.quoting import literal, quote_name, quote_table
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.schema.rendering import render
from route_sql.tools.text import is_clean

SHOP = Schema(
    "sqlite",
    (
        Table(
            "Orders",
            (
                Column("id", "INTEGER", samples=("1", "2", "3")),
                Column("customer_id", "INTEGER", samples=("4",)),
                Column("group", "VARCHAR(20)", comment="kind of order", samples=("web", "it's", "shop")),
                Column("paid", "BOOLEAN", samples=("0", "1")),
                Column("total amount", "DECIMAL(10, 2)", samples=("1.5", "2.5", "3.5")),
                Column("note", ""),
            ),
            primary_key=("id",),
            foreign_keys=(
                ForeignKey(("customer_id",), "sales.customer", ("id",)),
                ForeignKey(("note",), "gone", ("id",)),
            ),
            comment="what was bought",
        ),
        Table(
            "line",
            (Column("a", "INTEGER"), Column("b", "INTEGER")),
            primary_key=("a", "b"),
            foreign_keys=(ForeignKey(("a", "b"), "line"),),
        ),
        Table("customer", (Column("id", "INTEGER"),), namespace="sales", is_view=True),
    ),
)


def test_one_line_a_column() -> None:
    assert (
        render(SHOP)
        == """\
Orders ( -- what was bought
  id INTEGER PRIMARY KEY,
  customer_id INTEGER REFERENCES sales.customer(id),
  "group" VARCHAR, -- kind of order; e.g. 'web', 'it''s'
  paid BOOLEAN, -- 0, 1
  "total amount" DECIMAL,
  note,
)
line (
  a INTEGER,
  b INTEGER,
  PRIMARY KEY (a, b),
  FOREIGN KEY (a, b) REFERENCES line(a, b),
)
sales.customer ( -- view
  id INTEGER,
)"""
    )


def test_samples_and_comments_can_be_left_out() -> None:
    assert "web" not in render(SHOP, samples=False)
    assert "kind of order" in render(SHOP, samples=False)
    assert "--" not in render(SHOP, samples=False, comments=False).replace("-- view", "")


HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("\n\r\u2028<>-'\"")), min_size=1, max_size=200)


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_nothing_untrusted_begins_a_line_or_forges_a_fence(name: str, kind: str, comment: str, sample: str) -> None:
    column = Column(name, kind, comment=comment, samples=(sample,))
    text = render(Schema("sqlite", (Table(name, (column, column), comment=comment),)))
    lines = text.split("\n")
    assert len(lines) == len(text.splitlines()) == 4
    assert lines[1] == lines[2] and lines[1].startswith("  ") and lines[3] == ")"
    assert "<<<" not in text and ">>>" not in text
    assert max(map(len, lines)) < 600


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_a_quoted_name_selects_its_column_in_sqlite(name: str) -> None:
    quoted = quote_name(name, "sqlite")
    with_other = f"CREATE TABLE {quoted} ({quoted} TEXT, other TEXT)"
    assume(name.lower() != "other" and not name.lower().startswith("sqlite_"))
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(with_other)
        assert connection.execute("SELECT name FROM pragma_table_info(?)", (name,)).fetchone() == (name,)
        connection.execute(f"INSERT INTO {quoted} VALUES ('found', 'no')")
        query = f"SELECT {quoted} FROM {quoted} WHERE {quoted}.{quoted} = 'found' GROUP BY {quoted} ORDER BY {quoted}"
        assert connection.execute(query).fetchall() == [("found",)]
    finally:
        connection.close()


@given(st.text(min_size=1, max_size=40))
def test_a_clean_name_is_rendered_as_it_is_quoted(name: str) -> None:
    assume(is_clean(name, 128))
    text = render(Schema("sqlite", (Table("t", (Column(name, ""),)),)))
    assert text.split("\n")[1] == f"  {quote_name(name, 'sqlite')},"


KEYWORDS = (
    "abort add all alter and as between by case check collate column commit constraint create default delete desc "
    "distinct drop else end escape except exists filter for foreign from group having if in index insert intersect "
    "into is isnull join key left like limit not nothing notnull null offset on or order over primary query "
    "references regexp replace returning row rows select set table then to transaction union unique update user "
    "using values view when where window with without"
).split()


@pytest.mark.parametrize("word", KEYWORDS)
def test_sql_words_as_names_run_and_parse(word: str) -> None:
    name = quote_name(word, "sqlite")
    query = f"SELECT {name}.{name}, max({name}) FROM {name} WHERE {name} = 1 GROUP BY {name} ORDER BY {name}"
    connection = sqlite3.connect(":memory:")
    connection.execute(f'CREATE TABLE "{word}" ("{word}" INT)')
    connection.execute(f'INSERT INTO "{word}" VALUES (1)')
    assert connection.execute(query).fetchall() == [(1, 1)]
    connection.close()
    assert sqlglot.parse_one(query, dialect="sqlite").sql("sqlite")


@pytest.mark.parametrize(
    ("name", "dialect", "quoted"),
    [
        ("Head_ID", "sqlite", "Head_ID"),
        ("Head_ID", "postgres", '"Head_ID"'),
        ("head_id", "postgres", "head_id"),
        ("100%", "postgres", '"100%"'),
        ("order", "mysql", "`order`"),
        ("group by", "tsql", "[group by]"),
        ("Name", "duckdb", "Name"),
        ("2nd", "sqlite", '"2nd"'),
        ("größe", "sqlite", '"größe"'),
        ("", "sqlite", '""'),
    ],
)
def test_names_are_quoted_when_the_dialect_needs_it(name: str, dialect: str, quoted: str) -> None:
    assert quote_name(name, dialect) == quoted


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(ValueError, match="unheard-of"):
        quote_name("select", "unheard-of")


def test_a_table_in_a_namespace() -> None:
    assert quote_table(Table("order", (), namespace="Sales"), "postgres") == '"Sales"."order"'


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_literal_is_its_value(value: str) -> None:
    connection = sqlite3.connect(":memory:")
    assert connection.execute(f"SELECT {literal(value, 'sqlite')}").fetchone() == (value,)
    connection.close()


def test_a_backslash_is_doubled_where_it_begins_an_escape() -> None:
    columns = Column("place", "TEXT", samples=("C:\\dir",)), Column("kind", "ENUM", labels=("a\\b",))
    shown = {each: render(Schema(each, (Table("t", columns),))) for each in ("mysql", "sqlite", "postgres", "duckdb")}
    assert "'C:\\\\dir'" in shown["mysql"] and "one of 'a\\\\b'" in shown["mysql"]
    assert {text.replace("\\\\", "\\") for text in shown.values()} == {shown["sqlite"]}


def test_numbers_are_bare_only_in_numeric_columns() -> None:
    assert literal("7", "sqlite", "INTEGER") == "7"
    assert literal("7", "sqlite", "TEXT") == "'7'"
    assert literal("n/a", "sqlite", "INTEGER") == "'n/a'"
    assert literal("1; DROP TABLE x", "sqlite", "REAL") == "'1; DROP TABLE x'"
