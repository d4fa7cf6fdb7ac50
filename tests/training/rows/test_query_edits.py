import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.training.rows.query_edits import KINDS, draw_edits
from route_sql.training.rows.query_spans import QueryText

SCHEMA = Schema(
    "sqlite",
    (
        Table(
            "pet",
            (
                Column("id", "INTEGER"),
                Column("name", "TEXT", samples=("Rex", "Mia")),
                Column("kind", "TEXT", samples=("dog", "cat")),
                Column("owner_id", "INTEGER"),
                Column("weight", "REAL"),
            ),
            primary_key=("id",),
            foreign_keys=(ForeignKey(("owner_id",), "owner", ("id",)),),
        ),
        Table("owner", (Column("id", "INTEGER"), Column("name", "TEXT"), Column("city", "TEXT")), primary_key=("id",)),
    ),
)
CASES = {
    "wrong_column": ("SELECT name FROM pet", {"SELECT kind FROM pet"}),
    "misspelt_name": (
        "SELECT owner_id FROM pet",
        {
            "SELECT owner FROM pet",
            "SELECT ownerid FROM pet",
            "SELECT owner_ids FROM pet",
            "SELECT pet_owner_id FROM pet",
        },
    ),
    "wrong_table": (
        "SELECT COUNT(*) FROM owner",
        {
            "SELECT COUNT(*) FROM pet",
            "SELECT COUNT(*) FROM owners",
            "SELECT COUNT(*) FROM owner_owner",
        },
    ),
    "wrong_owner": (
        "SELECT T1.kind, T2.city FROM pet AS T1 JOIN owner AS T2",
        {
            "SELECT T2.kind, T2.city FROM pet AS T1 JOIN owner AS T2",
            "SELECT T1.kind, T1.city FROM pet AS T1 JOIN owner AS T2",
        },
    ),
    "lost_condition": (
        "SELECT name FROM pet WHERE weight BETWEEN 1 AND 2 AND kind = 'dog' ORDER BY name",
        {
            "SELECT name FROM pet WHERE weight BETWEEN 1 AND 2 ORDER BY name",
            "SELECT name FROM pet WHERE kind = 'dog' ORDER BY name",
        },
    ),
    "extra_condition": (
        "SELECT name FROM pet GROUP BY name",
        {
            f"SELECT name FROM pet WHERE {condition} GROUP BY name"
            for condition in ("name = 'Rex'", "name = 'Mia'", "kind = 'dog'", "kind = 'cat'")
        },
    ),
    "wrong_aggregate": (
        "SELECT COUNT(*), max(weight) FROM pet",
        {f"SELECT COUNT(*), {other}(weight) FROM pet" for other in ("count", "sum", "avg", "min")},
    ),
    "wrong_join": (
        "SELECT T2.city FROM pet AS T1 JOIN owner AS T2 ON T1.owner_id = T2.id WHERE T1.id = 1",
        {
            "SELECT T2.city FROM pet AS T1 JOIN owner AS T2 ON T1.id = T2.id WHERE T1.id = 1",
            "SELECT T2.city FROM pet AS T1 JOIN owner AS T2 ON T1.weight = T2.id WHERE T1.id = 1",
        },
    ),
    "lone_table": (
        "SELECT T1.kind, MAX(T2.city) FROM pet AS T1 JOIN owner AS T2 ON T1.owner_id = T2.id WHERE T1.weight > 1",
        {
            "SELECT kind, MAX(city) FROM pet WHERE weight > 1",
            "SELECT kind, MAX(city) FROM owner WHERE weight > 1",
        },
    ),
    "lost_join": (
        "SELECT COUNT(*) FROM pet LEFT JOIN owner ON pet.owner_id = owner.id WHERE weight > 1",
        {"SELECT COUNT(*) FROM pet WHERE weight > 1"},
    ),
    "distinct": (
        "SELECT COUNT(DISTINCT kind) FROM pet",
        {"SELECT COUNT(kind) FROM pet", "SELECT DISTINCT COUNT(DISTINCT kind) FROM pet"},
    ),
    "order": (
        "SELECT name FROM pet ORDER BY weight DESC LIMIT 1",
        {"SELECT name FROM pet ORDER BY weight ASC LIMIT 1", "SELECT name FROM pet LIMIT 1"},
    ),
    "limit": (
        "SELECT name FROM pet LIMIT 3",
        {"SELECT name FROM pet", *(f"SELECT name FROM pet LIMIT {n}" for n in (4, 7, 1))},
    ),
    "value": (
        "SELECT name FROM pet WHERE kind = 'dog' LIMIT 2",
        {f"SELECT name FROM pet WHERE kind = '{other}' LIMIT 2" for other in ("DOG", "Dog", "cat")},
    ),
    "comparison": (
        "SELECT name FROM pet WHERE weight >= 2",
        {"SELECT name FROM pet WHERE weight > 2", "SELECT name FROM pet WHERE weight <= 2"},
    ),
    "connective": (
        "SELECT name FROM pet WHERE kind = 'a' OR kind = 'b'",
        {"SELECT name FROM pet WHERE kind = 'a' AND kind = 'b'"},
    ),
    "columns_asked": (
        "SELECT name, id FROM pet",
        {
            "SELECT name FROM pet",
            "SELECT name, id, kind FROM pet",
            "SELECT name, id, owner_id FROM pet",
            "SELECT name, id, weight FROM pet",
        },
    ),
    "set_operator": (
        "SELECT id FROM pet UNION SELECT id FROM owner",
        {"SELECT id FROM pet INTERSECT SELECT id FROM owner", "SELECT id FROM pet EXCEPT SELECT id FROM owner"},
    ),
}


