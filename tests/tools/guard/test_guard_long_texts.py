"""The work of the guard on a long text grows with its length, not with the square of it."""

from cProfile import Profile
from typing import Any

import pytest
from sqlglot import Token

from route_sql.tools.database.visible import narrowed_query
from route_sql.tools.guard.check import check_sql
from route_sql.tools.guard.types import forbidden_type
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.schema.rights.visibility import Visibility, visible_schema
from route_sql.tools.sql.parsing import tokens

DIALECTS = ["sqlite", "duckdb", "postgres", "mysql"]


class _Counted(list[Token]):
    """Tokens that count how often one of them is looked at."""

    looks = 0

    def __getitem__(self, place: Any) -> Any:
        self.looks += 1
        return super().__getitem__(place)


@pytest.mark.parametrize("item", ["n + 1 AS c", "CAST(n AS integer)", "n AS integer"])
def test_types_are_looked_for_in_a_few_looks_at_each_token(item: str) -> None:
    sql = f"SELECT {', '.join([item] * 500)} FROM nums"
    found = _Counted(tokens(sql, "postgres") or [])
    assert forbidden_type(sql, found, [], None, "postgres") is None
    assert found.looks < 10 * len(found)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_many_names_of_a_table_with_a_hidden_column_are_narrowed_in_few_steps(dialect: str) -> None:
    whole = Schema(dialect, (Table("nums", (Column("n", "INTEGER"), Column("secret", "TEXT"))),))
    visible = visible_schema(whole, Visibility(hide=("nums.secret",)))

    def calls(count: int) -> int:
        sql = "SELECT " + ", ".join(["(SELECT max(n) FROM nums)"] * count)
        with Profile() as profile:
            narrowed = narrowed_query(sql, visible, dialect)
        assert isinstance(narrowed, str) and narrowed.count("SELECT") == 1 + 2 * count
        return sum(each.callcount for each in profile.getstats())

    calls(5)
    assert calls(200) < 6 * calls(40)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_table_is_read_once_however_wide(dialect: str) -> None:
    sql = "SELECT " + ", ".join(["(SELECT max(c1) FROM nums)"] * 40)

    def calls(width: int) -> int:
        columns = (Column("secret", "TEXT"), *(Column(f"c{number}", "INTEGER") for number in range(width)))
        visible = visible_schema(Schema(dialect, (Table("nums", columns),)), Visibility(hide=("nums.secret",)))
        with Profile() as profile:
            narrowed = narrowed_query(sql, visible, dialect)
        assert isinstance(narrowed, str) and narrowed.count(f"c{width - 1}") == 40
        return sum(each.callcount for each in profile.getstats())

    calls(5)
    assert calls(200) < 2 * calls(10)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a::pg_class FROM t",
        "SELECT (1) AS x, (a) AS y, CAST((b) AS regclass)",
        "SELECT ((1)), CAST(((2)) AS regclass), (3)",
        "SELECT * FROM json_to_recordset('[]') AS g(a varchar(5), b pg_class)",
    ],
)
def test_a_type_is_found_behind_other_brackets(sql: str) -> None:
    found = check_sql(sql, None, "postgres")
    assert found is not None and found.code == "type"
