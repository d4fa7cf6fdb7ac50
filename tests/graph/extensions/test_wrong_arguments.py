"""What callers hand in: the shapes of notes, outcomes and questions; what can't be used is said in plain words."""

import json
import re
from typing import Any, cast

import pytest
from langchain_core.tools import BaseTool, StructuredTool, tool

from route_sql.agents.prompts import Prompts
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph, make_builder
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import DatabaseUnavailable, InvalidInput

NAMES = "SELECT name FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")
SINGLE = Context(strategy="single")
TASK = "Task: write one SELECT statement."
IMAGE = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}


class TunedModel(ScriptedModel):
    """A model that names its wording."""

    wording: str = "tuned"


def a_tool(result: Any) -> BaseTool:
    async def glossary(question: str) -> Any:
        """The company's terms."""
        return result

    return StructuredTool.from_function(coroutine=glossary)


def a_function(result: Any) -> Any:
    async def glossary(question: Question) -> Any:
        return result

    return glossary


async def asked(model: ScriptedModel, catalog: Catalog, context_tool: Any) -> tuple[str | None, list[str]]:
    """The notes in the prompt, and those in the answer."""
    model.enqueue("sql", NAMES)
    graph = build_graph(model, catalog, context_tools=[context_tool])
    answer = (await graph.ainvoke(QUESTION, context=SINGLE, version="v2")).value
    found = re.search(r"<<<NOTES\n(.*)\nNOTES>>>", str(model.history[-1][1][-1].content), re.DOTALL)
    return found and found[1], answer["notes"]


@pytest.mark.parametrize("given_by", [a_tool, a_function])
@pytest.mark.parametrize(
    ("result", "notes"),
    [
        (None, None),
        ([], None),
        ("one", "one"),
        (["one", "two"], "one\ntwo"),
        (("one", None, ""), "one"),
        ([{"type": "text", "text": "one"}, IMAGE, {"type": "text", "text": "two", "id": "2"}], "one\ntwo"),
        ({"type": "text", "text": "one"}, "one"),
    ],
)
async def test_notes_are_texts_or_blocks_of_text(
    model: ScriptedModel, catalog: Catalog, given_by: Any, result: Any, notes: str | None
) -> None:
    assert await asked(model, catalog, given_by(result)) == (notes, [])


@pytest.mark.parametrize("given_by", [a_tool, a_function])
async def test_blocks_without_a_text_are_named(model: ScriptedModel, catalog: Catalog, given_by: Any) -> None:
    said = "The context tool glossary failed: nothing in its result can be read as text. Its blocks are of type image."
    assert await asked(model, catalog, given_by(IMAGE)) == (None, [said])


@pytest.mark.parametrize(
    ("result", "notes"),
    [(5, "5"), ([5, "one"], "5\none"), ([{"term": "vip", "type": "word"}], "{'term': 'vip', 'type': 'word'}")],
)
async def test_data_of_a_langchain_tool_is_shown_as_it_prints(
    model: ScriptedModel, catalog: Catalog, result: Any, notes: str
) -> None:
    assert await asked(model, catalog, a_tool(result)) == (notes, [])


@pytest.mark.parametrize(("result", "kind"), [(5, "int"), ([5, "one"], "int"), ([{"a": 1}], "dict")])
async def test_what_a_function_may_not_give_counts_as_its_failure(
    model: ScriptedModel, catalog: Catalog, result: Any, kind: str
) -> None:
    notes, said = await asked(model, catalog, a_function(result))
    failure = f"The context tool glossary failed: TypeError: notes must be a text or a list of texts, not {kind}"
    assert (notes, said) == (None, [failure])


@tool
async def rows_only(sql: str, database: str) -> str:
    """Run SQL and give its rows as text."""
    return "1 row"


@tool(response_format="content_and_artifact")
async def half(sql: str, database: str) -> tuple[str, dict[str, Any]]:
    """Run SQL and give a part of an outcome."""
    return "1 row", {"status": "ok", "rows": [[1]]}


