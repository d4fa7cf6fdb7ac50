"""The tools and resources of the protocol server, used by the SDK's own client in the same process."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from support.protocol_databases import make_databases, scripted

from route_sql import Catalog, Context
from route_sql.access.callers import Caller
from route_sql.access.slots import Slots
from route_sql.mcp import tools
from route_sql.mcp.results import ROWS
from route_sql.mcp.server import build_server
from route_sql.testing import ScriptedModel
from route_sql.tools.schema.rights.visibility import Visibility

MODES = ("auto", "legacy")
"""The protocol of 2026-07-28, and the one with a handshake that older clients speak."""


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return make_databases(tmp_path)


@pytest.fixture(params=MODES)
def server(request: pytest.FixtureRequest, catalog: Path) -> Client:
    """A client that the test opens: the SDK wants to be closed in the task that opened it."""
    databases = Catalog.from_toml(catalog)
    return Client(build_server(scripted(), databases), mode=request.param, read_timeout_seconds=60)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return dict(result.structured_content or {})


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error and result.structured_content is None
    return " ".join(block.text for block in result.content if block.type == "text")


async def test_every_tool_is_described(server: Client) -> None:
    async with server as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"ask", "schema", "execute", "check"}
        for tool in tools.values():
            assert tool.title and tool.description and tool.annotations and tool.annotations.read_only_hint is True
            assert tool.input_schema["properties"]["database"]["enum"] == ["pets", "zoo"]
            assert tool.output_schema and tool.output_schema["properties"]
            assert tool.input_schema["additionalProperties"] is False
        answer = tools["ask"].output_schema
        assert answer and {"status", "sql", "columns", "rows", "confidence", "doubts", "notes"} <= set(
            answer["properties"]
        )


async def test_schemas_are_a_tool_and_resources(server: Client) -> None:
    async with server as client:
        shown = await call(client, "schema", database="pets")
        assert shown["dialect"] == "sqlite" and "phone" in shown["schema"]
        resources = {resource.uri: resource for resource in (await client.list_resources()).resources}
        assert set(resources) == {"schema://pets", "schema://zoo"}
        read: Any = (await client.read_resource("schema://pets")).contents[0]
        assert read.text == shown["schema"]
        with pytest.raises(MCPError):
            await client.read_resource("schema://..%2Fpets")


async def test_statements_run_within_a_cap_and_in_json(server: Client, catalog: Path) -> None:
    async with server as client:
        outcome = await call(client, "execute", sql="SELECT i FROM number", database="pets")
        assert outcome["status"] == "ok" and len(outcome["rows"]) == ROWS and outcome["truncated"]
        infinite = await call(client, "execute", sql="SELECT weight FROM pet WHERE name = 'Rex'", database="pets")
        assert infinite["rows"] == [["inf"]] and json.dumps(infinite, allow_nan=False)


@pytest.mark.parametrize(
    "sql", ["DELETE FROM pet", "SELECT 1; DROP TABLE pet", "ATTACH 'x' AS y", "PRAGMA writable_schema = 1", "\x00", "("]
)
async def test_hostile_statements_are_refused_and_change_nothing(catalog: Path, sql: str) -> None:
    async with Client(build_server(scripted(), Catalog.from_toml(catalog))) as client:
        assert (await call(client, "check", sql=sql, database="pets"))["allowed"] is False
        assert (await call(client, "execute", sql=sql, database="pets"))["status"] in ("refused", "error")
        assert (await call(client, "check", sql="SELECT name FROM pet", database="pets"))["allowed"] is True
    with closing(sqlite3.connect(catalog.parent / "pets.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM pet").fetchone() == (2,)


async def test_hostile_arguments_are_refused_and_the_server_lives(server: Client) -> None:
    async with server as client:
        for database in ("nope", "../pets.sqlite", "sqlite:///pets.sqlite", "", None, 1, ["pets"], {"a": 1}):
            assert "database" in await refused(client, "schema", database=database)
        assert "blank" in await refused(client, "ask", question=" \n ", database="pets")
        for question in (None, 7, "", "x" * 100_000, ["a"]):
            assert "question" in await refused(client, "ask", question=question, database="pets")
        assert "sql" in await refused(client, "execute", sql="SELECT 1 --" + "x" * 100_000, database="pets")
        assert "sql" in await refused(client, "check", database="pets")
        for tool, given in (("ask", {"question": "x"}), ("schema", {}), ("execute", {"sql": "SELECT 1"})):
            assert "databse" in await refused(client, tool, database="pets", databse="zoo", **given)
        assert "Evidence" in await refused(client, "ask", question="x", database="pets", Evidence="y")
        assert (await call(client, "schema", database="pets"))["database"] == "pets"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("own", "of_caller"),
    [
        (Context(hide=("owner.phone",)), Visibility()),
        (Context(hide=("owner.phone",)), Visibility(hide=("number",))),
        (Context(allow=("owner", "pet"), hide=("owner.phone",)), Visibility(allow=("owner",))),
        (Context(allow=("owner.name", "pet")), Visibility(allow=("owner", "number"))),
    ],
)
async def test_the_servers_own_rights_apply_to_every_caller(
    catalog: Path, mode: Any, own: Context, of_caller: Visibility
) -> None:
    phones = "SELECT phone FROM owner"
    served = build_server(
        ScriptedModel(history=[], otherwise=lambda *_: phones),
        Catalog.from_toml(catalog),
        context=own,
        caller_of=lambda _: Caller("someone", of_caller),
    )
    async with Client(served, mode=mode) as client:
        schema = (await call(client, "schema", database="pets"))["schema"]
        assert "owner" in schema and "phone" not in schema
        assert "number" not in schema or not of_caller
        assert (await call(client, "check", sql=phones, database="pets"))["allowed"] is False
        assert (await call(client, "execute", sql=phones, database="pets"))["status"] in ("refused", "error")
        assert "555" not in str(await call(client, "ask", question="Which phones?", database="pets"))
        assert (await call(client, "execute", sql="SELECT name FROM owner", database="pets"))["rows"] == [["Ada"]]


async def test_one_question_or_statement_too_many_is_refused(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Slots] = []

    def few(at_once: int, most_waiting: int, no_slot: Any) -> Slots:
        made.append(Slots(1, 1, no_slot))
        return made[0]

    monkeypatch.setattr(tools, "Slots", few)
    numbers: dict[str, Any] = {"sql": "SELECT i FROM number", "database": "pets"}
    async with Client(build_server(scripted(), Catalog.from_toml(catalog))) as client:
        async with made[0].promised_turn():
            waiting = asyncio.create_task(call(client, "execute", **numbers))
            while not made[0].waiting:
                await asyncio.sleep(0.01)
            assert "ask again" in await refused(client, "execute", **numbers)
            assert "ask again" in await refused(client, "ask", question="Which pets?", database="pets")
        assert (await waiting)["status"] == "ok"
        assert (await call(client, "execute", **numbers))["status"] == "ok" and made[0].running == 0
