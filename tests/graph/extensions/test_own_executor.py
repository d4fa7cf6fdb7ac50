"""An executor of the caller's: a deadline and caps around it, and functions that make an outcome."""

import asyncio
import re
import sys
import time
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException, tool

import route_sql
from route_sql.graph.context import Context
from route_sql.graph.extensions import executor as executing
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

NAMES = "SELECT name FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")
SINGLE = Context(strategy="single")


async def answer_of(model: ScriptedModel, catalog: Catalog, executor: BaseTool, context: Context = SINGLE) -> Any:
    model.enqueue("sql", NAMES)
    return await build_graph(model, catalog, executor=executor).ainvoke(QUESTION, context=context)


@tool(response_format="content_and_artifact")
async def sleeps(sql: str) -> tuple[str, Outcome]:
    """Run SQL for ever."""
    await asyncio.sleep(600)
    raise AssertionError


@tool(response_format="content_and_artifact")
def blocks(sql: str) -> tuple[str, Outcome]:
    """Run SQL for ever in a thread."""
    time.sleep(20)
    raise AssertionError


@pytest.mark.parametrize("executor", [sleeps, blocks])
async def test_an_executor_has_the_deadline_and_a_margin(
    model: ScriptedModel, catalog: Catalog, executor: BaseTool
) -> None:
    began = time.monotonic()
    answer = await answer_of(model, catalog, executor, Context(strategy="single", deadline=0.2))
    assert executing.MARGIN < time.monotonic() - began < executing.MARGIN + 5
    assert answer["status"] == "timeout"
    assert answer["error"].startswith(f"The executor {executor.name} gave no result within 5.2 s.")


@tool(response_format="content_and_artifact")
async def raises(sql: str) -> tuple[str, Outcome]:
    """Run SQL on a warehouse that is away."""
    raise ConnectionError("the warehouse is away")


@tool(response_format="content_and_artifact")
async def reports(sql: str) -> tuple[str, Outcome]:
    """Run SQL on a warehouse that is away."""
    raise ToolException("the warehouse is away")


reports.handle_tool_error = True


@tool
async def replies(sql: str) -> ToolMessage:
    """Run SQL on a warehouse that is away."""
    return ToolMessage("the warehouse is away", tool_call_id="1", status="error")


@tool(response_format="content_and_artifact")
async def leaves(sql: str) -> tuple[str, Outcome]:
    """Run SQL on a warehouse that is away."""
    sys.exit("the warehouse is away")


@pytest.mark.parametrize("executor", [raises, reports, replies, leaves])
async def test_an_executor_that_fails_has_an_outcome(
    model: ScriptedModel, catalog: Catalog, executor: BaseTool
) -> None:
    answer = await answer_of(model, catalog, executor)
    assert answer["status"] == "error" and answer["sql"] == NAMES
    assert answer["error"].startswith(f"The executor {executor.name} failed: ")
    assert "the warehouse is away" in answer["error"]


NUMBERS: list[dict[str, Any]] = [
    {"seconds": float("nan")},
    {"seconds": True},
    {"seconds": -1.0},
    {"row_count": True},
    {"row_count": -5},
    {"row_count": 1.5},
]


@pytest.mark.parametrize("wrong", NUMBERS)
async def test_numbers_that_are_none_are_counted_here(
    model: ScriptedModel, catalog: Catalog, wrong: dict[str, Any]
) -> None:
    @tool(response_format="content_and_artifact")
    async def own(sql: str) -> tuple[str, Any]:
        """Run SQL elsewhere."""
        return "2 rows", {**route_sql.returned(["name"], [["Ida"], ["Ole"]]), **wrong}

    answer = await answer_of(model, catalog, own)
    assert (answer["status"], answer["row_count"]) == ("ok", 2)
    assert answer["candidates"][0]["seconds"] >= 0.0


async def test_a_database_that_is_away_is_still_an_error(model: ScriptedModel, catalog: Catalog) -> None:
    @tool(response_format="content_and_artifact")
    async def own(sql: str) -> tuple[str, Outcome]:
        """Run SQL on a database that is away."""
        raise DatabaseUnavailable("the warehouse is away; start it")

    with pytest.raises(DatabaseUnavailable, match="start it"):
        await answer_of(model, catalog, own)


def giving(outcome: Any) -> BaseTool:
    @tool(response_format="content_and_artifact")
    async def own(sql: str) -> tuple[str, Any]:
        """Give an outcome."""
        return "", outcome

    return own


