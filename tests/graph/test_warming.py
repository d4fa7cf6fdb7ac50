"""Warm-up: the prompt that it sends begins as those of all later questions."""

import os
from itertools import takewhile
from pathlib import Path

import pytest
from support.chat_stub import ChatStub, completion

from route_sql.demo.database import build_demo_database
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.warming import warm_up
from route_sql.graph.wiring import build_graph
from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import UnknownDatabase

QUESTION = Question(question="Who lives in Bergen?", database="shop")
SINGLE = Context(strategy="single")


def common(one: str, other: str) -> str:
    return "".join(pair[0] for pair in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


async def test_the_warm_prompt_begins_as_that_of_a_question(stub: ChatStub, catalog: Catalog) -> None:
    stub.enqueue(completion("x"), completion("SELECT 1"))
    chat = ChatTGI(base_url=stub.url, model="route-sql")
    warmed = [each async for each in warm_up(chat, catalog, ["shop"])]
    assert [name for name, seconds in warmed if seconds is not None] == ["shop"]
    await build_graph(chat, catalog).ainvoke(QUESTION, context=SINGLE)
    warm, asked = ([message["content"] for message in body["messages"]] for body in stub.bodies)
    assert warm[:-1] == asked[:-1]
    assert "SCHEMA>>>" in common(warm[-1], asked[-1])
    assert stub.bodies[0]["max_tokens"] == 1


async def test_a_schema_that_no_prompt_holds_is_not_computed(stub: ChatStub, catalog: Catalog) -> None:
    chat = ChatTGI(base_url=stub.url, model="route-sql")
    small = Context(schema_chars=40)
    assert [each async for each in warm_up(chat, catalog, ["shop"], small)] == [("shop", None)]
    with pytest.raises(UnknownDatabase):
        _ = [each async for each in warm_up(chat, catalog, ["nowhere"])]
    assert not stub.bodies


@pytest.mark.model
async def test_the_first_question_after_it_finds_its_schema_computed(
    embedded_server: EmbeddedServer, tmp_path: Path
) -> None:
    build_demo_database(tmp_path / f"clinic{os.getpid()}.sqlite")
    catalog, name = Catalog.from_url(tmp_path / f"clinic{os.getpid()}.sqlite")
    chat = embedded_server.chat_model()
    async with catalog:
        _ = [each async for each in warm_up(chat, catalog, [name])]
        question = Question(question="How many doctors are there?", database=name)
        answer = await build_graph(chat, catalog).ainvoke(question, context=SINGLE)
    call = answer["ledger"][0]
    assert call["cached_tokens"] is not None and call["cached_tokens"] > call["prompt_tokens"] / 2
