"""What a context may say: nonsense is refused where it is made; a database's limits are lowered and never lifted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.errors import InvalidInput
from route_sql.tools.limits import Limits

MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1600) SELECT i FROM n"
QUESTION = Question(question="Which numbers are there?", database="shop")

NONSENSE = [
    ({"approve": "no"}, "approve in the context must be true or false"),
    ({"approve": None}, "approve in the context must be true or false"),
    ({"strategy": "bogus"}, "strategy in the context must be one of adaptive, paper, single, not 'bogus'"),
    ({"without": "draft"}, "without in the context must be a list of agents, which are link_schema, draft, "),
    ({"without": ("drafts",)}, "without in the context must be a list of agents"),
    ({"dialect": "oracl"}, "dialect in the context must be sqlglot's name of a dialect"),
    ({"dialect": 5}, "dialect in the context must be"),
    ({"row_limit": -1}, "row_limit in the context must be a whole number from 0 on, not -1"),
    ({"row_limit": 2**63}, "row_limit in the context must be a whole number from 0 on"),
    ({"max_tokens": 10**30}, "max_tokens in the context must be a whole number from 1 on"),
    ({"row_limit": "2"}, "row_limit in the context must be a whole number from 0 on, not '2'"),
    ({"deadline": 0}, "deadline in the context must be a number of seconds above 0, not 0"),
    ({"deadline": -1}, "deadline in the context must be"),
    ({"deadline": 10**400}, "deadline in the context must be a number of seconds above 0"),
    ({"seconds": 10**400}, "seconds in the context must be a number of seconds above 0"),
    ({"deadline": "5"}, "deadline in the context must be"),
    ({"schema_chars": 0}, "schema_chars in the context must be a whole number from 1 on"),
    ({"max_corrections": -1}, "max_corrections in the context must be a whole number from 0 on"),
    ({"max_continuations": None}, "max_continuations in the context must be"),
    ({"max_samples": -1}, "max_samples in the context must be"),
    ({"allow": "staff"}, "allow in the context must be a list of names"),
    ({"hide": [1]}, "hide in the context must be a list of names"),
]


@pytest.fixture
async def shop_with_limits(shop: Path) -> AsyncIterator[Catalog]:
    catalog, _ = Catalog.from_url(shop, Limits(seconds=30, rows=1_500))
    async with catalog:
        yield catalog


@pytest.mark.parametrize(("choice", "said"), NONSENSE)
def test_nonsense_is_refused_where_it_is_made(choice: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Context(**choice)


@pytest.mark.parametrize(("choice", "said"), NONSENSE)
async def test_nonsense_in_plain_json_is_refused_in_the_same_words(
    model: ScriptedModel, catalog: Catalog, choice: dict[str, Any], said: str
) -> None:
    graph: Any = build_graph(model, catalog)
    with pytest.raises(InvalidInput, match=said):
        await graph.ainvoke(QUESTION, context=choice)


@pytest.mark.parametrize(
    "choice",
    [
        {"without": ["draft", "generate"], "allow": ["customer"], "hide": []},
        {"dialect": "postgres", "row_limit": 0, "deadline": 0.5, "max_corrections": 0},
        {"dialect": None, "row_limit": None, "deadline": None},
    ],
)
def test_what_makes_sense_is_taken(choice: dict[str, Any]) -> None:
    assert {key: getattr(Context(**choice), key) for key in choice} == choice


async def test_an_unknown_field_of_plain_json_is_named(model: ScriptedModel, catalog: Catalog) -> None:
    """LangGraph would raise a TypeError."""
    wrong: Any = {"hid": ["customer.city"]}
    with pytest.raises(InvalidInput, match="the context dict with hid is not one of route-sql's"):
        await build_graph(model, catalog).ainvoke(QUESTION, context=wrong)
    within: Any = {"route_sql": {"strategy": "single", "hide": ["customer.city"]}, "user": "ida"}
    model.enqueue("sql", "SELECT city FROM customer")
    assert (await build_graph(model, catalog).ainvoke(QUESTION, context=within))["status"] == "error"


@pytest.mark.parametrize(
    ("choice", "rows"), [({}, 1_500), ({"row_limit": 2}, 2), ({"row_limit": 0}, 0), ({"row_limit": 5_000}, 1_500)]
)
async def test_an_answer_has_the_databases_own_number_of_rows_or_fewer(
    model: ScriptedModel, shop_with_limits: Catalog, choice: dict[str, Any], rows: int
) -> None:
    model.enqueue("sql", MANY)
    context = Context(strategy="single", **choice)
    answer = (await build_graph(model, shop_with_limits).ainvoke(QUESTION, context=context, version="v2")).value
    assert (len(answer["rows"]), answer["row_count"], answer["truncated"]) == (rows, 1_500, True)


@pytest.mark.parametrize(("choice", "seconds"), [({}, 30.0), ({"deadline": 2.5}, 2.5)])
async def test_an_executor_learns_the_deadline_that_holds(
    model: ScriptedModel, shop_with_limits: Catalog, choice: dict[str, Any], seconds: float
) -> None:
    reported: list[float] = []

    @tool(response_format="content_and_artifact")
    async def own(sql: str, database: str, seconds: float) -> tuple[str, Outcome]:
        """Run SQL within a deadline."""
        reported.append(seconds)
        return "", await shop_with_limits.get(database).execute(sql)

    model.enqueue("sql", MANY)
    graph = build_graph(model, shop_with_limits, executor=own)
    await graph.ainvoke(QUESTION, context=Context(strategy="single", **choice))
    assert reported == [seconds]
