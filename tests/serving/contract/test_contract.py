"""One contract for all model servers: the same cases of the chat client against each of them."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from support.contract_servers import SERVERS, Served, embedded, tgi, transformers, vllm

from route_sql.agents.samples import ask_for_samples, completions_at_once
from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.errors import ContextExceeded, ServerRefused, ServerUnavailable, ServingError

pytestmark = pytest.mark.timeout(900)  # servers start in minutes, and answer slowly where the machine is busy

STARTS = {"tgi": tgi, "embedded": embedded, "transformers": transformers, "vllm": vllm}
HI = [HumanMessage("SELECT name FROM customer WHERE city = 'Bergen' ORDER BY name")]
LONG = [HumanMessage("SELECT name " * 4_000)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model and the logs."""
    return tmp_path_factory.mktemp("contract")


@pytest.fixture(scope="module", params=STARTS)
def served(request: pytest.FixtureRequest, folder: Path) -> Iterator[Served]:
    """Each server in turn, started once."""
    if request.param != "tgi" and SERVERS is None:
        pytest.skip("run `make serving-tests`, which makes an environment with the servers")
    with STARTS[request.param](folder) as running:
        yield running


async def gathered(model: ChatTGI, messages: Any) -> tuple[str, AIMessageChunk]:
    """The text of a stream and its last chunk."""
    chunks = [chunk async for chunk in model.astream(messages)]
    return "".join(str(chunk.text) for chunk in chunks), chunks[-1]


def reason(message: Any) -> str:
    return str(message.response_metadata["finish_reason"])


def scores(message: AIMessage) -> list[float]:
    return [token["logprob"] for token in (message.response_metadata.get("logprobs") or {}).get("content", [])]


async def test_an_answer_has_text_a_reason_and_usage(served: Served) -> None:
    reply = await served.chat().ainvoke(HI)
    assert reply.text and reason(reply) == "length" and reply.usage_metadata is not None
    assert reply.usage_metadata["input_tokens"] > 5 and reply.usage_metadata["output_tokens"] == 12
    again = await served.chat().ainvoke(HI)
    assert again.text == reply.text, "the temperature is 0"


async def test_a_reply_ends_before_a_stop_text(served: Served) -> None:
    whole = (await served.chat(max_tokens=40).ainvoke(HI)).text
    found = re.search(r"(?<=.)[A-Za-z]{2}", whole, re.DOTALL)
    assert found, whole
    stops = ["never to be found", found[0]]
    reply = await served.chat(max_tokens=40).ainvoke(HI, stop=stops)
    assert reply.text == whole[: whole.index(found[0])] and reason(reply) == "stop"
    text, last = await gathered(served.chat(max_tokens=40, stop=stops), HI)
    # Some servers leave out the space before a whole answer.
    assert text.strip() == reply.text.strip() and reason(last) == "stop"
    assert (await served.chat(max_tokens=40).ainvoke(HI, stop=[])).text == whole
    with pytest.raises(ValueError, match="5 stops were given, but servers take 4"):
        await served.chat().ainvoke(HI, stop=list("abcde"))


async def test_each_token_has_a_log_probability_where_the_server_gives_them(served: Served) -> None:
    reply = await served.chat().ainvoke(HI)
    found = scores(reply)
    # A token that is a part of a letter has none at some servers.
    assert len(found) in (range(9, 13) if served.gives_scores else [0]) and all(score <= 0 for score in found)


async def test_samples_are_as_many_as_were_asked_for_or_one(served: Served) -> None:
    model = served.chat()
    replies = await ask_for_samples(model, HI, [1, 2, 3])
    assert len(replies) == (3 if served.gives_n else 1) and all(reply.completion_tokens for reply in replies[:1])
    assert (completions_at_once(model) > 1) is served.gives_n, "later samples are asked for one by one"


async def test_a_stream_is_the_answer_with_its_usage(served: Served) -> None:
    whole = await served.chat().ainvoke(HI)
    text, last = await gathered(served.chat(), HI)
    assert text.strip() == whole.text.strip() and reason(last) == reason(whole)
    assert last.usage_metadata is not None and whole.usage_metadata is not None
    assert last.usage_metadata["output_tokens"] == whole.usage_metadata["output_tokens"]


async def test_a_prompt_that_is_too_long_is_said_to_be(served: Served) -> None:
    if not served.too_long_is_refused:
        pytest.skip("transformers serve does not check the length of a prompt")
    for call in (served.chat().ainvoke(LONG), gathered(served.chat(), LONG)):
        with pytest.raises(ContextExceeded) as caught:
            await call
        assert caught.value.context in (2_048, None) and "context" in str(caught.value)
    assert (await served.chat().ainvoke(HI)).text, "the next one is answered"


async def test_an_overload_is_waited_out(served: Served) -> None:
    patient = served.chat(max_tokens=60, concurrency=8)
    replies = await asyncio.gather(*(patient.ainvoke(HI) for _ in range(8)))
    assert len({reply.text for reply in replies}) == 1
    hasty = served.chat(max_tokens=60, concurrency=16, max_retries=0)
    ends = await asyncio.gather(*(hasty.ainvoke(HI) for _ in range(16)), return_exceptions=True)
    refused = [end for end in ends if isinstance(end, BaseException)]
    assert bool(refused) is served.overload_is_refused
    assert all(isinstance(end, ServerUnavailable) for end in refused), refused


async def test_an_unknown_name_is_refused_with_the_right_one_or_taken(served: Served) -> None:
    unknown = served.chat(model="no-such-model")
    if not served.unknown_name_is_refused:
        assert (await unknown.ainvoke(HI)).text
        return
    with pytest.raises(ServerRefused, match="no-such-model|route-sql"):
        await unknown.ainvoke(HI)


async def test_cached_tokens_are_counted_where_the_server_says_them(served: Served) -> None:
    prompt = [HumanMessage("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);\n" * 20)]
    for _ in range(2):
        usage = (await served.chat().ainvoke(prompt)).usage_metadata
    assert usage is not None
    cached = usage.get("input_token_details", {}).get("cache_read")
    assert (cached is not None and cached > 50) if served.says_cached else cached is None


async def test_the_list_of_models_says_wording_and_context(served: Served) -> None:
    model = served.chat()
    known = await model.served_model()
    assert await model.find_wording() == "tuned" and known.context == served.context


async def test_a_system_text_reaches_a_model_without_a_system_role(served: Served) -> None:
    model = served.chat()
    with_system = [SystemMessage("Answer with SQL."), *HI]
    folded = [HumanMessage(f"Answer with SQL.\n\n{HI[0].text}")]
    if served.system == "broken":
        with pytest.raises(ServingError):
            await served.chat(max_retries=0).ainvoke(with_system)
        return
    reply = await model.ainvoke(with_system)
    by_hand = await served.chat().ainvoke(folded)
    assert reply.usage_metadata is not None and by_hand.usage_metadata is not None
    # The texts of a model of random weights may differ by rounding.
    assert served.system == "taken" or reply.usage_metadata["input_tokens"] == by_hand.usage_metadata["input_tokens"]
    text, _ = await gathered(served.chat(), with_system)
    assert text == reply.text
