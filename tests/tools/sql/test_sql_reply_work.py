"""Replies on which a parser's time would explode are read in a bounded number of steps."""

import cProfile
from collections.abc import Callable

import pytest

from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.continuation import continuable_prefix, join_continuation
from route_sql.tools.sql.parsing import parses
from route_sql.tools.sql.replies.reply import LONGEST, extract_sql

UNITS = {
    "selects": "SELECT * FROM (",
    "subqueries": "SELECT 1 WHERE EXISTS (",
    "brackets": "(",
    "cases": "CASE WHEN a THEN ",
    "mixed": "SELECT CASE WHEN (SELECT * FROM (",
    "statements": "SELECT 1;",
    "broken statements": "SELECT FROM;",
    "fences": "```sql\nSELECT FROM\n```\n",
    "inline code": "`SELECT 1` ",
    "WITHs": "WITH a AS (SELECT 1) ",
    "open WITHs": "WITH a AS (",
    "VALUES": "VALUES (",
    "joins": "JOIN b ",
    "opening marks": "SELECT 'a' \" ` [ ",
    "comments": "/* SELECT */ SELECT FROM ",
    "sentences": "SELECT a FROM b WHERE c. The ",
    "remarks": "SELECT a FROM b (the c ",
    "blank lines": "SELECT a FROM b WHERE\n\n",
    "lines": "SELECT a FROM b\nthe rows that are\n",
    "fields": '{"sql": "SELECT FROM',
    "tags": "<sql>SELECT FROM",
    "set operations": "SELECT 1 UNION (",
    "lists": "SELECT 1 IN (",
    "selected words": "SELECT ",
}
REPLIES = {name: unit * (LONGEST // len(unit)) for name, unit in UNITS.items()}
REPLIES["joins"] = "SELECT * FROM a " + REPLIES["joins"]
REPLIES["brackets in prose"] = "((" * 5_000 + "the " * 1_000 + "SELECT 1"
FENCED = {name: f"```sql\n{REPLIES[name]}\n```" for name in ("selects", "fences", "tags", "opening marks")}
ALL = REPLIES | {f"{name} in a fence": reply for name, reply in FENCED.items()}
HONEST = " UNION ".join(["SELECT a.b, c FROM t AS a JOIN u ON a.x = u.y WHERE a.b > 3 AND c IN (1, 2)"] * 220)
MOST_PARSES = 30
"""A reply's steps, in those of one honest query of the same length."""


def steps(call: Callable[[], object]) -> int:
    """Functions called, whatever else the machine does: a time would depend on the process's other threads."""
    with cProfile.Profile() as profile:
        call()
    return sum(entry.callcount for entry in profile.getstats())


@pytest.fixture(scope="module")
def unit() -> int:
    return steps(lambda: parses(HONEST, "sqlite"))


@pytest.mark.parametrize(
    "reply", [*REPLIES.values(), *FENCED.values()], ids=[*REPLIES, *(f"{n} in fence" for n in FENCED)]
)
def test_a_hostile_reply_costs_few_parses(unit: int, reply: str) -> None:
    assert steps(lambda: extract_sql(reply, "sqlite")) < MOST_PARSES * unit


@pytest.mark.parametrize("name", REPLIES)
def test_a_hostile_candidate_costs_few_parses(unit: int, name: str) -> None:
    text = REPLIES[name]
    assert steps(lambda: continuable_prefix(text, Schema("sqlite", ()))) < MOST_PARSES * unit
    assert steps(lambda: join_continuation(text[:3_000], text, "sqlite")) < MOST_PARSES * unit


def test_an_honest_query_stands_where_the_work_allows_it() -> None:
    reply = "I think that we select the rows. " * 200 + f"\n\n{HONEST[:9_000].rpartition(' UNION ')[0]}\n\nThis is it."
    assert extract_sql(reply, "sqlite") == HONEST[:9_000].rpartition(" UNION ")[0]
