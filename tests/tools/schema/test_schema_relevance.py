"""A schema that is too large is cut to what the question is about, within the budget, the same every time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.schema.relevance import reduce_schema
from route_sql.tools.schema.rendering import render


def filler(number: int) -> Table:
    columns = tuple(Column(f"field_{number}_{i}", "TEXT", samples=("aaa", "bbb")) for i in range(8))
    return Table(f"Filler{number}", columns)


STUDENT = Table("Student", (Column("id", "INTEGER"), Column("fullName", "TEXT")), primary_key=("id",))
COURSE = Table("Course", (Column("id", "INTEGER"), Column("title", "TEXT")), primary_key=("id",))
ENROLMENT = Table(
    "Zzz",
    (Column("s", "INTEGER"), Column("c", "INTEGER"), Column("grade", "TEXT")),
    foreign_keys=(ForeignKey(("s",), "Student", ("id",)), ForeignKey(("c",), "Course", ("id",))),
)
CITIES = Table("X17", (Column("a", "TEXT", samples=("Oslo", "Bergen")), Column("b", "TEXT", comment="inhabitants")))
TABLES = (*map(filler, range(300)), STUDENT, *map(filler, range(300, 600)), COURSE, ENROLMENT, CITIES)
LARGE = Schema("sqlite", TABLES)


def kept(question: str, budget: int = 2_000, notes: tuple[str, ...] = ()) -> set[str]:
    return set(reduce_schema(LARGE, question, budget, notes)[0].names())


def test_a_schema_that_fits_is_left_alone() -> None:
    small = Schema("sqlite", (STUDENT, COURSE))
    assert reduce_schema(small, "anything", len(render(small))) == (small, False)


def test_named_tables_and_the_table_that_links_them_stay() -> None:
    assert {"Student", "Course", "Zzz"} <= kept("Which students take which courses?")


def test_words_inside_names_count() -> None:
    assert "Student" in kept("List every full name")


@pytest.mark.parametrize("question", ["How large is oslo?", "the number of inhabitants"])
def test_samples_and_comments_count(question: str) -> None:
    assert "X17" in kept(question)


def test_notes_count_as_the_question_does() -> None:
    assert "X17" not in kept("How many live there?")
    assert "X17" in kept("How many live there?", notes=("X17.a = 'Oslo'",))


def test_the_most_relevant_tables_get_their_samples_back() -> None:
    reduced, cut = reduce_schema(LARGE, "Is Oslo in X17?", 2_000)
    assert cut
    assert reduced.table("X17") == CITIES


def test_a_wide_table_is_cut_to_its_keys_and_relevant_columns() -> None:
    columns = [Column("id", "INTEGER"), *(Column(f"measure_{i}", "REAL") for i in range(500)), Column("colour", "")]
    wide = Table("wide", tuple(columns), primary_key=("id",))
    reduced, cut = reduce_schema(Schema("sqlite", (wide, COURSE)), "which colours are there", 1_000)
    names = reduced.names()["wide"]
    assert cut
    assert {"id", "colour"} <= set(names)
    assert len(names) < 100


@pytest.mark.parametrize("question", ["", "?!", "nothing of the kind"])
def test_a_question_without_a_known_word_still_gets_a_part(question: str) -> None:
    reduced, cut = reduce_schema(LARGE, question, 1_000)
    assert cut
    assert reduced.tables


@given(st.text(max_size=40), st.integers(200, 4_000))
def test_the_budget_holds_nothing_is_invented_and_the_cut_is_stable(question: str, budget: int) -> None:
    schema = replace(LARGE, tables=TABLES[290:310] + TABLES[-3:])
    reduced, cut = reduce_schema(schema, question, budget)
    assert len(render(reduced)) <= budget or len(reduced.tables) == 1
    assert cut == (len(render(schema)) > budget)
    whole = schema.names()
    assert all(set(columns) <= set(whole[key]) for key, columns in reduced.names().items())
    assert reduce_schema(schema, question, budget) == (reduced, cut)


def test_one_table_stays_whatever_the_budget() -> None:
    assert len(reduce_schema(LARGE, "students", 1)[0].tables) == 1