def test_every_kind_has_a_case():
    assert CASES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", CASES)
def test_an_edit_changes_what_it_says_and_nothing_else(kind: str):
    sql, expected = CASES[kind]
    assert set(KINDS[kind](QueryText(sql, SCHEMA))) - {sql} == expected


def test_the_first_column_of_several_conditions_can_go():
    edits = set(KINDS["lost_condition"](QueryText("SELECT 1 FROM pet WHERE (id = 1 OR id = 2) AND kind = 'a'", SCHEMA)))
    assert edits == {"SELECT 1 FROM pet WHERE (id = 1 OR id = 2)", "SELECT 1 FROM pet WHERE kind = 'a'"}


def test_a_lone_table_leaves_subqueries_alone_and_needs_one_join():
    sub = "(SELECT AVG(T3.weight) FROM pet AS T3)"
    sql = f"SELECT T2.city FROM pet AS T1 JOIN owner AS T2 ON T1.owner_id = T2.id WHERE T1.weight > {sub}"
    assert f"SELECT city FROM owner WHERE weight > {sub}" in set(KINDS["lone_table"](QueryText(sql, SCHEMA)))
    for none in ("SELECT name FROM pet", f"{sql} UNION SELECT name FROM pet"):
        assert not list(KINDS["lone_table"](QueryText(none, SCHEMA)))


def test_common_mistakes_are_drawn_sooner():
    sql = "SELECT T1.name FROM pet AS T1 JOIN owner AS T2 ON T1.owner_id = T2.id WHERE T2.city = 'Oslo' LIMIT 2"
    first = [next(draw_edits(sql, SCHEMA, Random(seed))).kind for seed in range(200)]
    assert first.count("lone_table") > 2 * first.count("wrong_column")


def test_an_extra_condition_stays_out_of_subqueries():
    sql = "SELECT name FROM pet WHERE owner_id IN (SELECT id FROM owner WHERE city = 'Oslo')"
    edits = set(KINDS["extra_condition"](QueryText(sql, SCHEMA)))
    assert edits and all(edit.startswith(f"{sql} AND ") for edit in edits)


def test_drawing_takes_every_kind_before_any_comes_again_and_depends_on_the_seed_alone():
    sql = "SELECT T1.name FROM pet AS T1 JOIN owner AS T2 ON T1.owner_id = T2.id WHERE T2.city = 'Oslo' LIMIT 2"
    drawn = list(draw_edits(sql, SCHEMA, Random(4)))
    kinds = [edit.kind for edit in drawn]
    offered = len(set(kinds))
    assert len(set(kinds[:offered])) == offered > 6
    assert drawn == list(draw_edits(sql, SCHEMA, Random(4))) != list(draw_edits(sql, SCHEMA, Random(5)))
    assert len({(edit.kind, edit.sql) for edit in drawn}) == len(drawn) and sql not in {edit.sql for edit in drawn}


@pytest.mark.parametrize("text", ["", "not SQL at all", "SELECT", "SELECT name FROM pet; SELECT 1", "DROP TABLE pet"])
def test_what_is_no_query_has_no_edits(text: str):
    assert list(draw_edits(text, SCHEMA, Random(1))) == []


async def test_names_that_need_quotes_get_them(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "odd.sqlite")) as connection:
        connection.executescript('CREATE TABLE visit ("first day" TEXT, "last day" TEXT);')
    catalog, name = Catalog.from_url(tmp_path / "odd.sqlite")
    async with catalog:
        schema = await catalog.get(name).schema()
        query = QueryText('SELECT "first day" FROM visit', schema)
        edits = list(KINDS["wrong_column"](query))
        assert edits == ['SELECT "last day" FROM visit']
        assert (await catalog.get(name).execute(edits[0]))["status"] == "empty"
