import asyncio
import subprocess
import sys
from typing import Any

import pytest
from chat_stub import ChatStub, completion, dropped, failure, hanging, raw, streamed
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage
from pydantic import ValidationError

from route_sql.serving.chat import ChatTGI
from route_sql.serving.errors import ContextExceeded, ServerRefused, ServerUnavailable

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


def chat(stub: ChatStub, **settings: Any) -> ChatTGI:
    return ChatTGI(base_url=stub.url, **settings)


def closing_part(**extra: Any) -> dict[str, Any]:
    return {"id": "1", "created": 1, "model": "stub", "system_fingerprint": "", "choices": []} | extra


async def gathered(model: ChatTGI, **settings: Any) -> tuple[list[str], AIMessageChunk]:
    texts: list[str] = []
    whole: AIMessageChunk | None = None
    async for chunk in model.astream("hi", **settings):
        assert isinstance(chunk, AIMessageChunk)
        texts.append(chunk.text)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    return texts, whole


async def test_what_servers_disagree_on_is_always_sent(stub: ChatStub) -> None:
    stub.enqueue(completion("hello"))
    reply = await chat(stub).ainvoke([SystemMessage("be short"), HumanMessage("hi")])
    assert reply.text == "hello"
    assert stub.paths == ["/v1/chat/completions"]
    assert stub.bodies[0] == {
        "model": "tgi",
        "messages": [{"role": "system", "content": "be short"}, {"role": "user", "content": "hi"}],
        "max_tokens": 512,
        "temperature": 0.0,
        "seed": 0,
        "stop": [],
        "stream": False,
    }


async def test_a_call_overrides_the_settings_and_adds_fields_of_the_servers_own(stub: ChatStub) -> None:
    stub.enqueue(completion("hello"))
    model = chat(stub, extra_body={"cache_prompt": True})
    await model.ainvoke("hi", max_tokens=3, seed=7, stop=["\n"], extra_body={"grammar": "root"})
    sent = stub.bodies[0]
    assert (sent["max_tokens"], sent["seed"], sent["stop"]) == (3, 7, ["\n"])
    assert (sent["cache_prompt"], sent["grammar"]) == (True, "root")


@pytest.mark.parametrize(("key", "header"), [("sesame", "Bearer sesame"), (None, "Bearer -")])
async def test_only_the_given_key_is_sent(stub: ChatStub, key: str | None, header: str) -> None:
    stub.enqueue(completion("hello"))
    await chat(stub, api_key=key).ainvoke("hi")
    assert stub.keys == [header]


async def test_the_key_is_in_no_repr_and_no_error(stub: ChatStub) -> None:
    stub.enqueue(failure(401, {"error": "no"}))
    model = chat(stub, api_key="sesame")
    with pytest.raises(ServerRefused) as caught:
        await model.ainvoke("hi")
    assert "sesame" not in repr(model) + str(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("extra", "cached"),
    [
        ({"usage": USAGE | {"prompt_tokens_details": {"cached_tokens": 7}}}, 7),
        ({"usage": USAGE, "timings": {"cache_n": 5}}, 5),
        ({"usage": USAGE}, None),
    ],
)
async def test_usage_with_the_tokens_that_were_cached(
    stub: ChatStub, extra: dict[str, Any], cached: int | None
) -> None:
    stub.enqueue(completion("hello", **extra), streamed("hel", "lo", closing_part(**extra)))
    for message in [await chat(stub).ainvoke("hi"), (await gathered(chat(stub)))[1]]:
        assert message.usage_metadata is not None
        assert message.usage_metadata["input_tokens"] == 9
        assert message.usage_metadata["output_tokens"] == 2
        assert message.usage_metadata.get("input_token_details", {}).get("cache_read") == cached
        assert message.response_metadata["model_name"] == "stub"


async def test_stop_text_that_a_server_leaves_in_is_cut(stub: ChatStub) -> None:
    stub.enqueue(completion("SELECT 1;\nSELECT 2"))
    assert (await chat(stub, stop=["2", ";"]).ainvoke("hi")).text == "SELECT 1"


async def test_a_stream_is_cut_at_a_stop_that_comes_in_pieces(stub: ChatStub) -> None:
    stub.enqueue(streamed("SELECT 1 <", "but", " <e", "nd", "> more", closing_part(usage=USAGE)))
    texts, whole = await gathered(chat(stub), stop=["<end>"])
    assert whole.text == "SELECT 1 <but "
    assert texts[0] == "SELECT 1 "
    assert whole.usage_metadata is not None


