"""Several completions by one request: `n` where the server takes it, one request each where it does not."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from support.chat_calls import chat
from support.chat_stub import ChatStub, completion, failure, models
from support.chat_stub import Reply as StubReply

from route_sql.agents.samples import ask_for_samples, completions_at_once
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.serving.errors import ServerRefused
from route_sql.tools.database.catalog import Catalog

HI = [HumanMessage("hi")]
USAGE = {
    "prompt_tokens": 40,
    "completion_tokens": 6,
    "total_tokens": 46,
    "prompt_tokens_details": {"cached_tokens": 32},
}


def several(*texts: str, usage: Any = USAGE, logprobs: bool = True) -> StubReply:
    def choice(index: int, text: str) -> dict[str, Any]:
        tokens = {"content": [{"token": word, "logprob": -0.1} for word in text.split()]}
        more = {"logprobs": tokens} if logprobs else {}
        return {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": text}, **more}

    return completion("", choices=[choice(place, text) for place, text in enumerate(texts)], usage=usage)


async def test_a_server_that_takes_n_is_asked_once(stub: ChatStub) -> None:
    stub.enqueue(several("a b", "c d e", "f"))
    model = chat(stub)
    replies = await ask_for_samples(model, HI, [5, 6, 7])
    assert [reply.text for reply in replies] == ["a b", "c d e", "f"]
    assert len(stub.bodies) == 1
    sent = {key: stub.bodies[0][key] for key in ("n", "seed", "temperature", "stream")}
    assert sent == {"n": 3, "seed": 5, "temperature": 0.7, "stream": False}
    assert [reply.prompt_tokens for reply in replies] == [40, 0, 0]
    assert [reply.cached_tokens for reply in replies] == [32, None, None]
    assert [reply.completion_tokens for reply in replies] == [2, 3, 1]
    assert completions_at_once(model) > 1


async def test_a_model_with_bound_arguments_is_asked_for_one_at_a_time(stub: ChatStub) -> None:
    bound: Any = chat(stub).bind(stop=["--"])
    assert completions_at_once(bound) == 1


async def test_tokens_that_a_server_counts_for_one_completion_only_are_counted_for_all(stub: ChatStub) -> None:
    stub.enqueue(several("a b", "c d e", "f", usage={**USAGE, "completion_tokens": 2}))
    replies = await ask_for_samples(chat(stub), HI, [1, 2, 3])
    assert sum(reply.completion_tokens for reply in replies) == 6


async def test_without_log_probabilities_the_servers_count_stands(stub: ChatStub) -> None:
    stub.enqueue(several("a b", "c", logprobs=False))
    replies = await ask_for_samples(chat(stub), HI, [1, 2])
    assert [reply.completion_tokens for reply in replies] == [6, 0]


async def test_a_server_that_ignores_n_is_not_asked_for_several_again(stub: ChatStub) -> None:
    stub.enqueue(several("a"))
    model = chat(stub)
    assert [reply.text for reply in await ask_for_samples(model, HI, [1, 2, 3])] == ["a"]
    assert completions_at_once(model) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, {"error": {"message": "n_cmpl cannot be greater than the number of slots, please increase -np"}}),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "Input should be less than or equal to 1"}]}),
        (400, {"error": {"message": "Only one completion choice is allowed"}}),
        (400, {"error": "n must be 1"}),
        (400, {"error": "Unsupported parameter: n"}),
        (501, {"error": "multiple completions are not implemented"}),
    ],
)
async def test_a_server_that_refuses_n_is_asked_for_one(stub: ChatStub, status: int, said: Any) -> None:
    stub.enqueue(failure(status, said), several("a"))
    model = chat(stub)
    assert [reply.text for reply in await ask_for_samples(model, HI, [1, 2])] == ["a"]
    assert "n" in stub.bodies[0] and "n" not in stub.bodies[1]
    assert completions_at_once(model) == 1


async def test_another_refusal_is_raised(stub: ChatStub) -> None:
    stub.enqueue(failure(400, {"error": "the temperature is too high"}))
    with pytest.raises(ServerRefused, match="temperature"):
        await ask_for_samples(chat(stub), HI, [1, 2])


async def test_more_completions_than_asked_for_are_left_out(stub: ChatStub) -> None:
    stub.enqueue(several("a", "b", "c"), several("d", "e"))
    assert [reply.text for reply in await ask_for_samples(chat(stub), HI, [1, 2])] == ["a", "b"]
    assert (await chat(stub).ainvoke(HI)).text == "d"


async def test_each_completion_is_cut_at_the_longest_text(stub: ChatStub) -> None:
    stub.enqueue(several("a", "b" * 10_000, logprobs=False))
    replies = await ask_for_samples(chat(stub, max_tokens=1), HI, [1, 2])
    assert [len(reply.text) < 1_000 for reply in replies] == [True, True]
    assert replies[1].finish_reason == "length"


@pytest.mark.parametrize("choices", [[], [{"index": 1}], [{"index": 0, "message": {"content": "a"}}, {"index": "x"}]])
async def test_choices_in_no_form_are_read_with_distrust(stub: ChatStub, choices: list[Any]) -> None:
    stub.enqueue(completion("", choices=choices))
    try:
        replies = await ask_for_samples(chat(stub), HI, [1, 2])
    except ServerRefused as error:
        assert "not a completion" in str(error)
    else:
        assert [reply.text for reply in replies] == ["a"]


# The graph with a server that takes `n`, and with one that does not.

ALL, CITIES = "SELECT name FROM customer", "SELECT city FROM customer"
NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"


@pytest.fixture
async def shop(tmp_path: Any) -> Any:
    import sqlite3
    from contextlib import closing

    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE customer (name TEXT, city TEXT);"
            "INSERT INTO customer VALUES ('Ida', 'Bergen'), ('Ole', 'Oslo'), ('Una', 'Bergen')"
        )
    catalog, _ = Catalog.from_url(path)
    async with catalog:
        yield catalog


@pytest.mark.parametrize("mode", ["values", "messages"])
async def test_the_graph_draws_by_n_and_by_single_requests(stub: ChatStub, shop: Catalog, mode: Any) -> None:
    """With the stream of messages LangChain would stream each call, and a stream mixes the completions."""
    stub.models.append(models("route-sql"))
    model = chat(stub, wording="tuned")
    graph = build_graph(model, shop)
    question = Question(question="Who lives in Bergen?", database="shop")
    stub.enqueue(several(ALL), several(CITIES), several("verdict: right"))
    stub.enqueue(several(NAMES, ALL), several(NAMES, CITIES))
    parts = [part async for part in graph.astream(question, context=Context(samples=4), stream_mode=["values", mode])]
    answer: Any = [part for kind, part in parts if kind == "values"][-1]
    assert answer["sql"] == NAMES and len(answer["ledger"]) == 5
    calls = answer["ledger"][-2:]
    assert [(call["node"], call["completions"], call["prompt_tokens"]) for call in calls] == [("sample", 2, 40)] * 2
    written = sum(len(sql.split()) for sql in (NAMES, ALL, NAMES, CITIES))
    assert sum(call["completion_tokens"] for call in calls) == written

    # The next server ignores `n`: what it did not give is asked for one by one, and the next question's at once.
    for first in (2, 1):
        stub.bodies.clear()
        stub.enqueue(several(ALL), several(CITIES), several("verdict: right"), *[several(NAMES)] * 4)
        answer = await graph.ainvoke(question, context=Context(samples=4))
        assert answer["sql"] == NAMES
        drawn = [(body["seed"], body.get("n", 1)) for body in stub.bodies if body["temperature"] == 0.7]
        assert sorted(drawn) == [(1, first), (2, 1), (3, first), (4, 1)]
        assert len(answer["ledger"]) == 7
