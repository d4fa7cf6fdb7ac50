"""The SQL tools over Spider's gold SQL, where that data is there."""

import json
import os
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.sql.continuation import continuable_prefix
from route_sql.tools.sql.parsing import parses, tokens
from route_sql.tools.sql.replies.reply import extract_sql
from route_sql.tools.sql.usage import tables_and_columns, unknown_names

SPIDER = os.environ.get("ROUTE_SQL_SPIDER")
WRONG_GOLD = {("train_spider", 3153)}
"""Names a table that its database does not have."""

pytestmark = pytest.mark.skipif(SPIDER is None, reason="ROUTE_SQL_SPIDER names no Spider folder")


def questions(split: str) -> list[dict[str, str]]:
    loaded: list[dict[str, str]] = json.loads((Path(SPIDER or "") / f"{split}.json").read_text(encoding="utf-8"))
    return loaded


def file(database: str) -> Path:
    return Path(SPIDER or "") / "database" / database / f"{database}.sqlite"


@cache
def schema(database: str) -> Schema:
    with closing(sqlite3.connect(f"{file(database).absolute().as_uri()}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        return Schema("sqlite", tuple(_table(connection, str(name)) for (name,) in names))


def _table(connection: sqlite3.Connection, name: str) -> Table:
    info = connection.execute(f'PRAGMA table_info("{name}")').fetchall()
    return Table(name, tuple(Column(str(row[1]), str(row[2])) for row in info))


@pytest.mark.parametrize("split", ["dev", "train_spider"])
def test_gold_stands(split: str) -> None:
    for index, question in enumerate(questions(split)):
        sql, names = question["query"].strip().rstrip(";").strip(), schema(question["db_id"])
        assert parses(sql, "sqlite") is None, sql
        assert extract_sql(f"It is:\n```sql\n{sql};\n```\nIt doesn't fail.", "sqlite") == sql
        assert extract_sql(f"The SQL is:\n{sql}\nThis query returns the answer.", "sqlite") == sql
        assert bool(unknown_names(sql, names)) == ((split, index) in WRONG_GOLD), sql
        if (split, index) not in WRONG_GOLD:
            assert tables_and_columns(sql, names), sql
            assert continuable_prefix(sql, names) == sql


def test_every_cut_of_gold_has_a_prefix() -> None:
    for question in questions("dev")[::10]:
        sql, names = question["query"].strip(), schema(question["db_id"])
        for token in tokens(sql, "sqlite") or []:
            cut = sql[: token.end + 1]
            prefix = continuable_prefix(cut, names)
            assert cut.lower().startswith(prefix.lower()), cut
            assert tokens(prefix, "sqlite"), cut


async def test_no_gold_is_refused() -> None:
    by_database: dict[str, list[str]] = {}
    for question in questions("dev"):
        by_database.setdefault(question["db_id"], []).append(question["query"])
    for name, queries in by_database.items():
        database = SQLiteDatabase(name, file(name), Limits(seconds=60))
        for sql in queries:
            assert (await database.execute(sql))["status"] in ("ok", "empty"), sql
        await database.close()
