import asyncio
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import ValidationError
from support.chat_calls import chat, gathered
from support.chat_stub import ChatStub, completion, failure, hanging, streamed

from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.errors import ServerRefused

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


def closing_part(**extra: Any) -> dict[str, Any]:
    return {"id": "1", "created": 1, "model": "stub", "system_fingerprint": "", "choices": []} | extra


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
        "logprobs": True,
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
from route_sql.serving.client.chat import ChatTGI

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