async def test_its_result_is_cut_to_the_limits(model: ScriptedModel, shop: Any) -> None:
    limits = Limits(rows=3, cell_chars=10, result_bytes=1_000)
    catalog, _ = Catalog.from_url(shop, limits)
    rows: list[list[Any]] = [["x" * 5_000_000, n] for n in range(100)]
    full = Outcome(
        status="ok", columns=["a", "b"], rows=rows, row_count=100, truncated=False, error=None, digest="1", seconds=0.1
    )
    async with catalog:
        answer = await answer_of(model, catalog, giving(full))
    assert answer["rows"] == [["xxxxxxxxx…", n] for n in range(3)]
    assert answer["truncated"] and answer["row_count"] == 100


async def test_an_outcome_without_a_digest_has_run_if_its_status_says_so(
    model: ScriptedModel, catalog: Catalog
) -> None:
    outcome = Outcome(
        status="ok", columns=["a"], rows=[[1]], row_count=1, truncated=False, error=None, digest=None, seconds=0.1
    )
    model.enqueue("sql", NAMES, f"{NAMES} ORDER BY 1")
    answer: Any = await build_graph(model, catalog, executor=giving(outcome)).ainvoke(QUESTION)
    assert answer["status"] == "ok" and [each["agent"] for each in answer["candidates"]] == ["draft", "generate"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "done"},
        {"status": None},
        {"rows": "abc"},
        {"rows": [1, 2]},
        {"rows": None},
        {"rows": [[1, 2]]},
        {"rows": [[]]},
        {"columns": "name"},
        {"columns": ["a", "b"]},
    ],
)
async def test_what_is_no_outcome_is_said(model: ScriptedModel, catalog: Catalog, change: dict[str, Any]) -> None:
    outcome = {**route_sql.returned(["a"], [[1]]), **change}
    answer = await answer_of(model, catalog, giving(outcome))
    assert (answer["status"], answer["sql"]) == ("error", NAMES)
    assert re.search(r"executor own gave no valid Outcome.*route_sql.returned or route_sql.fail", answer["error"])


class Unprintable:
    """An object of a driver whose text fails."""

    def __str__(self) -> str:
        raise RuntimeError("no connection")


async def test_a_name_without_a_text_costs_the_candidate(model: ScriptedModel, catalog: Catalog) -> None:
    outcome = {**route_sql.returned(["a"], [[1]]), "columns": [Unprintable()]}
    answer = await answer_of(model, catalog, giving(outcome))
    assert answer["status"] == "error" and "The executor own failed: RuntimeError: no connection" in answer["error"]


async def test_public_functions_make_outcomes(model: ScriptedModel, catalog: Catalog) -> None:
    rows = [(Decimal("0.10"), date(2024, 1, 2), b"\x00"), (2**64, None, "Ida")]
    outcome = route_sql.returned(["amount", "day", "name"], rows, seconds=0.5)
    answer = await answer_of(model, catalog, giving(outcome))
    assert answer["rows"] == [[0.1, "2024-01-02", "x'00' (1 byte)"], ["18446744073709551616", None, "Ida"]]
    assert (answer["status"], answer["row_count"], answer["truncated"]) == ("ok", 2, False)
    assert (await answer_of(model, catalog, giving(route_sql.returned(["a"], []))))["status"] == "empty"

    refused = route_sql.failed("refused", "The query costs too much.")
    answer = await answer_of(model, catalog, giving(refused))
    assert (answer["status"], answer["error"]) == ("refused", "The query costs too much.")


@pytest.mark.parametrize("row", [{"a": 1, "b": 2}, "ab", (1,), (1, 2, 3), 7])
async def test_a_row_has_a_cell_for_each_column(model: ScriptedModel, catalog: Catalog, row: Any) -> None:
    @tool(response_format="content_and_artifact")
    async def own(sql: str) -> tuple[str, Outcome]:
        """Give a row as a cursor of dictionaries does, or of another width."""
        return "", route_sql.returned(["a", "b"], [(1, 2), row])

    answer = await answer_of(model, catalog, own)
    assert (answer["status"], answer["rows"]) == ("error", [])
    assert answer["error"] and "The executor own failed: TypeError: " in answer["error"]


@pytest.mark.parametrize(("deadline", "given"), [(None, 10.0), (1000.0, 10.0), (2.0, 2.0)])
async def test_a_deadline_is_never_above_that_of_the_database(
    model: ScriptedModel, catalog: Catalog, deadline: float | None, given: float
) -> None:
    @tool(response_format="content_and_artifact")
    async def notes_seconds(sql: str, seconds: float) -> tuple[str, Any]:
        """Run nothing."""
        return "", route_sql.returned(["seconds"], [(seconds,)])

    answer = await answer_of(model, catalog, notes_seconds, Context(strategy="single", deadline=deadline))
    assert answer["rows"] == [[given]]
