"""Prefixes that can be continued, and what a model makes of them."""

import pytest

from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.sql.continuation import continuable_prefix, join_continuation
from route_sql.tools.sql.parsing import tokens

PET = Table("pet", tuple(Column(name, "TEXT") for name in ("pet_id", "name", "species", "owner_id")))
VISIT = Table("visit", tuple(Column(name, "TEXT") for name in ("visit_id", "pet_id", "fee")))
SCHEMA = Schema("sqlite", (PET, VISIT))
PREFIX = "SELECT p.name FROM pet AS p JOIN visit AS v ON p.pet_id ="
WHOLE = f"{PREFIX} v.pet_id"


@pytest.mark.parametrize(
    ("sql", "prefix"),
    [
        (WHOLE, WHOLE),
        (f"{WHOLE};", WHOLE),
        (f"{PREFIX} v.petid WHERE v.fee > 1", PREFIX),
        ("SELECT name FROM pets", "SELECT name FROM"),
        ("SELECT nme FROM pet", "SELECT"),
        ("SELECT name, fee FROM pet", "SELECT name,"),
        ("SELECT name FROM pet WHERE visit.fee > 1", "SELECT name FROM pet WHERE"),
        ("SELECT v.fee, x.nope FROM visit AS v JOIN nowhere AS x", "SELECT v.fee,"),
        (
            "SELECT v.fee, x.name FROM visit AS v JOIN nowhere AS x",
            "SELECT v.fee, x.name FROM visit AS v JOIN",
        ),
        ("SELECT name FROM pet WHERE ORDER BY name", "SELECT name FROM pet WHERE"),
        ("SELECT name FROM pet LIMIT 1 foo bar", "SELECT name FROM pet LIMIT 1"),
        ("SELECT name FROM pet WHERE name = 'Re", "SELECT name FROM pet WHERE name ="),
        ("SELECT v.fee FROM pet AS p JOIN", "SELECT v.fee FROM pet AS p JOIN"),
        ("SELECT name, COUNT(", "SELECT name, COUNT("),
        ("WITH a AS (SELECT name FROM pet", "WITH a AS (SELECT name FROM pet"),
        ("DROP TABLE pet", "SELECT"),
        ("SELECT 1; DROP TABLE pet", "SELECT 1"),
        ("so garbled", "SELECT"),
        ("", "SELECT"),
    ],
)
def test_the_longest_prefix_that_stands(sql: str, prefix: str) -> None:
    assert continuable_prefix(sql, SCHEMA) == prefix


def test_a_cut_that_does_not_parse_keeps_all_but_an_unfinished_name() -> None:
    sql = (
        "SELECT p.name, COUNT(*) FROM pet AS p JOIN visit AS v ON p.pet_id = v.pet_id WHERE v.fee BETWEEN 1 "
        "AND (SELECT MAX(fee) FROM visit) AND p.name IN ('a', 'b') GROUP BY p.name HAVING COUNT(*) > 1 "
        "ORDER BY CASE WHEN p.name = 'a' THEN 1 ELSE 2 END"
    )
    found = tokens(sql, "sqlite") or []
    where = sql.index("WHERE")
    for token in found[1:]:
        cut = sql[: token.end + 1]
        prefix = continuable_prefix(cut, SCHEMA)
        assert cut.startswith(prefix)
        if token.start >= where:
            lost = tokens(cut[len(prefix) :], "sqlite") or []
            assert len(lost) <= 2, (cut, prefix)


@pytest.mark.parametrize(
    ("reply", "sql"),
    [
        ("v.pet_id", WHOLE),
        ("v.pet_id WHERE v.fee > 3;", f"{WHOLE} WHERE v.fee > 3"),
        ("= v.pet_id", WHOLE),
        ("ON p.pet_id = v.pet_id\n\nThis returns the names.", WHOLE),
        ("...v.pet_id", WHOLE),
        (WHOLE, WHOLE),
        (f"The full query is:\n{WHOLE}", WHOLE),
        (f"```sql\n{WHOLE};\n```", WHOLE),
        ("Here is the rest:\n```sql\nv.pet_id\n```", WHOLE),
        (WHOLE.lower(), WHOLE.lower()),
        ("SELECT name FROM pet", "SELECT name FROM pet"),
        ("v.pet_id WHERE v.fee = 'a;b'<|im_end|>", f"{WHOLE} WHERE v.fee = 'a;b'"),
        ("I cannot do that", None),
        ("", None),
        ("```sql\n```", None),
    ],
)
def test_joining_a_continuation(reply: str, sql: str | None) -> None:
    assert join_continuation(PREFIX, reply, "sqlite") == sql


def test_subqueries_and_set_operations_are_no_new_query() -> None:
    assert join_continuation("SELECT", "name FROM pet", "sqlite") == "SELECT name FROM pet"
    assert join_continuation("SELECT", "SELECT name FROM pet", "sqlite") == "SELECT name FROM pet"
    union = "SELECT name FROM pet UNION"
    assert join_continuation(union, "SELECT species FROM pet", "sqlite") == f"{union} SELECT species FROM pet"
    inner = join_continuation("SELECT name FROM pet WHERE pet_id IN (", "SELECT pet_id FROM visit)", "sqlite")
    assert inner == "SELECT name FROM pet WHERE pet_id IN ( SELECT pet_id FROM visit)"