@pytest.mark.parametrize("executor", [rows_only, half])
async def test_an_executor_without_an_outcome_costs_its_candidate(
    model: ScriptedModel, catalog: Catalog, executor: BaseTool
) -> None:
    model.enqueue("sql", NAMES)
    answer = await build_graph(model, catalog, executor=executor).ainvoke(QUESTION, context=SINGLE, version="v2")
    assert (answer.value["status"], answer.value["sql"]) == ("error", NAMES)
    said = f"the executor {executor.name} must give an Outcome as its artifact, status, "
    assert said in str(answer.value["error"])


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"question": "", "database": "shop"}, "question must be a text that is not blank, not ''"),
        ({"question": " \n", "database": "shop"}, "question must be a text that is not blank"),
        ({"question": None, "database": "shop"}, "question must be a text that is not blank, not None"),
        ({"database": "shop"}, "question must be a text that is not blank, not None"),
        ({"question": "Who?"}, "database must be a name in the catalog, not None"),
        ({"question": "Who?", "database": 5}, "database must be a name in the catalog, not 5"),
        ({"question": "Who?", "database": "shop", "evidence": ["a"]}, "evidence must be a text"),
        ({"question": "caf\udce9?", "database": "shop"}, "question has half of a surrogate pair"),
        ({"question": "Who?", "database": "shop", "evidence": "\ud800"}, "evidence has half of a surrogate pair"),
    ],
)
async def test_what_is_no_question_is_not_asked(
    model: ScriptedModel, catalog: Catalog, question: Any, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        await build_graph(model, catalog).ainvoke(question, context=SINGLE)
    assert model.history == []


@pytest.mark.parametrize("rights", [{"hide": ("*",)}, {"allow": ()}, {"allow": ("cust?mmer",)}])
async def test_a_caller_who_may_see_nothing_is_told_so(
    model: ScriptedModel, catalog: Catalog, rights: dict[str, tuple[str, ...]]
) -> None:
    with pytest.raises(DatabaseUnavailable, match="nothing of the database shop is visible to this caller.*hide"):
        await build_graph(model, catalog).ainvoke(QUESTION, context=Context(**rights))  # type: ignore[arg-type]


def test_an_option_with_an_unknown_name_is_said(model: ScriptedModel, catalog: Catalog) -> None:
    with pytest.raises(TypeError, match="build_graph has no argument cheks; its options are .*checks"):
        build_graph(model, catalog, cheks=[])  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"context_tools": "abc"}, r"context_tools must be a list, not str: write context_tools=\[...\]"),
        ({"context_tools": a_function("one")}, "context_tools must be a list, not glossary"),
        ({"checks": a_function("one")}, "checks must be a list, not glossary"),
        ({"query_checks": {a_function("one")}}, "query_checks must be a list, not set"),
        ({"prompts": {"generate": a_function("one")}}, r"prompts must be a route_sql.Prompts, not dict"),
    ],
)
def test_an_option_of_another_kind_is_said(
    model: ScriptedModel, catalog: Catalog, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        build_graph(model, catalog, **options)


@pytest.mark.parametrize("given", [None, "default", "http://localhost", ScriptedModel])
def test_what_is_no_model_is_said(catalog: Catalog, given: Any) -> None:
    with pytest.raises(InvalidInput, match="the model must be a LangChain chat model, not .*EmbeddedServer"):
        build_graph(given, catalog)


async def test_a_model_with_bound_arguments_is_a_model(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES)
    bound: Any = model.bind(stop=["--"])
    assert (await build_graph(bound, catalog).ainvoke(QUESTION, context=SINGLE))["status"] == "ok"


async def test_a_model_with_retries_is_a_model_with_its_settings(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES)
    retried: Any = model.bind(stop=["--"]).with_retry(stop_after_attempt=2)
    assert (await build_graph(retried, catalog).ainvoke(QUESTION, context=SINGLE))["status"] == "ok"
    tuned: Any = TunedModel(history=[], otherwise=lambda *_: NAMES)
    await build_graph(tuned.with_retry(), catalog).ainvoke(QUESTION, context=SINGLE)
    assert "Task: text to SQL" in str(tuned.history[0][1][-1].content)


def test_a_model_with_fallbacks_is_none(model: ScriptedModel, catalog: Catalog) -> None:
    given: Any = model.with_retry().with_fallbacks([model])
    with pytest.raises(InvalidInput, match="one with fallbacks, is not"):
        build_graph(given, catalog)


@pytest.mark.parametrize("given", [None, "shop.sqlite", {}])
def test_what_is_no_catalog_is_said(model: ScriptedModel, given: Any) -> None:
    with pytest.raises(InvalidInput, match=r"the catalog must be a Catalog, not .*Catalog.from_url"):
        build_graph(model, given)


@pytest.mark.parametrize("name", ["state_schema", "input_schema", "output_schema"])
def test_a_schema_that_is_no_class_is_said(model: ScriptedModel, catalog: Catalog, name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} must be a class, such as a TypedDict, not 5"):
        make_builder(model, catalog, **{name: 5})  # type: ignore[arg-type]


@pytest.mark.parametrize("made", [None, "Task: write one", [], [5], [{"role": "user"}], 5])
async def test_a_prompt_that_gives_no_messages_is_said(model: ScriptedModel, catalog: Catalog, made: Any) -> None:
    graph = build_graph(model, catalog, prompts=Prompts(generate=lambda brief: made))
    with pytest.raises(
        InvalidInput, match=r"the prompt generate must return a list of messages, .*conversation\(brief"
    ):
        await graph.ainvoke(QUESTION, context=SINGLE)
    assert model.history == []


async def test_a_prompt_may_give_messages_in_every_form_of_langchain(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES)
    graph = build_graph(model, catalog, prompts=Prompts(generate=cast(Any, lambda brief: [("user", TASK)])))
    answer = await graph.ainvoke(QUESTION, context=Context(strategy="single", keep_prompts=True), version="v2")
    assert answer.value["status"] == "ok" and model.history[0][1][0].content == TASK


async def test_half_of_a_surrogate_pair_in_a_reply_does_not_reach_the_answer(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("sql", "SELECT 'a\ud800'")
    answer = await build_graph(model, catalog).ainvoke(QUESTION, context=SINGLE)
    assert answer["sql"] == "SELECT 'a\ufffd'" and json.dumps(answer, ensure_ascii=False).encode()
