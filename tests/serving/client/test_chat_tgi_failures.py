"""What the chat client makes of servers that are busy, refuse, break off, fall silent or are gone."""

import asyncio
from typing import Any

import pytest
from support.chat_calls import chat, gathered
from support.chat_stub import ChatStub, completion, dropped, failure, hanging, raw, streamed

from route_sql.serving.errors import ContextExceeded, ServerRefused, ServerUnavailable


@pytest.mark.parametrize("reply", [failure(429, {"error": "busy"}), failure(503, {"error": "loading"}), dropped])
async def test_an_overload_or_a_broken_connection_is_tried_again(stub: ChatStub, reply: Any) -> None:
    stub.enqueue(reply, completion("hello"), reply, streamed("hello"))
    assert (await chat(stub).ainvoke("hi")).text == "hello"
    assert (await gathered(chat(stub)))[1].text == "hello"
    assert len(stub.bodies) == 4


@pytest.mark.parametrize("status", [400, 401, 404, 422, 424, 500])
async def test_a_refusal_is_not_tried_again_and_says_who_said_what(stub: ChatStub, status: int) -> None:
    stub.enqueue(failure(status, {"error": "bad wishes"}), failure(status, {"error": {"message": "bad wishes"}}))
    with pytest.raises(ServerRefused, match=rf"{stub.url}.*{status}.*bad wishes"):
        await chat(stub).ainvoke("hi")
    with pytest.raises(ServerRefused, match=rf"{stub.url}.*{status}.*bad wishes"):
        await gathered(chat(stub))
    assert len(stub.bodies) == 2


@pytest.mark.parametrize("said", ["bad wishes", ["bad wishes"], {"error": ["bad wishes"]}, {"message": "bad wishes"}])
async def test_a_refusal_of_any_form_says_what_the_server_said(stub: ChatStub, said: Any) -> None:
    stub.enqueue(failure(400, said), failure(400, said))
    with pytest.raises(ServerRefused, match="400.*bad wishes"):
        await chat(stub).ainvoke("hi")
    with pytest.raises(ServerRefused, match="400.*bad wishes"):
        await gathered(chat(stub))


@pytest.mark.parametrize("body", ["<html>login</html>", "[]", "{}", '{"choices": []}'])
async def test_an_answer_that_is_no_completion_is_a_refusal(stub: ChatStub, body: str) -> None:
    stub.enqueue(raw(body))
    with pytest.raises(ServerRefused, match=stub.url):
        await chat(stub).ainvoke("hi")


@pytest.mark.parametrize(
    ("status", "error", "prompt", "context"),
    [
        (400, {"type": "exceed_context_size_error", "message": "no", "n_prompt_tokens": 9, "n_ctx": 8}, 9, 8),
        (422, "`inputs` tokens + `max_new_tokens` must be <= 8. Given: 9 `inputs` tokens and 5", 9, 8),
        (422, "Input validation error: `inputs` must have less than 8 tokens. Given: 9", 9, 8),
        (400, {"message": "maximum context length is 8 tokens, your request has 9 input tokens"}, 9, 8),
        (
            400,
            {"message": "The input (9 tokens) is longer than the model's context length (8 tokens)."},
            9,
            8,
        ),
        (400, {"message": "This model's maximum context length is 8 tokens."}, None, 8),
    ],
)
async def test_a_prompt_that_is_too_long_is_told_apart(
    stub: ChatStub, status: int, error: Any, prompt: int | None, context: int
) -> None:
    stub.enqueue(failure(status, {"error": error}))
    with pytest.raises(ContextExceeded, match="fewer tables") as caught:
        await chat(stub).ainvoke("hi")
    assert (caught.value.prompt_tokens, caught.value.context) == (prompt, context)


async def test_patience_ends_with_the_retries(stub: ChatStub) -> None:
    stub.enqueue(*[failure(503, {"error": "loading"})] * 3)
    with pytest.raises(ServerUnavailable, match="loading"):
        await chat(stub, max_retries=2).ainvoke("hi")
    assert len(stub.bodies) == 3


async def test_patience_ends_with_the_budget(stub: ChatStub) -> None:
    stub.enqueue(failure(503, {"error": "loading"}))
    with pytest.raises(ServerUnavailable, match="loading"):
        await chat(stub, max_retries=100, budget=0.2).ainvoke("hi")


async def test_a_silent_server_ends_in_a_timeout(stub: ChatStub) -> None:
    stub.enqueue(hanging)
    with pytest.raises(ServerUnavailable, match="in time"):
        await chat(stub, timeout=0.2, max_retries=0).ainvoke("hi")
    while stub.replies:  # on a busy machine the stub reads the request later
        await asyncio.sleep(0.02)


async def test_a_server_that_is_gone(stub: ChatStub) -> None:
    model = chat(stub, max_retries=1)
    stub.close()
    with pytest.raises(ServerUnavailable, match=rf"{stub.url} can't be reached"):
        await model.ainvoke("hi")


@pytest.mark.parametrize("end", ["drop", "hang"])
async def test_a_stream_that_breaks_after_a_token_is_not_begun_again(stub: ChatStub, end: str) -> None:
    stub.enqueue(streamed("hel", end=end))
    with pytest.raises(ServerUnavailable):
        await gathered(chat(stub, timeout=1.0))
    assert len(stub.bodies) == 1


async def test_an_error_in_the_middle_of_a_stream(stub: ChatStub) -> None:
    stub.enqueue(streamed("hel", {"error": "out of memory", "error_type": "generation"}))
    with pytest.raises(ServerRefused, match="out of memory"):
        await gathered(chat(stub))


def test_a_synchronous_call_raises_our_errors(stub: ChatStub) -> None:
    stub.enqueue(failure(400, {"error": "no"}), failure(400, {"error": "no"}))
    with pytest.raises(ServerRefused):
        chat(stub).invoke("hi")
    with pytest.raises(ServerRefused):
        list(chat(stub).stream("hi"))
