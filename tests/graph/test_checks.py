"""Reasons to doubt a query that ran: what the graph itself complains about."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from route_sql.graph.context import Context
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

TABLE = """
CREATE TABLE bill (id INTEGER PRIMARY KEY, total TEXT, "due date" TEXT);
INSERT INTO bill VALUES (1, '$1,200.50', '7/13/2024'), (2, '$90.00', '12/1/2023'), (3, '$7.25', '2/28/2024');
"""


@pytest.fixture
async def bills(tmp_path: Path) -> AsyncIterator[Catalog]:
    with closing(sqlite3.connect(tmp_path / "bills.sqlite")) as connection:
        connection.executescript(TABLE)
    catalog, _ = Catalog.from_url(tmp_path / "bills.sqlite")
    async with catalog:
        yield catalog


@pytest.mark.parametrize(
    ("sql", "doubt"),
    [
        ("SELECT SUM(total) FROM bill", "reads total as a number, and its values are texts such as '$1,200.50'."),
        ('SELECT id FROM bill ORDER BY "due date" LIMIT 1', "reads due date as a text, letter by letter"),
        ("SELECT COUNT(*) FROM bill WHERE \"due date\" LIKE '2024%'", "as a date that begins with the year"),
        ('SELECT "paid on" FROM bill', 'There is no column "paid on", so the database reads it as a text.'),
    ],
)
async def test_a_query_that_misreads_a_text_is_doubted(bills: Catalog, sql: str, doubt: str) -> None:
    graph: Any = build_graph(ScriptedModel(history=[], otherwise=lambda *_: sql), bills)
    question = {"question": "What do the bills say?", "database": "bills"}
    answer = await graph.ainvoke(question, context=Context(strategy="single"))
    assert answer["status"] == "ok" and doubt in answer["doubts"][0]


async def test_a_query_that_reads_the_text_rightly_is_not(bills: Catalog) -> None:
    sql = "SELECT SUM(CAST(REPLACE(REPLACE(total, '$', ''), ',', '') AS REAL)) FROM bill"
    graph: Any = build_graph(ScriptedModel(history=[], otherwise=lambda *_: sql), bills)
    answer = await graph.ainvoke({"question": "What is the total?", "database": "bills"}, context=Context())
    assert answer["rows"] == [[1297.75]] and not any("reads" in doubt for doubt in answer["doubts"])
