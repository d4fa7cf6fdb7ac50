"""The entry to the join repairs, and the examples of their docstrings."""

import re
from collections.abc import Callable
from dataclasses import replace
from inspect import getdoc

import pytest
from support.library import SCHEMA

from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.joins.from_clause import FromClause
from route_sql.tools.sql.joins.repair import (
    JoinRepair,
    accidental_joins,
    add_missing_joins,
    rejoin_on_keys,
    repair_joins,
    replace_accidental_joins,
)
from route_sql.tools.sql.joins.select_repair import SelectRepair
from route_sql.tools.sql.joins.unused_joins import UnusedJoins

MISSING = "SELECT T1.due, T1.title FROM loan AS T1"
WORDS = "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.name = T2.due"
ACCIDENTAL = "SELECT T1.name FROM reader AS T1 JOIN book AS T2 ON T1.reader_id = T2.book_id"
SOUND = "SELECT T1.name FROM reader AS T1 JOIN loan AS T2 ON T1.reader_id = T2.reader_id"

Repair = Callable[[str, Schema], str | None]


@pytest.mark.parametrize(
    ("status", "sql", "repair"),
    [
        pytest.param("error", MISSING, add_missing_joins, id="missing join"),
        pytest.param("empty", WORDS, rejoin_on_keys, id="join on words"),
        pytest.param("ok", ACCIDENTAL, replace_accidental_joins, id="accidental join"),
    ],
)
def test_the_status_picks_the_repair(status: str, sql: str, repair: Repair) -> None:
    repaired = repair_joins(sql, SCHEMA, status)
    assert repaired.sql is not None
    assert repaired.sql == repair(sql, SCHEMA)


def test_the_other_repairs_leave_a_query_alone() -> None:
    for sql, others in ((MISSING, ("ok", "empty")), (WORDS, ("ok", "error")), (ACCIDENTAL, ("error",))):
        assert [repair_joins(sql, SCHEMA, status).sql for status in others] == [None] * len(others)


def test_only_an_accidental_join_has_a_complaint() -> None:
    assert accidental_joins(ACCIDENTAL, SCHEMA) == ["T1.reader_id = T2.book_id"]
    complaint = "The query runs, but T1.reader_id = T2.book_id compares keys of different things."
    assert repair_joins(ACCIDENTAL, SCHEMA, "ok").complaint == complaint
    assert repair_joins(ACCIDENTAL, SCHEMA, "empty").complaint is None
    assert repair_joins(MISSING, SCHEMA, "error").complaint is None


@pytest.mark.parametrize("status", ["ok", "empty", "error", "timeout", "refused"])
@pytest.mark.parametrize("sql", [SOUND, "SELECT name FROM reader", "SELECT", ""])
def test_sound_queries_and_broken_text_are_not_repaired(sql: str, status: str) -> None:
    assert repair_joins(sql, SCHEMA, status) == JoinRepair(None, None)


@pytest.mark.parametrize("status", ["timeout", "refused"])
def test_other_outcomes_are_not_repaired(status: str) -> None:
    for sql in (MISSING, WORDS, ACCIDENTAL):
        assert repair_joins(sql, SCHEMA, status) == JoinRepair(None, None)


@pytest.mark.parametrize(
    ("dialect", "value"),
    [
        ("postgres", "@ T1.loan_id"),
        ("postgres", "T1.due IS NFC NORMALIZED"),
        ("postgres", "T1.due AT LOCAL"),
        ("mysql", "GROUP_CONCAT(T1.due ORDER BY T1.due DESC LIMIT 1)"),
        ("mysql", "{d '2026-01-31'}"),
        ("sqlite", "CAST(T1.due AS DECIMAL)"),
        ("sqlite", "CAST(T1.due AS DATE)"),
        ("mysql", "(WITH RECURSIVE n AS (SELECT 1 AS a UNION SELECT a FROM n) CYCLE a RESTRICT SELECT a FROM n)"),
    ],
)
def test_a_form_that_is_read_or_printed_as_another_is_not_repaired(dialect: str, value: str) -> None:
    schema = replace(SCHEMA, dialect=dialect)
    for status, sql in (
        ("error", "SELECT T1.title, {} FROM loan AS T1"),
        ("empty", "SELECT {} FROM reader AS T2 JOIN loan AS T1 ON T1.due = T2.name"),
        ("ok", "SELECT {} FROM loan AS T1 JOIN book AS T2 ON T1.loan_id = T2.book_id"),
    ):
        assert repair_joins(sql.format("T1.due"), schema, status).sql is not None
        assert repair_joins(sql.format(value), schema, status).sql is None


@pytest.mark.parametrize(
    ("dialect", "value"),
    [
        ("mysql", "CAST(T1.due AS UNSIGNED INT)"),
        ("mysql", "GROUP_CONCAT(T1.due)"),
        ("sqlite", "CAST(T1.due AS UNSIGNED BIG INT)"),
        ("sqlite", "CAST(CAST(T1.due AS FLOAT) AS VARCHAR(9))"),
    ],
)
def test_a_form_with_another_spelling_is_printed(dialect: str, value: str) -> None:
    schema = replace(SCHEMA, dialect=dialect)
    assert repair_joins(f"SELECT T1.title, {value} FROM loan AS T1", schema, "error").sql is not None


@pytest.mark.parametrize(
    ("documented", "repair"),
    [
        (add_missing_joins, add_missing_joins),
        (rejoin_on_keys, rejoin_on_keys),
        (replace_accidental_joins, replace_accidental_joins),
        (SelectRepair.repair_column, add_missing_joins),
        (SelectRepair.repair_join, add_missing_joins),
        (FromClause.qualify_shared_columns, add_missing_joins),
        (UnusedJoins, add_missing_joins),
    ],
    ids=lambda value: value.__qualname__,
)
def test_the_example_of_a_docstring_holds(documented: object, repair: Repair) -> None:
    example = re.search(r"Before: (.*?)\n *After: +(.*?)(?:\n\n|\Z)", getdoc(documented) or "", re.DOTALL)
    assert example is not None
    before, after = (" ".join(text.split()) for text in example.groups())
    assert repair(before, SCHEMA) == after
