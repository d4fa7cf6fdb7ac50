"""Words that fit several columns equally well: when a question leaves that open, and when it does not."""

import json
import os
from pathlib import Path

import pytest

from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.schema.question.asked_names import AskedNames
from route_sql.tools.schema.question.unclear_columns import MOST_READINGS, unclear_columns
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table


def table(name: str, *columns: str, refers: dict[str, str] | None = None) -> Table:
    keys = tuple(ForeignKey((column,), target, ("id",)) for column, target in (refers or {}).items())
    return Table(name, tuple(Column(each, "TEXT") for each in ("id", *columns)), None, ("id",), keys)


SCHOOL = Schema(
    "sqlite",
    (
        table("student", "student_name", "email", "home_town", "born"),
        table("teachers", "name", "e_mail", "room", "bornIn"),
        table("course", "title", "room", "start_date", "end_date"),
        table("enrolment", "student_id", "course_id", "grade", refers={"student_id": "student", "course_id": "course"}),
        table("lesson", "teacher_id", "course_id", "day", refers={"teacher_id": "teachers", "course_id": "course"}),
        table("game", "winner_name", "loser_name", "minutes"),
    ),
)


def readings(question: str, schema: Schema = SCHOOL) -> dict[str, tuple[str, ...]]:
    return {each.words: each.readings for each in unclear_columns(AskedNames(question, schema), schema)}


@pytest.mark.parametrize(
    ("question", "words", "expected"),
    [
        ("Which names are there?", "name", ("student.student_name", "teachers.name")),
        ("names", "name", ("student.student_name", "teachers.name")),
        ("Show the ROOM.", "room", ("teachers.room", "course.room")),
        ("What is the room for each lesson?", "room", ("teachers.room", "course.room")),
        ("On which date is the course?", "date", ("course.start_date", "course.end_date")),
        ("What was the name in the longest game?", "name", ("game.winner_name", "game.loser_name")),
    ],
)
def test_open_questions(question: str, words: str, expected: tuple[str, ...]) -> None:
    assert readings(question).get(words) == expected


@pytest.mark.parametrize(
    "question",
    [
        "What is the name of each student?",
        "student names",
        "the teacher's name",
        "List the names and e_mails of the teachers.",
        "Show name and home town.",
        "Show the names of the students and teachers.",
        "What is the title and room of each course?",
        "When is the start date?",
        "the start date and the end date of a course",
        "Compare the names of winner and loser of each game.",
        "What are the names of the enrolments?",  # only one of the tables that it refers to has a name
        "How many ids are there?",
        "Show student_id and course_id.",
        "What is the course name?",  # the title, not another table's name
        "What is the grade?",
        "",
        "?!",
    ],
)
def test_settled_questions(question: str) -> None:
    assert readings(question) == {}


def test_columns_that_foreign_keys_join_are_the_same() -> None:
    shared = Schema("sqlite", (table("a", "code"), table("b", "code", refers={"code": "a"})))
    joined = (Table("c", (Column("code", "TEXT"),)), Table("d", (Column("code", "TEXT"),), None, (), ()))
    assert readings("Which code?", shared) == {"code": ("a.code", "b.code")}, "b.code refers to a.id, not to a.code"
    key = (ForeignKey(("code",), "c", ("code",)),)
    same = Schema("sqlite", (joined[0], Table("d", joined[1].columns, None, (), key)))
    assert readings("Which code?", Schema("sqlite", joined)) and not readings("Which code?", same)


def test_names_are_quoted_and_a_word_with_too_many_readings_is_no_choice() -> None:
    odd = Schema("sqlite", (table("my pets", "full name"), table("order", "full name")))
    assert readings("Which full name?", odd) == {"full name": ('"my pets"."full name"', '"order"."full name"')}
    many = Schema("sqlite", tuple(table(f"t{letter}", "name") for letter in "abcdefg"))
    assert len(many.tables) > MOST_READINGS and not readings("Which name?", many)


@pytest.mark.skipif("ROUTE_SQL_SPIDER" not in os.environ, reason="ROUTE_SQL_SPIDER does not name a folder with Spider")
async def test_few_questions_of_spider_are_open() -> None:
    folder = Path(os.environ["ROUTE_SQL_SPIDER"])
    questions = json.loads((folder / "dev.json").read_text())
    schemas: dict[str, Schema] = {}
    for name in {each["db_id"] for each in questions}:
        database = SQLiteDatabase(name, folder / "database" / name / f"{name}.sqlite")
        schemas[name] = await database.schema()
        await database.close()
    open_ones = [each for each in questions if readings(each["question"], schemas[each["db_id"]])]
    assert 0 < len(open_ones) < 0.03 * len(questions)
