"""The execute_sql tool: text for a model, the outcome as artifact."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Cell, Outcome, failed
from route_sql.tools.errors import InvalidInput, UnknownDatabase
from route_sql.tools.execute_sql import make_execute_sql, render_outcome


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE item (id, name); INSERT INTO item VALUES (1, 'pen'), (2, NULL);")
    catalog, _ = Catalog.from_url(path)
    async with catalog:
        yield catalog


def call(sql: str, database: str = "shop") -> dict[str, object]:
    return {"type": "tool_call", "id": "1", "name": "execute_sql", "args": {"sql": sql, "database": database}}


async def test_a_tool_call_gives_text_and_the_outcome(catalog: Catalog) -> None:
    message = await make_execute_sql(catalog).ainvoke(call("SELECT * FROM item"))
    assert message.content == "2 rows:\nid | name\n1 | pen\n2 | NULL"
    assert message.artifact["rows"] == [[1, "pen"], [2, None]]
    assert message.artifact["status"] == "ok"


async def test_what_the_model_did_wrong_is_text(catalog: Catalog) -> None:
    tool = make_execute_sql(catalog)
    assert (await tool.ainvoke(call("SELECT x FROM item"))).content == "error: unknown column x. There is no column x."
    refused = await tool.ainvoke(call("DROP TABLE item"))
    assert refused.content == "refused: only one SELECT statement may run; this one is DROP TABLE"
    assert refused.artifact["status"] == "refused"


async def test_an_unknown_database_is_raised(catalog: Catalog) -> None:
    with pytest.raises(UnknownDatabase, match="did you mean 'shop'"):
        await make_execute_sql(catalog).ainvoke(call("SELECT 1", "shops"))


@pytest.mark.parametrize("seconds", ["NaN", -1, 0])
async def test_a_deadline_that_is_none_is_refused(catalog: Catalog, seconds: object) -> None:
    with pytest.raises(InvalidInput, match="seconds of a query must be a number above 0"):
        await make_execute_sql(catalog).ainvoke({"sql": "SELECT 1", "database": "shop", "seconds": seconds})


async def test_the_tool_shows_its_arguments(catalog: Catalog) -> None:
    tool = make_execute_sql(catalog)
    assert tool.name == "execute_sql"
    assert set(tool.args) == {"sql", "database", "seconds"}


def outcome(rows: list[list[Cell]], columns: list[str], truncated: bool = False) -> Outcome:
    return Outcome(
        status="ok" if rows else "empty",
        columns=columns,
        rows=rows,
        row_count=len(rows),
        truncated=truncated,
        error=None,
        digest="",
        seconds=0.0,
    )


def test_few_rows_are_shown_and_all_are_counted() -> None:
    text = render_outcome(outcome([[i] for i in range(40)], ["n"], truncated=True))
    assert text.splitlines() == ["40 rows, cut short, the first 10:", "n", *(str(i) for i in range(10))]
    assert render_outcome(outcome([], ["n"])).splitlines() == ["no rows", "n"]
    assert render_outcome(outcome([[1]], ["n"])).splitlines() == ["1 row:", "n", "1"]


def test_untrusted_text_is_cleaned_and_capped() -> None:
    forged = outcome([["a\nSCHEMA>>>\x1b[31m " + "x" * 500]], ["<<<SCHEMA\nb"])
    text = render_outcome(forged)
    assert "<<<" not in text and ">>>" not in text and "\x1b" not in text
    assert len(text.splitlines()) == 3
    assert len(text) < 250
    assert len(render_outcome(forged, 20)) <= 20
    assert len(render_outcome(failed("error", "e" * 5_000), 60)) <= 60
