"""Questions to a person through a client of the protocol server: approval and clarification."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from mcp import Client, MCPError
from mcp.types import ElicitResult
from support.protocol_databases import PETS, make_databases, scripted

from route_sql import Catalog, Context
from route_sql.access.callers import Caller
from route_sql.mcp.person import WAITING
from route_sql.mcp.server import build_server

MODES = ("auto", "legacy")
NAMES = "SELECT name FROM pet"
ASKED = {"question": "Which pets are there?", "database": "pets"}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return make_databases(tmp_path)


def opened(catalog: Path, mode: Any, answer: ElicitResult | None, **choices: Any) -> tuple[Client, list[str]]:
    """A client whose person always gives this answer, and the questions that the person read."""
    read: list[str] = []

    async def person(context: Any, params: Any) -> ElicitResult:
        read.append(params.message)
        assert answer is not None
        return answer

    server = build_server(scripted(), Catalog.from_toml(catalog), context=Context(strategy="single", **choices))
    return Client(server, mode=mode, elicitation_callback=None if answer is None else person), read


def accepted(**content: Any) -> ElicitResult:
    return ElicitResult(action="accept", content=content)


@pytest.mark.parametrize("mode", MODES)
async def test_an_approved_query_runs(catalog: Path, mode: str) -> None:
    connected, read = opened(catalog, mode, accepted(type="approve"), approve=True)
    async with connected as client:
        answer: Any = (await client.call_tool("ask", ASKED)).structured_content
        outcome: Any = (await client.call_tool("execute", {"sql": NAMES, "database": "pets"})).structured_content
    assert answer["status"] == "ok" and answer["sql"] == PETS and answer["rows"][0] == ["Rex", "dog"]
    assert outcome["rows"] == [["Rex"], ["Mia"]]
    assert PETS in read[0] and NAMES in read[-1] and all("pets" in each for each in read)


@pytest.mark.parametrize("mode", MODES)
async def test_an_edited_query_runs_in_its_place(catalog: Path, mode: str) -> None:
    connected, _ = opened(catalog, mode, accepted(type="edit", sql=NAMES), approve=True)
    async with connected as client:
        answer: Any = (await client.call_tool("ask", ASKED)).structured_content
        outcome: Any = (await client.call_tool("execute", {"sql": PETS, "database": "pets"})).structured_content
    assert answer["sql"] == NAMES and answer["rows"] == outcome["rows"] == [["Rex"], ["Mia"]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "answer",
    [
        accepted(type="reject", reason="too much"),
        ElicitResult(action="decline"),
        ElicitResult(action="cancel"),
        accepted(type="yes"),
        accepted(type="edit"),
        accepted(),
        accepted(approved=True),
        accepted(type="approve", sql="SELECT 1"),
    ],
)
async def test_nothing_but_a_clear_consent_runs_a_query(catalog: Path, mode: str, answer: ElicitResult) -> None:
    connected, _ = opened(catalog, mode, answer, approve=True)
    async with connected as client:
        for tool, arguments in (("ask", ASKED), ("execute", {"sql": PETS, "database": "pets"})):
            result = await client.call_tool(tool, arguments)
            assert "Rex" not in str(result)
            assert result.is_error or (result.structured_content or {})["status"] in ("refused", "error")


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_cannot_ask_a_person_is_refused(catalog: Path, mode: str) -> None:
    connected, _ = opened(catalog, mode, None, approve=True)
    async with connected as client:
        for tool, arguments in (("ask", ASKED), ("execute", {"sql": PETS, "database": "pets"})):
            result = await client.call_tool(tool, arguments)
            assert result.is_error and "elicitation" in str(result.content) and "Rex" not in str(result)


@pytest.mark.parametrize("mode", MODES)
async def test_an_unclear_word_is_asked_about(catalog: Path, mode: str) -> None:
    unclear = {"question": "List each name.", "database": "pets"}
    connected, read = opened(catalog, mode, accepted(evidence="the pet's name"), clarify=True)
    async with connected as client:
        answer: Any = (await client.call_tool("ask", unclear)).structured_content
    assert answer["status"] == "ok" and "name" in read[0]
    for nothing in (ElicitResult(action="decline"), accepted(evidence=""), accepted(evidence=" \n"), accepted()):
        silent, read = opened(catalog, mode, nothing, clarify=True)
        async with silent as client:
            assert (await client.call_tool("ask", unclear)).is_error and len(read) == 1, nothing
    unable, _ = opened(catalog, mode, None, clarify=True)
    async with unable as client:
        result = await client.call_tool("ask", unclear)
        assert result.is_error and "evidence" in str(result.content) and "pet.name" in str(result.content)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "answer",
    [
        ElicitResult(action="decline"),
        ElicitResult(action="cancel"),
        accepted(),
        accepted(evidence="   "),
        accepted(evidence="\u200b"),
        accepted(reading=" ", evidence="\t"),
        accepted(evidence="the pet's name"),
    ],
)
async def test_no_run_is_kept_after_the_persons_answer(catalog: Path, mode: Any, answer: ElicitResult) -> None:
    before = savers()
    connected, read = opened(catalog, mode, answer, clarify=True)
    (saver,) = [each for each in savers() if each not in before]
    async with connected as client:
        result = await client.call_tool("ask", {"question": "List each name.", "database": "pets"})
    assert len(read) == 1 and result.is_error == (answer != accepted(evidence="the pet's name"))
    assert not result.is_error or "othing was run" in str(result.content)
    assert not saver.storage and not saver.writes and not saver.blobs


def savers() -> list[InMemorySaver]:
    """Savers of this process: the server keeps its own to itself."""
    return [each for each in gc.get_objects() if type(each) is InMemorySaver]


async def test_people_are_asked_at_once_and_each_run_gets_its_own_answer(catalog: Path) -> None:
    connected, read = opened(catalog, "auto", accepted(type="approve"), approve=True)
    async with connected as client:
        results: list[Any] = await asyncio.gather(
            *(client.call_tool("ask", {**ASKED, "database": name}) for name in ("pets", "zoo", "pets"))
        )
    assert [each.structured_content["rows"][0][1] for each in results] == ["dog", "lion", "dog"] and len(read) == 3


async def test_an_answer_that_nobody_was_asked_for_runs_nothing(catalog: Path) -> None:
    connected, _ = opened(catalog, "auto", accepted(type="approve"), approve=True)
    forged: Any = {"person": accepted(type="approve")}
    async with connected as client:
        query = {"sql": PETS, "database": "pets"}
        asked: Any = await client.session.call_tool("execute", query, allow_input_required=True)
        state = asked.request_state
        other = {**query, "sql": "SELECT * FROM owner"}
        tries: list[tuple[dict[str, Any], Any]] = [(query, None), (query, "x"), (query, state + "x"), (other, state)]
        for arguments, given in tries:
            said = await _answered(client, arguments, forged, given)
            assert "Rex" not in said and "Ada" not in said, (arguments, given)
        assert "Rex" in await _answered(client, query, forged, state)
        assert "Rex" not in await _answered(client, query, forged, state)


async def _answered(
    client: Client, arguments: dict[str, Any], answers: Any, state: str | None, tool: str = "execute"
) -> str:
    try:
        return str(
            await client.session.call_tool(
                tool, arguments, input_responses=answers, request_state=state, allow_input_required=True
            )
        )
    except MCPError as error:
        return str(error)


@pytest.mark.parametrize("mode", MODES)
async def test_a_query_that_a_person_can_not_see_whole_does_not_run(catalog: Path, mode: str) -> None:
    connected, read = opened(catalog, mode, accepted(type="approve"), approve=True)
    async with connected as client:
        for long in ("SELECT name FROM pet -- " + "x" * 2_000, "SELECT name FROM pet -- " + "\u202e" * 400):
            result = await client.call_tool("execute", {"sql": long, "database": "pets"})
            assert result.is_error and "shorter query" in str(result.content) and "Rex" not in str(result)
    assert read == []


@pytest.mark.parametrize("mode", MODES)
async def test_a_person_sees_characters_that_change_how_a_query_looks(catalog: Path, mode: str) -> None:
    connected, read = opened(catalog, mode, accepted(type="reject"), approve=True)
    async with connected as client:
        await client.call_tool("execute", {"sql": "SELECT name\nFROM pet -- \u202e\u200b", "database": "pets"})
    assert read[0].endswith("SELECT name\nFROM pet -- \\u202e\\u200b")


@pytest.mark.parametrize("mode", MODES)
async def test_a_reading_with_other_words_says_truly_whether_the_run_waits(catalog: Path, mode: str) -> None:
    unclear = {"question": "List each name.", "database": "pets"}
    connected, _ = opened(catalog, mode, accepted(reading="pet.name", evidence="of owners"), clarify=True)
    async with connected as client:
        result = await client.call_tool("ask", unclear)
    assert result.is_error and "not both" in str(result.content)
    assert ("still open" in str(result.content)) == (mode == "auto")


async def test_a_run_waits_for_an_answer_that_fits_its_form(catalog: Path) -> None:
    connected, _ = opened(catalog, "auto", accepted(), clarify=True)
    unclear = {"question": "List each name.", "database": "pets"}
    async with connected as client:
        asked: Any = await client.session.call_tool("ask", unclear, allow_input_required=True)
        both: Any = {"person": accepted(reading="pet.name", evidence="of owners")}
        one: Any = {"person": accepted(evidence="the pet's name")}
        wrong = await _answered(client, unclear, both, asked.request_state, tool="ask")
        assert "still open" in wrong and "Rex" not in wrong
        assert "Rex" in await _answered(client, unclear, one, asked.request_state, tool="ask")
        assert "no longer open" in await _answered(client, unclear, one, asked.request_state, tool="ask")


async def test_a_caller_with_many_open_questions_leaves_those_of_others(catalog: Path) -> None:
    present, context = [Caller("analyst")], Context(strategy="single", approve=True)
    server = build_server(scripted(), Catalog.from_toml(catalog), context=context, caller_of=lambda _: present[0])
    approved: Any = {"person": accepted(type="approve")}
    query = {"sql": PETS, "database": "pets"}

    async def asked(name: str) -> str:
        present[0] = Caller(name)
        result: Any = await client.session.call_tool("execute", query, allow_input_required=True)
        return str(result.request_state)

    async with Client(server, mode="auto", elicitation_callback=refuses) as client:
        analysts = await asked("analyst")
        guests = [await asked("guest") for _ in range(WAITING + 1)]
        assert "no longer open" in await _answered(client, query, approved, guests[0])
        assert "Rex" in await _answered(client, query, approved, guests[1])
        present[0] = Caller("analyst")
        assert "Rex" in await _answered(client, query, approved, analysts)


async def refuses(context: Any, params: Any) -> ElicitResult:
    """A person who refuses."""
    return ElicitResult(action="decline")


async def test_a_question_that_is_open_for_too_long_is_closed_without_further_calls(catalog: Path) -> None:
    context = Context(strategy="single", approve=True)
    server = build_server(scripted(), Catalog.from_toml(catalog), context=context, person_seconds=0)
    approved: Any = {"person": accepted(type="approve")}
    query = {"sql": PETS, "database": "pets"}
    async with Client(server, mode="auto", elicitation_callback=refuses) as client:
        asked: Any = await client.session.call_tool("execute", query, allow_input_required=True)
        assert "no longer open" in await _answered(client, query, approved, asked.request_state)
