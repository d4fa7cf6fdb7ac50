"""Rights as arguments of the tools: what None, an empty list, blanks and a database's name mean."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from route_sql.graph.context import Context
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import DatabaseUnavailable, InvalidInput, UnknownDatabase
from route_sql.tools.execute_sql import make_execute_sql
from route_sql.tools.schema.rights.visibility import Visibility
from route_sql.tools.values.find_values import make_find_values

ALL = "SELECT * FROM item"


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    entries = []
    for name, cell in (("shop", "lantern"), ("store", "anvil")):
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as connection:
            connection.executescript(f"CREATE TABLE item (id, name, cost); INSERT INTO item VALUES (1, '{cell}', 9)")
        entries.append(f'[databases.{name}]\nurl = "{name}.sqlite"\n')
    (tmp_path / "databases.toml").write_text("\n".join(entries))
    async with Catalog.from_toml(tmp_path / "databases.toml", {}) as opened:
        yield opened


async def outcome(catalog: Catalog, database: str = "shop", sql: str = ALL, **rights: Any) -> Any:
    call = {"type": "tool_call", "id": "1", "name": "execute_sql", "args": {"sql": sql, "database": database, **rights}}
    return (await make_execute_sql(catalog).ainvoke(call)).artifact


async def cells(catalog: Catalog, database: str = "shop", **rights: Any) -> Any:
    asked = {"question": "Where are the lantern and the anvil?", "database": database, **rights}
    return await make_find_values(catalog).ainvoke(asked)


async def test_none_shows_everything(catalog: Catalog) -> None:
    assert (await outcome(catalog, allow=None, hide=None, within=None))["columns"] == ["id", "name", "cost"]
    assert await cells(catalog, allow=None, hide=None, within=None) == ["item.name = 'lantern'"]
    assert await cells(catalog, hide=[]) == ["item.name = 'lantern'"]


@pytest.mark.parametrize("within", [None, Visibility(hide=("item.cost",)).as_json()])
async def test_an_empty_list_allows_nothing(catalog: Catalog, within: Any) -> None:
    result = await outcome(catalog, allow=[], within=within)
    assert (result["status"], result["rows"], result["columns"]) == ("error", [], [])
    assert await cells(catalog, allow=[], within=within) == []


async def test_an_empty_list_within_allows_nothing_either(catalog: Catalog) -> None:
    within = Visibility(allow=()).as_json()
    assert (await outcome(catalog, allow=["item"], within=within))["status"] == "error"
    assert await cells(catalog, allow=["*"], within=within) == []


@pytest.mark.parametrize(
    ("rights", "shop", "store"),
    [
        ({"hide": ["store:item.cost"]}, ["id", "name", "cost"], ["id", "name"]),
        ({"hide": ["item.id", "store:item.cost"]}, ["name", "cost"], ["name"]),
        ({"hide": ["store: item . cost"]}, ["id", "name", "cost"], ["id", "name"]),
        ({"hide": ["store:item"]}, ["id", "name", "cost"], []),
        ({"allow": ["shop:item"]}, ["id", "name", "cost"], []),
        ({"allow": ["shop:item.id", "store:item.name"]}, ["id"], ["name"]),
        ({"allow": ["*"], "hide": ["store:*"]}, ["id", "name", "cost"], []),
    ],
)
async def test_one_list_for_several_databases(catalog: Catalog, rights: Any, shop: list[str], store: list[str]) -> None:
    assert [(await outcome(catalog, name, **rights))["columns"] for name in ("shop", "store")] == [shop, store]


async def test_what_is_for_another_database_is_not_checked_in_this_one(catalog: Catalog) -> None:
    rights: Any = {"hide": ["store:nothing"]}
    assert (await outcome(catalog, "shop", **rights))["status"] == "ok"
    with pytest.raises(DatabaseUnavailable, match="nothing"):
        await outcome(catalog, "store", **rights)


@pytest.mark.parametrize("key", ["allow", "hide"])
async def test_an_unknown_database_in_a_list_is_raised(catalog: Catalog, key: str) -> None:
    given: Any = {key: ["shpo:item.cost"]}
    with pytest.raises(UnknownDatabase, match="'shpo'"):
        await outcome(catalog, **given)
    with pytest.raises(UnknownDatabase, match="'shpo'"):
        await cells(catalog, **given)


@pytest.mark.parametrize("key", ["allow", "hide"])
@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0"])
async def test_a_blank_pattern_is_an_error(catalog: Catalog, key: str, blank: str) -> None:
    given: Any = {key: ["item.id", blank]}
    with pytest.raises(InvalidInput, match=key):
        await outcome(catalog, **given)
    with pytest.raises(InvalidInput, match=key):
        await cells(catalog, **given)
    with pytest.raises(InvalidInput, match=key):
        Context(**given)


@pytest.mark.parametrize("pattern", ["shop:", "shop: ", ":item.cost", ".", "item.", ".cost", ". .", "item..cost"])
async def test_a_pattern_with_a_blank_part_hides_or_raises(catalog: Catalog, pattern: str) -> None:
    with pytest.raises((DatabaseUnavailable, InvalidInput, UnknownDatabase)):
        await outcome(catalog, hide=[pattern])


@pytest.mark.parametrize("pattern", [" item.cost", "item.cost\n", "item . cost", '"item" . "cost"', "\titem.COST "])
async def test_blanks_around_a_name_do_not_matter(catalog: Catalog, pattern: str) -> None:
    assert (await outcome(catalog, hide=[pattern]))["columns"] == ["id", "name"]


@pytest.mark.parametrize("rights", [{"within": {}}, {"within": {"allow": None}}, {"within": {"hide": ["item"]}}])
async def test_rights_of_another_form_are_an_error(catalog: Catalog, rights: Any) -> None:
    with pytest.raises(InvalidInput):
        await outcome(catalog, **rights)
