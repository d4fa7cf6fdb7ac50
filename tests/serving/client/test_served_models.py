"""Names, contexts, wordings and roles that servers give their models, and the client's patience with them."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from support.chat_calls import chat, gathered
from support.chat_stub import ChatStub, completion, dripping, dropped, failure, models, raw, streamed

from route_sql.serving.client.served_model import served_name, wording_of_name
from route_sql.serving.errors import ServerRefused, ServerUnavailable
from route_sql.serving.packaged_calibrations import DEFAULT, calibration_of_name, packaged_calibration
from route_sql.serving.profile import Profile

CONVERSATION = [SystemMessage("be short"), HumanMessage("hi"), AIMessage("hello"), HumanMessage("bye")]
FOLDED = [
    {"role": "user", "content": "be short\nhi"},
    {"role": "assistant", "content": "hello"},
    {"role": "user", "content": "bye"},
]
LOADING = failure(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})


async def test_without_a_name_it_is_the_servers_and_asked_for_once(stub: ChatStub) -> None:
    stub.models.append(models({"id": "route-sql", "max_model_len": 8192}, "other"))
    stub.enqueue(*[completion("hello")] * 4)
    model = chat(stub)
    await asyncio.gather(*[model.ainvoke("hi") for _ in range(4)])
    assert {body["model"] for body in stub.bodies} == {"route-sql"}
    assert stub.gets == ["/v1/models"]
    assert (await model.served_model()).context == 8192
    assert await model.find_wording() == "tuned"


async def test_a_name_and_a_wording_that_are_set_ask_for_nothing(stub: ChatStub) -> None:
    stub.enqueue(completion("hello"))
    model = chat(stub, model="mine", wording="tuned")
    await model.ainvoke("hi")
    assert (stub.bodies[0]["model"], await model.find_wording(), stub.gets) == ("mine", "tuned", [])


@pytest.mark.parametrize(
    "reply",
    [
        failure(404, "no"),
        failure(405, "no"),
        raw("<html>"),
        raw('{"data": [{"id": 7}]}'),
        raw('{"data": {}}'),
        raw("[" * 100_000),
    ],
)
async def test_a_server_without_a_list_is_asked_as_before(stub: ChatStub, reply: Any) -> None:
    stub.models.append(reply)
    stub.enqueue(completion("hello"))
    model = chat(stub)
    assert (await model.ainvoke("hi")).text == "hello"
    assert (stub.bodies[0]["model"], await model.find_wording(), len(stub.gets)) == ("tgi", "instruct", 1)


@pytest.mark.parametrize("status", [401, 500])
async def test_a_refusal_of_the_list_that_passes_is_not_remembered(stub: ChatStub, status: int) -> None:
    stub.models.extend([failure(status, "no"), models("route-sql")])
    stub.enqueue(completion("hello"), completion("hello"))
    model = chat(stub)
    assert [(await model.ainvoke("hi")).text for _ in range(2)] == ["hello"] * 2
    assert [body["model"] for body in stub.bodies] == ["tgi", "route-sql"]
    assert (await model.find_wording(), len(stub.gets)) == ("tuned", 2)


@pytest.mark.parametrize("context", [True, 0, -1, 1.5, 10**400, "8192", None, [8192]], ids=lambda value: str(value)[:9])
async def test_an_impossible_context_length_is_ignored(stub: ChatStub, context: Any) -> None:
    stub.models.append(models({"id": "m", "max_model_len": context, "meta": {"n_ctx": context}}))
    assert (await chat(stub).served_model()).context is None


async def test_the_list_of_a_server_that_still_loads_is_waited_for(stub: ChatStub) -> None:
    stub.models.extend([LOADING, LOADING, models("route-sql-0.5b")])
    assert await chat(stub).find_wording() == "tuned"


async def test_the_name_is_asked_for_within_the_budget_of_the_call(stub: ChatStub) -> None:
    stub.models.extend([LOADING, LOADING, models("route-sql")])
    stub.enqueue(dripping(b" ", seconds=0.1))
    began = time.monotonic()
    with pytest.raises(ServerUnavailable, match="budget"):
        await chat(stub, budget=2.5).ainvoke("hi")
    assert time.monotonic() - began < 3.5


@pytest.mark.parametrize(
    ("name", "wording"),
    [
        ("route-sql", "tuned"),
        ("/route-sql", "tuned"),
        ("/data/Route-SQL-0.5b/", "tuned"),
        ("route-sql/default", "tuned"),
        ("C:\\models\\route-sql_bird", "tuned"),
        ("org/route-sql-7b", "tuned"),
        ("/home/me/route-sql/models/qwen", "instruct"),
        ("qwen-route-sql", "instruct"),
        ("route-sqlite", "instruct"),
        ("default", "instruct"),
        ("tgi", "instruct"),
    ],
)
def test_a_name_says_the_wording(name: str, wording: str) -> None:
    assert wording_of_name(name) == wording


def test_a_tuned_model_is_served_by_a_name_that_says_so() -> None:
    assert wording_of_name(served_name("default", Profile(wording="tuned"))) == "tuned"
    assert served_name("base", Profile()) == "base"


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        ("route-sql/default", True),
        ("Route-SQL/default/", True),
        ("/models/route-sql-0.5b-cpu", True),
        ("C:\\models\\route-sql-0.5b-cpu", True),
        ("route-sql", False),
        ("default", False),
        ("route-sql-0.5b-cpu-merged", False),
        ("my-route-sql/default", False),
        ("", False),
    ],
)
def test_a_name_says_the_calibration_of_the_default_model_alone(name: str, is_known: bool) -> None:
    assert calibration_of_name(name) == (packaged_calibration(DEFAULT) if is_known else None)


def test_another_tuned_model_is_not_served_by_the_name_of_the_default_one() -> None:
    default = Profile(wording="tuned", calibration=packaged_calibration(DEFAULT))
    assert served_name("default", default) == "route-sql/default"
    other = served_name("default", Profile(wording="tuned"))
    assert wording_of_name(other) == "tuned" and calibration_of_name(other) is None


async def test_a_served_default_model_has_its_calibration(stub: ChatStub) -> None:
    stub.models.append(models("route-sql/default"))
    assert await chat(stub).find_calibration() == packaged_calibration(DEFAULT)
    own = {"enough": 0.5}
    assert await chat(stub, calibration=own).find_calibration() == own
    stub.models[0] = models("route-sql/mine")
    assert await chat(stub).find_calibration() is None


@pytest.mark.parametrize(
    ("asked", "names", "wording"),
    [
        ("mine", ["route-sql"], "tuned"),  # a server of one model takes any name
        ("gpt", ["route-sql", "gpt"], "instruct"),
        ("gpt", ["route-sql", "other"], "instruct"),
        ("route-sql", ["gpt", "route-sql"], "tuned"),
        (None, ["gpt", "route-sql"], "instruct"),
    ],
)
async def test_the_wording_is_that_of_the_model_that_is_asked(
    stub: ChatStub, asked: str | None, names: list[str], wording: str
) -> None:
    stub.models.append(models(*names))
    assert await chat(stub, model=asked).find_wording() == wording


@pytest.mark.parametrize(
    "said",
    [
        "System role not supported",
        "Template error: syntax error: System role not supported (in template:1)",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Only user and assistant roles are supported!",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
        "System prompts are not available here",
        "unexpected role system",
        "1 validation error: messages.0.role: Input should be 'user' or 'assistant'",
    ],
)
@pytest.mark.parametrize("status", [400, 422, 500])
async def test_a_model_without_a_system_role_gets_the_text_in_the_first_turn(
    stub: ChatStub, said: str, status: int
) -> None:
    stub.enqueue(failure(status, {"error": {"message": said}}), completion("one"), streamed("two"))
    model = chat(stub)
    assert (await model.ainvoke(CONVERSATION)).text == "one"
    assert "".join([chunk.text async for chunk in model.astream(CONVERSATION)]) == "two"
    sent = [body["messages"] for body in stub.bodies]
    assert sent[0][0]["role"] == "system" and sent[1:] == [FOLDED, FOLDED]


async def test_the_refusal_of_a_system_role_may_come_in_a_stream(stub: ChatStub) -> None:
    event = {"error": {"message": "System role not supported", "http_status_code": 422}}
    stub.enqueue(streamed(event), streamed("two"))
    assert "".join([chunk.text async for chunk in chat(stub).astream(CONVERSATION)]) == "two"
    assert stub.bodies[1]["messages"] == FOLDED


async def test_a_refusal_for_another_reason_stays_and_nothing_is_remembered(stub: ChatStub) -> None:
    refusal = failure(400, {"error": "the role of this account is reader"})
    stub.enqueue(refusal, refusal, completion("one"))
    model = chat(stub)
    with pytest.raises(ServerRefused, match="this account"):
        await model.ainvoke(CONVERSATION)
    await model.ainvoke(CONVERSATION)
    assert [body["messages"][0]["role"] for body in stub.bodies] == ["system", "user", "system"]


@pytest.mark.parametrize("stop", [None, [], [""]])
async def test_an_empty_stop_is_not_sent(stub: ChatStub, stop: list[str] | None) -> None:
    stub.enqueue(completion("hello"))
    await chat(stub, stop=stop).ainvoke("hi")
    assert "stop" not in stub.bodies[0]


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "Model is overloaded", "http_status_code": 429}},
        {"error": "Model is overloaded", "error_type": "overloaded"},
        {"error": {"message": "Loading model", "code": 503, "type": "unavailable_error"}},
        {"error": {"message": "busy", "code": "503"}},
    ],
)
async def test_the_overload_of_a_stream_is_tried_again(stub: ChatStub, event: dict[str, Any]) -> None:
    stub.enqueue(streamed(event), streamed("hello"))
    assert (await gathered(chat(stub)))[1].text == "hello"
    stub.enqueue(failure(200, event), completion("hello"))
    assert (await chat(stub).ainvoke("hi")).text == "hello"


async def test_a_server_that_starts_is_waited_for_as_long_as_the_budget(stub: ChatStub) -> None:
    busy = failure(429, {"error": "busy"}, Retry_After="0")
    stub.enqueue(*[LOADING, busy] * 3, completion("hello"))
    assert (await chat(stub).ainvoke("hi")).text == "hello"  # one failure more than is tried again of any other kind


async def test_a_connection_that_breaks_is_tried_six_times(stub: ChatStub) -> None:
    stub.enqueue(*[dropped] * 6)
    with pytest.raises(ServerUnavailable):
        await chat(stub).ainvoke("hi")


@pytest.mark.parametrize("as_date", [False, True])
async def test_retry_after_is_kept_to(stub: ChatStub, as_date: bool) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    stub.enqueue(failure(503, "", Retry_After=date if as_date else "2"), completion("hello"))
    began = time.monotonic()
    await chat(stub).ainvoke("hi")
    assert 1.5 < time.monotonic() - began < 20


@pytest.mark.parametrize("wait", ["1e300", "999999999", "Fri, 01 Jan 2100 00:00:00 GMT"])
async def test_a_wait_beyond_the_budget_ends_at_once(stub: ChatStub, wait: str) -> None:
    stub.enqueue(failure(503, "", Retry_After=wait))
    began = time.monotonic()
    with pytest.raises(ServerUnavailable, match="asks to wait"):
        await chat(stub).ainvoke("hi")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("wait", ["", "soon", "-5", "nan", "inf", "Fri, 99 Foo"])
async def test_a_wait_that_can_not_be_read_is_none(stub: ChatStub, wait: str) -> None:
    stub.enqueue(failure(503, "", Retry_After=wait), completion("hello"))
    assert (await chat(stub).ainvoke("hi")).text == "hello"


async def test_more_than_sixteen_requests_run_at_once_if_the_caller_says_so(stub: ChatStub) -> None:
    stub.enqueue(*[completion("hello", seconds=1.5)] * 24)
    model = chat(stub, concurrency=24)
    await asyncio.gather(*[model.ainvoke("hi") for _ in range(24)])
    assert stub.most_at_once > 16