async def test_text_held_back_for_a_stop_that_never_came_is_given_in_the_end(stub: ChatStub) -> None:
    stub.enqueue(streamed("a <", "en"))
    assert (await gathered(chat(stub), stop=["<end>"]))[1].text == "a <en"


async def test_more_stops_than_servers_take_are_refused_before_anything_is_sent(stub: ChatStub) -> None:
    with pytest.raises(ValueError, match="5 stops"):
        await chat(stub).ainvoke("hi", stop=list("abcde"))
    with pytest.raises(ValidationError):
        chat(stub, stop=list("abcde"))
    assert stub.bodies == []


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


async def test_cancelling_closes_the_request(stub: ChatStub) -> None:
    stub.enqueue(hanging)
    call = asyncio.create_task(chat(stub).ainvoke("hi"))
    while not stub.bodies:
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await asyncio.to_thread(stub.hung_up.wait, 10)


async def test_leaving_a_stream_closes_the_request(stub: ChatStub) -> None:
    stub.enqueue(streamed("hel", end="hang"))
    parts = chat(stub).astream("hi")
    assert (await anext(parts)).text == "hel"
    await parts.aclose()  # type: ignore[attr-defined]
    assert await asyncio.to_thread(stub.hung_up.wait, 10)


async def test_waiting_for_ones_turn_does_not_count_as_silence(stub: ChatStub) -> None:
    stub.enqueue(*[completion("hello", seconds=1.0)] * 3)
    model = chat(stub, concurrency=1, timeout=2.5, budget=2.5, max_retries=0)
    replies = await model.abatch(["a", "b", "c"])
    assert [reply.text for reply in replies] == ["hello"] * 3
    assert stub.most_at_once == 1


async def test_synchronous_calls_work_inside_a_running_loop(stub: ChatStub) -> None:
    stub.enqueue(completion("hello"), streamed("hel", "lo"))
    model = chat(stub)
    assert model.invoke("hi").text == "hello"
    assert "".join(chunk.text for chunk in model.stream("hi")) == "hello"
    model.close()


def test_leaving_a_synchronous_stream_closes_the_request(stub: ChatStub) -> None:
    stub.enqueue(streamed("hel", end="hang"))
    parts = chat(stub).stream("hi")
    assert next(parts).text == "hel"
    parts.close()  # type: ignore[attr-defined]
    assert stub.hung_up.wait(10)


def test_a_synchronous_call_raises_our_errors(stub: ChatStub) -> None:
    stub.enqueue(failure(400, {"error": "no"}), failure(400, {"error": "no"}))
    with pytest.raises(ServerRefused):
        chat(stub).invoke("hi")
    with pytest.raises(ServerRefused):
        list(chat(stub).stream("hi"))


def test_one_model_serves_one_event_loop_after_another(stub: ChatStub) -> None:
    stub.enqueue(completion("one"), completion("two"), completion("three"))
    model = chat(stub)

    async def ask_and_close() -> str:
        text = (await model.ainvoke("hi")).text
        await model.aclose()
        return text

    assert [asyncio.run(ask_and_close()), asyncio.run(ask_and_close())] == ["one", "two"]
    assert model.invoke("hi").text == "three"


async def test_a_closed_model_opens_again(stub: ChatStub) -> None:
    stub.enqueue(completion("one"), completion("two"))
    model = chat(stub)
    await model.ainvoke("hi")
    await model.aclose()
    assert (await model.ainvoke("hi")).text == "two"


ASK_UNDER_WATCH = """
import asyncio, sys
from blockbuster import blockbuster_ctx
from route_sql.serving.chat import ChatTGI

async def ask():
    with blockbuster_ctx():
        model = ChatTGI(base_url=sys.argv[1])
        print((await model.ainvoke("hi")).text, [chunk.text async for chunk in model.astream("hi")])
        await model.aclose()

asyncio.run(ask())
"""


def test_a_first_call_does_not_block_the_event_loop(stub: ChatStub) -> None:
    pytest.importorskip("blockbuster", reason="comes with the studio extra")
    stub.enqueue(completion("hello"), streamed("hel", "lo"))
    # In a process of its own, since much is read only once, at the first call.
    command = [sys.executable, "-c", ASK_UNDER_WATCH, stub.url]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert asked.stdout.startswith("hello ['hel', 'lo'"), asked.stderr


def test_an_address_must_be_one() -> None:
    with pytest.raises(ValidationError):
        ChatTGI(base_url="localhost:8080")
