"""Schemas of a library and of a shop's staff, to repair joins in."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table

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


@contextmanager
def empty_library() -> Iterator[sqlite3.Connection]:
    """A database with the tables of the library and no rows."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for name, (columns, _) in TABLES.items():
            written = ", ".join(f'"{column}"' for column in columns)
            connection.execute(f"CREATE TABLE {name} ({written})")
        yield connection


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
