"""Log-probabilities of a reply's tokens: asked for, read with distrust, left out for servers that refuse them."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from support.chat_calls import chat
from support.chat_stub import ChatStub, completion, failure, streamed

from route_sql.agents.call import LEAST_LOGPROB, ask_model
from route_sql.serving.errors import ServerRefused

HI = [HumanMessage("hi")]


def token(text: str, logprob: Any) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": [1], "top_logprobs": [{"token": "x", "logprob": -9}]}


def with_logprobs(*tokens: Any) -> Any:
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": "ab"}, "logprobs": {"content": list(tokens)}}
    return completion("", choices=[choice])


def event(text: str, *tokens: Any, end: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": end, "logprobs": {"content": list(tokens)}}
    return {"model": "stub", "choices": [choice]}


async def test_a_reply_has_them_token_by_token(stub: ChatStub) -> None:
    stub.enqueue(with_logprobs(token("a", -0.1), token("b", -0.5)))
    reply = await ask_model(chat(stub), HI)
    assert stub.bodies[0]["logprobs"] is True
    assert reply.logprobs == (-0.1, -0.5)


async def test_a_stream_tells_them_at_its_end(stub: ChatStub) -> None:
    stub.enqueue(streamed(event("a", token("a", -0.1)), event("b", token("b", -0.5), end="stop")))
    chunks = [chunk async for chunk in chat(stub).astream(HI)]
    assert chunks[-1].response_metadata["logprobs"] == {
        "content": [{"token": "a", "logprob": -0.1}, {"token": "b", "logprob": -0.5}]
    }


async def test_the_alternatives_are_kept_only_if_they_were_asked_for(stub: ChatStub) -> None:
    stub.enqueue(with_logprobs(token("a", -0.1)), with_logprobs(token("a", -0.1)))
    plain = await chat(stub).ainvoke(HI)
    asked = await chat(stub).ainvoke(HI, top_logprobs=1)
    assert plain.response_metadata["logprobs"] == {"content": [{"token": "a", "logprob": -0.1}]}
    assert asked.response_metadata["logprobs"] == {"content": [token("a", -0.1)]}


@pytest.mark.parametrize(
    ("tokens", "read"),
    [
        ([], ()),
        (["a", None, 3], ()),
        ([token("a", "sure"), token("b", None), token("c", True)], ()),
        ([token("a", -9999.0), token("b", 0.5)], (LEAST_LOGPROB, 0.0)),
        ([token("a", -(10**400)), token("b", 10**400)], (LEAST_LOGPROB, 0.0)),
    ],
    ids=["none", "no objects", "no numbers", "out of range", "400 digits"],
)
async def test_whatever_a_server_sends_gives_numbers_up_to_zero(
    stub: ChatStub, tokens: list[Any], read: tuple[float, ...]
) -> None:
    stub.enqueue(with_logprobs(*tokens))
    reply = await ask_model(chat(stub), HI)
    assert reply.logprobs == read


@pytest.mark.parametrize("given", [None, "sure", [1], {"content": "sure"}, {"content": None}])
async def test_logprobs_of_another_form_are_left_out(stub: ChatStub, given: Any) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": "ab"}, "logprobs": given}
    stub.enqueue(completion("", choices=[choice]), streamed(event("ab") | {"choices": [choice | {"delta": {}}]}))
    assert (await ask_model(chat(stub), HI)).logprobs == ()
    assert [chunk async for chunk in chat(stub).astream(HI)]


@pytest.mark.parametrize(
    "said",
    [
        "Unsupported fields in the request: {'logprobs'}",
        "logprobs is not supported on this endpoint",
        "Requested sample logprobs of 0, which is greater than max allowed: log_probs are off",
    ],
)
@pytest.mark.parametrize("status", [400, 422, 500])
async def test_a_server_that_refuses_them_is_asked_without_from_then_on(stub: ChatStub, said: str, status: int) -> None:
    stub.enqueue(failure(status, {"error": {"message": said}}), completion("one"), streamed("two"))
    model = chat(stub)
    assert (await model.ainvoke(HI)).text == "one"
    assert "".join([chunk.text async for chunk in model.astream(HI)]) == "two"
    assert ["logprobs" in body for body in stub.bodies] == [True, False, False]


async def test_a_server_may_refuse_both_the_system_role_and_the_log_probabilities(stub: ChatStub) -> None:
    refusals = [failure(400, {"error": text}) for text in ("logprobs are unknown", "system role not supported")]
    stub.enqueue(*refusals, completion("one"), completion("two"))
    model = chat(stub)
    for text in ("one", "two"):
        assert (await model.ainvoke([("system", "be short"), ("user", "hi")])).text == text
    assert [("logprobs" in body, len(body["messages"])) for body in stub.bodies] == [
        (True, 2),
        (False, 2),
        (False, 1),
        (False, 1),
    ]


async def test_a_refusal_that_names_them_twice_is_raised(stub: ChatStub) -> None:
    stub.enqueue(*[failure(400, {"error": "logprobs are unknown"})] * 2)
    with pytest.raises(ServerRefused, match="logprobs"):
        await chat(stub).ainvoke(HI)


async def test_they_can_be_switched_off(stub: ChatStub) -> None:
    stub.enqueue(completion("one"))
    await chat(stub, logprobs=False).ainvoke(HI)
    assert "logprobs" not in stub.bodies[0]
