"""Types in brackets, labels and samples that nobody can read, as a prompt shows them."""

import hashlib
import os
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from route_sql.tools.database.sqlite.connection import connect, read_rows
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.schema.reflection.reflect import reflect
from route_sql.tools.schema.reflection.samples import readable_samples, with_samples
from route_sql.tools.schema.relevance import reduce_schema
from route_sql.tools.schema.rendering import render
from route_sql.tools.schema.rights.visibility import Visibility, visible_schema
from route_sql.tools.schema.types import short_type, without_labels

FROZEN = {
    "ROUTE_SQL_SPIDER": (166, "d25cc43e89740e33170afc92d8febf5f", "f3a94cad4948a2c76f13239923e0c5de"),
    "ROUTE_SQL_BIRD": (6, "64a7860efc30a494eabd4a4ca9ddba52", "cb97dfefbe9949a27cc2a0400fc04d91"),
}
"""How many databases there are, and digests of their schemas' texts without and with samples, as adapters learned."""


@pytest.mark.parametrize("variable", FROZEN)
def test_the_text_of_schemas_that_training_saw_is_frozen(variable: str) -> None:
    if variable not in os.environ:
        pytest.skip(f"{variable} does not name a folder")
    files = sorted(Path(os.environ[variable]).rglob("*.sqlite"), key=lambda path: path.name)
    bare, full = hashlib.sha256(), hashlib.sha256()
    for file in files:
        with create_engine("sqlite://", creator=partial(connect, file)).connect() as bound:
            schema = reflect(bound)
        bare.update(render(schema).encode())
        with closing(connect(file)) as connection:
            fetch = partial(
                read_rows, connection, too_costly=partial(pytest.fail, f"{file.name} was not read to the end")
            )
            full.update(render(with_samples(schema, fetch, seconds=600)).encode())
    assert (len(files), bare.hexdigest()[:32], full.hexdigest()[:32]) == FROZEN[variable]


@pytest.mark.parametrize(
    ("written", "name", "labels"),
    [
        ("ENUM('a', 'b')", "ENUM", ("a", "b")),
        ("enum('it''s','x, (y)','say \"hi\"')", "ENUM", ("it's", "x, (y)", 'say "hi"')),
        ("ENUM('a)','(b')[]", "ENUM[]", ("a)", "(b")),
        ("ENUM('p')[3][]", "ENUM[3][]", ("p",)),
        ("set('r','w')", "SET", ("r", "w")),
        ("STRUCT(e ENUM('a'))", "STRUCT(e ENUM('a'))", ()),
        ("VARCHAR(20)", "VARCHAR(20)", ()),
        ("order_status", "order_status", ()),
    ],
)
def test_labels_are_taken_from_a_type(written: str, name: str, labels: tuple[str, ...]) -> None:
    assert without_labels(written) == (name, labels)


@pytest.mark.parametrize(
    ("sql_type", "shown"),
    [
        ("VARCHAR(20)", "VARCHAR"),
        ("DECIMAL(10, 2)", "DECIMAL"),
        ("VARCHAR2(20 CHAR)", "VARCHAR2"),
        ("TIMESTAMP(6) WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE"),
        ("geometry(Point,4326)", "geometry(Point,4326)"),
        ("MAP(VARCHAR, DECIMAL(9,2))[]", "MAP(VARCHAR, DECIMAL)[]"),
        ("STRUCT(\"a (1)\" VARCHAR, e ENUM('(2)', 'y'))", "STRUCT(\"a (1)\" VARCHAR, e ENUM('(2)', 'y'))"),
    ],
)
def test_types_lose_lengths_and_nothing_else(sql_type: str, shown: str) -> None:
    assert short_type(sql_type, 160) == shown


def test_a_long_type_is_cut_between_its_parts() -> None:
    sql_type = "STRUCT(" + ", ".join(f"part{n} STRUCT(x DOUBLE, y DOUBLE)" for n in range(20)) + ")[]"
    shown = short_type(sql_type, 60)
    assert shown == "STRUCT(part0 STRUCT(x DOUBLE, y DOUBLE), part1 STRUCT(...))"


def _table(*columns: Column) -> Schema:
    return Schema("postgres", (Table("orders", columns),))


def test_labels_stand_behind_the_type_and_stay_on_its_line() -> None:
    text = render(_table(Column("status", "order_status", labels=("new", "it's", "a\nb")), Column("id", "INTEGER")))
    status = "  status order_status, -- one of 'new', 'it''s', ... (3 labels)"
    assert text.splitlines()[1:3] == [status, "  id INTEGER,"]


def test_labels_are_bounded_in_number_and_in_characters() -> None:
    many = render(_table(Column("a", "kind", labels=tuple(f"label {n}" for n in range(500)))))
    long = render(_table(Column("a", "kind", labels=tuple(f"{n}" * 30 for n in range(10, 30)))))
    assert "(500 labels)" in many and "(20 labels)" in long
    assert max(len(many), len(long)) < 500


def test_columns_with_several_labels_say_so() -> None:
    assert "-- any of 'r', 'w'" in render(_table(Column("a", "SET", labels=("r", "w"))))
    assert "-- any of 'r', 'w'" in render(_table(Column("a", "mood[]", labels=("r", "w"))))


def test_labels_are_hidden_with_their_column_and_where_they_name_hidden_things() -> None:
    schema = Schema(
        "postgres",
        (
            Table("orders", (Column("id", "INTEGER"), Column("grade", "g", labels=("AAA", "BBB")))),
            Table("log", (Column("kind", "k", labels=("secret", "open")),)),
            Table("secret", (Column("word", "TEXT"),)),
        ),
    )
    text = render(visible_schema(schema, Visibility(hide=("orders.grade", "secret"))).schema)
    assert "AAA" not in text and "secret" not in text and "open" not in text and "kind k" in text


def test_a_reduced_schema_holds_to_its_budget_with_labels() -> None:
    labels = tuple(f"label number {n}" for n in range(20))
    tables = tuple(Table(f"t{n}", (Column("a", "kind", labels=labels),)) for n in range(50))
    reduced, was_cut = reduce_schema(Schema("postgres", tables), "label number 3 of t7", 2_000)
    assert was_cut and len(render(reduced)) <= 2_000 and reduced.table("t7") is not None
    assert "one of" in render(reduced)


@pytest.mark.parametrize(
    ("sql_type", "sample", "is_shown"),
    [
        ("geometry(Point,4326)", "0101000020E6100000000000000000F03F000000…", False),
        ("GEOMETRY", "POINT (1 2)", True),
        ("vector(3)", "[1,2,3]", True),
        ("vector(768)", "[0.0123,-0.22,0.0001,0.9,0.11234,0.1111…", False),
        ("bytea", "\\x0102", False),
        ("ltree", "top.science", True),
        ("UUID", "6f1c8f0e-8a52-4a1c-9d9a-0d8f1d6f1c8f", True),
        ("VARCHAR", "d41d8cd98f00b204e9800998ecf8427e", True),
        ("character varying(64)", "d41d8cd98f00b204e9800998ecf8427e", True),
        ("NUMERIC", "12345678901234567890", True),
        ("address", "(Oslo,1)", True),
    ],
)
def test_samples_that_nobody_can_read_are_left_out(sql_type: str, sample: str, is_shown: bool) -> None:
    assert readable_samples(Column("a", sql_type), (sample,), "postgres") == ((sample,) if is_shown else ())
