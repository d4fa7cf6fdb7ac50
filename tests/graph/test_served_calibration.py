"""The calibration of a model at a URL, which the server's name for the model says."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from support.chat_stub import ChatStub, completion, models

from route_sql.graph.confidence import Calibration, Logistic
from route_sql.graph.context import Context
from route_sql.graph.state import OwnQuery, Question
from route_sql.graph.wiring import build_graph
from route_sql.serving.client.chat import ChatTGI
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import RouteError

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
QUESTION = Question(question="Which customers live in Bergen?", database="shop")
BY_TOKENS = Logistic(intercept=4.0, weights={"surprise": -4.0}, usual={})
CALIBRATION = Calibration(alone=BY_TOKENS, compared=BY_TOKENS, enough=0.9)


class Away(RouteError):
    pass


class Served(ScriptedModel):
    """A model whose server names it, or is away."""

    is_away: bool = False
    lookups: int = 0

    async def find_calibration(self) -> Calibration:
        self.lookups += 1
        if self.is_away:
            raise Away("the server can't be reached")
        return CALIBRATION


@pytest.fixture
def served() -> Served:
    return Served(history=[], logprob=-0.001)


async def test_a_sure_draft_of_a_served_model_ends_the_run(served: Served, catalog: Catalog) -> None:
    served.enqueue("sql", NAMES)
    answer: Any = await build_graph(served, catalog).ainvoke(QUESTION)
    assert served.tasks == ["sql"] and answer["calibrated"] and answer["confidence"] > 0.95


async def test_a_given_calibration_is_not_looked_up(served: Served, catalog: Catalog) -> None:
    served.enqueue("sql", NAMES)
    answer: Any = await build_graph(served, catalog, calibration=CALIBRATION).ainvoke(QUESTION)
    assert answer["calibrated"] and served.lookups == 0


async def test_a_question_to_a_server_that_is_away_is_an_error(served: Served, catalog: Catalog) -> None:
    served.is_away = True
    with pytest.raises(Away):
        await build_graph(served, catalog).ainvoke(QUESTION)
    assert served.tasks == []


async def test_an_own_query_needs_no_server(served: Served, catalog: Catalog) -> None:
    served.is_away = True
    asked = OwnQuery(question="Who?", database="shop", own_sql=NAMES)
    answer: Any = await build_graph(served, catalog).ainvoke(asked)
    assert answer["rows"] == [["Ida"], ["Una"]] and served.lookups == 0


async def test_an_approved_query_runs_when_the_server_is_away(served: Served, catalog: Catalog) -> None:
    served.enqueue("sql", NAMES)
    graph = build_graph(served, catalog, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    await graph.ainvoke(QUESTION, config, context=Context(strategy="single", approve=True))
    served.is_away = True
    answer: Any = await graph.ainvoke(Command(resume=True), config)
    assert answer["rows"] == [["Ida"], ["Una"]] and not answer["calibrated"]


@pytest.mark.parametrize(("name", "is_calibrated"), [("route-sql/default", True), ("route-sql", False)])
async def test_the_client_asks_the_server_for_the_name(
    stub: ChatStub, shop: Path, name: str, is_calibrated: bool
) -> None:
    token = {"token": "x", "logprob": -0.001, "top_logprobs": []}
    stub.models.append(models(name))
    choice = {"index": 0, "finish_reason": "stop", "logprobs": {"content": [token] * 9}}
    message = {"message": {"role": "assistant", "content": NAMES}}
    stub.enqueue(completion("", choices=[choice | message]))
    catalog, _ = Catalog.from_url(shop)
    async with catalog:
        chat = ChatTGI(base_url=stub.url)
        answer: Any = await build_graph(chat, catalog).ainvoke(QUESTION, context=Context(strategy="single"))
        await chat.aclose()
    assert answer["calibrated"] == is_calibrated and stub.gets == ["/v1/models"]
