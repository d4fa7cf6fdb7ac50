"""Reflection of real SQLite files, odd ones too."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DatabaseError

from route_sql.tools.schema.records import Column, ForeignKey, Schema
from route_sql.tools.schema.reflection.reflect import reflect

ODD = """
CREATE TABLE pair (p INT, q INT, r INT(11), PRIMARY KEY (p, q));
CREATE TABLE child (
  pair_id REFERENCES pair, m INT, n INT, nowhere_id INT REFERENCES nowhere (id),
  FOREIGN KEY (m, n) REFERENCES pair
);
CREATE TABLE odd (
  id INTEGER PRIMARY KEY, plain, shape POINT, strange "odd type (3,4,5)",
  twice INT GENERATED ALWAYS AS (id * 2) VIRTUAL, name TEXT NOT NULL
);
CREATE TABLE "order" (id INTEGER PRIMARY KEY, "group by" TEXT, "a""b" TEXT);
CREATE TABLE gone (z INT);
CREATE VIEW broken AS SELECT z FROM gone;
CREATE VIEW named AS SELECT id, name FROM odd;
CREATE VIRTUAL TABLE notes USING fts5 (title, body);
DROP TABLE gone;
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "odd.sqlite"


@pytest.fixture
def connection(file: Path) -> Iterator[Connection]:
    sqlite3.connect(file).executescript(ODD).connection.close()
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_tables_and_views_but_no_shadow_tables_and_no_broken_view(connection: Connection) -> None:
    schema = reflect(connection)
    assert schema.dialect == "sqlite"
    assert {t.key: t.is_view for t in schema} == {
        "child": False, "notes": False, "odd": False, "order": False, "pair": False, "named": True,
    }  # fmt: skip


def test_columns_of_any_type_and_of_none(connection: Connection) -> None:
    odd = reflect(connection).table("odd")
    assert odd is not None
    assert [c.name for c in odd.columns] == ["id", "plain", "shape", "strange", "twice", "name"]
    assert odd.column("plain") == Column("plain", "")
    assert odd.column("twice") == Column("twice", "INTEGER", computed="")
    assert odd.column("name") == Column("name", "TEXT", nullable=False)


def test_keys(connection: Connection) -> None:
    schema = reflect(connection)
    pair, child = schema.table("pair"), schema.table("child")
    assert pair is not None and child is not None
    assert pair.primary_key == ("p", "q")
    assert set(child.foreign_keys) == {
        ForeignKey(("m", "n"), "pair", ("p", "q")),
        ForeignKey(("pair_id",), "pair", ("p", "q")),
        ForeignKey(("nowhere_id",), "nowhere", ("id",)),
    }


def test_names_that_need_quotes(connection: Connection) -> None:
    order = reflect(connection).table("order")
    assert order is not None
    assert [c.name for c in order.columns] == ["id", "group by", 'a"b']


def test_other_namespaces_are_in_the_key(connection: Connection, tmp_path: Path) -> None:
    connection.exec_driver_sql("ATTACH ? AS sales", (str(tmp_path / "sales.sqlite"),))
    connection.exec_driver_sql("CREATE TABLE sales.orders (id INTEGER PRIMARY KEY, of_id INT REFERENCES orders)")
    schema = reflect(connection, ["main", "sales"])
    orders = schema.table("sales.orders")
    assert orders is not None and schema.table("order") is not None
    assert orders.namespace == "sales"
    assert orders.foreign_keys == (ForeignKey(("of_id",), "sales.orders", ("id",)),)


def test_an_empty_database_has_no_tables(file: Path) -> None:
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as opened:
        assert reflect(opened) == Schema("sqlite", ())
    engine.dispose()


def test_a_file_that_is_no_database_raises(file: Path) -> None:
    file.write_bytes(b"not a database " * 100)
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as opened, pytest.raises(DatabaseError):
        reflect(opened)
    engine.dispose()


def test_600_tables(file: Path) -> None:
    writer = sqlite3.connect(file)
    for number in range(600):
        columns = ", ".join(f"c{i} VARCHAR(20)" for i in range(10))
        writer.execute(f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, {columns})")
    writer.close()
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as opened:
        schema = reflect(opened)
    engine.dispose()
    assert len(schema.tables) == 600
    assert schema.column_count() == 6_600
