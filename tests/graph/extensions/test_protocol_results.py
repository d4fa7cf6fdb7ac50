"""Results of the Model Context Protocol in all their forms: errors are no notes, and nothing is lost without a word."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from mcp.types import (
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
QUESTION = Question(question="Who lives in Bergen?", database="shop")
SECRET = "denied: secret"
WORDS = "a regular buys twice"
TEXT = {"type": "text", "text": SECRET}
IMAGE = ImageContent(type="image", data="", mime_type="image/png")
LINK = ResourceLink(type="resource_link", uri="note://1", name="note")
BLOB = EmbeddedResource(resource=BlobResourceContents(uri="note://1", blob=""))
NOTE = EmbeddedResource(resource=TextResourceContents(uri="note://1", text=WORDS))
UNREADABLE = "The context tool words failed: nothing in its result can be read as text."


async def asked(model: ScriptedModel, catalog: Catalog, result: Any, is_tool: bool) -> tuple[str, list[str]]:
    """The tool's notes in the prompt, and the notes of the answer, where a context tool gives this result."""

    async def words(question: Any) -> Any:
        """Look words up."""
        return result

    model.enqueue("sql", NAMES)
    given = tool(words) if is_tool else words
    graph = build_graph(model, catalog, context_tools=[given])
    answer = await graph.ainvoke(QUESTION, context=Context(strategy="single"))
    shown = str(model.history[-1][1][-1].text).partition("<<<NOTES\n")[2].partition("NOTES>>>")[0]
    return shown.replace("customer.city = 'Bergen'\n", ""), answer["notes"]


@dataclass
class Result:
    """A result of an SDK whose classes are not pydantic's."""

    content: Any
    is_error: bool = False
    structured_content: Any = None


class Pair(NamedTuple):
    content: Any
    is_error: bool


@pytest.mark.parametrize("is_tool", [True, False])
@pytest.mark.parametrize(
    "result",
    [
        {"isError": True, "content": SECRET},
        {"is_error": True, "content": {"text": SECRET}},
        {"isError": True, "content": None, "message": SECRET},
        {"isError": True, "reason": SECRET},
        {"is_error": False, "isError": True, "content": [TEXT]},
        {"isError": True, "content": [SECRET], "structuredContent": {"reason": SECRET}},
        {"isError": True, "structuredContent": {"reason": SECRET}},
        {"isError": 1, "type": "text", "text": SECRET},
        {"type": "tool_result", "is_error": True, "content": SECRET},
        {"content": [{"type": "tool_result", "isError": True, "content": [TEXT]}], "isError": False},
        {"content": [{**TEXT, "isError": True}]},
        ["fine", {"isError": True, "content": SECRET}],
        [ToolMessage(SECRET, tool_call_id="1", status="error")],
        Result(SECRET, is_error=True),
        Result([TEXT], is_error=True),
        Pair(SECRET, is_error=True),
        SimpleNamespace(isError=True, content=SECRET),
        CallToolResult.model_construct(content=SECRET, is_error=True),
    ],
)
async def test_a_mark_of_error_is_a_failure_whatever_the_content_is(
    model: ScriptedModel, catalog: Catalog, result: Any, is_tool: bool
) -> None:
    shown, notes = await asked(model, catalog, result, is_tool)
    assert shown == "" and "denied" not in str(model.history)
    assert len(notes) == 1 and notes[0].startswith("The context tool words failed: ")


@pytest.mark.parametrize("is_tool", [True, False])
@pytest.mark.parametrize(
    "result",
    [
        {"content": [{"type": "text", "text": WORDS}]},
        {"content": [{"type": "text", "text": WORDS}], "structuredContent": {"result": "more"}},
        {"content": [{"type": "resource", "resource": {"uri": "note://1", "text": WORDS}}]},
        CallToolResult(content=[NOTE]),
        CallToolResult(content=[IMAGE, NOTE]),
        [NOTE],
        NOTE,
        Result([TextContent(type="text", text=WORDS)]),
        [{"content": [{"type": "text", "text": WORDS}]}],
        [ToolMessage(WORDS, tool_call_id="1")],
    ],
)
async def test_the_texts_of_a_result_are_notes(
    model: ScriptedModel, catalog: Catalog, result: Any, is_tool: bool
) -> None:
    shown, notes = await asked(model, catalog, result, is_tool)
    assert notes == [] and shown == f"{WORDS}\n"


@pytest.mark.parametrize("is_tool", [True, False])
@pytest.mark.parametrize(
    "result",
    [
        {"content": [], "structuredContent": {"größe": WORDS}},
        {"structuredContent": {"größe": WORDS}},
        {"content": [{"type": "text", "text": " "}], "structuredContent": {"größe": WORDS}, "isError": False},
        CallToolResult(content=[], structured_content={"größe": WORDS}),
        CallToolResult(content=[IMAGE], structured_content={"größe": WORDS}),
        Result([], structured_content={"größe": WORDS}),
    ],
)
async def test_structured_content_without_text_is_a_note_in_json(
    model: ScriptedModel, catalog: Catalog, result: Any, is_tool: bool
) -> None:
    shown, notes = await asked(model, catalog, result, is_tool)
    assert notes == [] and shown == f'{{"größe": "{WORDS}"}}\n'


@pytest.mark.parametrize("is_tool", [True, False])
@pytest.mark.parametrize("block", [IMAGE, LINK, BLOB])
async def test_a_result_that_cannot_be_read_is_a_failure(
    model: ScriptedModel, catalog: Catalog, block: Any, is_tool: bool
) -> None:
    result = CallToolResult(content=[block])
    for form in (result, result.model_dump(by_alias=True), {"content": [block.model_dump(by_alias=True)]}, [block]):
        shown, notes = await asked(model, catalog, form, is_tool)
        assert notes == [f"{UNREADABLE} Its blocks are of type {block.type}."] and shown == ""


@pytest.mark.parametrize("is_tool", [True, False])
@pytest.mark.parametrize("result", [CallToolResult(content=[]), {"content": []}, [], None])
async def test_a_result_without_content_is_no_note_and_no_failure(
    model: ScriptedModel, catalog: Catalog, result: Any, is_tool: bool
) -> None:
    shown, notes = await asked(model, catalog, result, is_tool)
    assert notes == [] and shown == ""


@pytest.mark.parametrize(
    "result", [{"content": WORDS}, {"content": [WORDS], "source": "x"}, {"content": [{"type": "page", "name": WORDS}]}]
)
async def test_a_mapping_of_ones_own_is_no_result(model: ScriptedModel, catalog: Catalog, result: Any) -> None:
    shown, notes = await asked(model, catalog, result, is_tool=True)
    assert notes == [] and shown == f"{result}\n"
