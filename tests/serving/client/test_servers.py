"""Several servers behind one name: sticky by database, without the dead, and with clear errors when all are dead."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from langchain_core.messages import AIMessage
from support.chat_stub import ChatStub, Reply, completion, dropped, failure, hanging, models, streamed
from support.stub_process import StubProcess

from route_sql.serving.client.bounds import Allowance, Bounds
from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.client.completions import Completions
from route_sql.serving.errors import ServerRefused, ServerUnavailable
from route_sql.tools.shared_prompts import about_database

DATABASES = [f"db{number}" for number in range(30)]


@pytest.fixture
def processes() -> Iterator[list[StubProcess]]:
    servers = [StubProcess("SELECT 1", 0.2) for _ in range(3)]
    yield servers
    for server in servers:
        server.kill()


@pytest.fixture
def stubs() -> Iterator[list[ChatStub]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(ChatStub(otherwise=completion("hello")))) for _ in range(3)]


def pool(servers: list[ChatStub] | list[StubProcess], **settings: object) -> ChatTGI:
    return ChatTGI(base_url=[server.url for server in servers], **({"model": "m"} | settings))  # type: ignore[arg-type]


async def asked(chat: ChatTGI, database: str) -> str:
    """The server that replies to a question on a database."""
    with about_database(database):
        message = await chat.ainvoke("hi")
    return str(message.response_metadata["server"])


async def asked_all(chat: ChatTGI) -> dict[str, str]:
    servers = await asyncio.gather(*(asked(chat, name) for name in DATABASES))
    return dict(zip(DATABASES, servers, strict=True))


def first_choice(chat: ChatTGI, stubs: list[ChatStub], database: str = "shop") -> tuple[ChatStub, list[ChatStub]]:
    """The server that a database belongs to, and the others."""
    shown = asyncio.run(asked(chat, database))
    own = next(stub for stub in stubs if stub.url.endswith(shown))
    return own, [stub for stub in stubs if stub is not own]


def line_up(reply: Reply, *stubs: ChatStub) -> None:
    for stub in stubs:
        stub.otherwise = reply


async def test_one_of_three_is_killed_in_the_middle_and_comes_back(processes: list[StubProcess]) -> None:
    chat = pool(processes, model=None, concurrency=30)
    before = await asked_all(chat)
    assert set(before.values()) == {server.shown for server in processes}
    assert await asked_all(chat) == before
    under_way = asyncio.create_task(asked_all(chat))
    await asyncio.sleep(0.1)
    processes[0].kill()
    during = await under_way
    assert processes[0].shown not in during.values()
    stayed = {name for name in DATABASES if before[name] != processes[0].shown}
    assert all(during[name] == before[name] for name in stayed)
    assert await asked_all(chat) == during
    processes[0].start()
    for _ in range(100):
        if await asked_all(chat) == before:
            break
        await asyncio.sleep(0.1)
    assert await asked_all(chat) == before
    await chat.aclose()


async def test_a_stream_and_a_synchronous_call_know_the_servers_too(processes: list[StubProcess]) -> None:
    chat = pool(processes)
    first = await asked(chat, "shop")
    with about_database("shop"):
        streamed = [chunk async for chunk in chat.astream("hi")]
        replied = await asyncio.to_thread(chat.invoke, "hi")
        chunks = await asyncio.to_thread(lambda: list(chat.stream("hi")))
    ends = [streamed[-1], replied, chunks[-1]]
    assert [message.response_metadata["server"] for message in ends] == [first] * 3


async def test_all_dead_is_an_error_that_names_each(processes: list[StubProcess]) -> None:
    chat = pool(processes, max_retries=1)
    for server in processes:
        server.kill()
    with pytest.raises(ServerUnavailable, match="None of the 3 model servers answered.*Check that they run") as caught:
        await chat.ainvoke("hi")
    assert all(f"{server.url} can't be reached" in str(caught.value) for server in processes)
    with pytest.raises(ServerUnavailable, match="None of the 3"):
        await chat.find_wording()
    for server in processes:
        server.start()
    assert (await chat.ainvoke("hi")).text == "SELECT 1"


@pytest.mark.parametrize("fault", [dropped, failure(429, {"error": "busy"}), failure(503, {"error": "loading"})])
def test_a_request_goes_to_another_at_once(stubs: list[ChatStub], fault: Reply) -> None:
    chat = pool(stubs)
    own, others = first_choice(chat, stubs)
    line_up(fault, own)
    assert asyncio.run(asked(chat, "shop")) in {other.url.removeprefix("http://") for other in others}
    asyncio.run(asked(chat, "shop"))
    assert len(own.bodies) == 2, "it is left alone for a while"


@pytest.mark.parametrize("fault", [failure(500, {"error": "CUDA error"}), failure(424, {"error": "out of memory"})])
def test_a_broken_server_leaves_but_a_bad_request_breaks_none(stubs: list[ChatStub], fault: Reply) -> None:
    chat = pool(stubs)
    own, others = first_choice(chat, stubs)
    line_up(fault, own)
    assert asyncio.run(asked(chat, "shop")) == asyncio.run(asked(chat, "shop"))
    assert len(own.bodies) == 2
    line_up(fault, *stubs)
    with pytest.raises(ServerRefused, match=r"CUDA|memory"):
        asyncio.run(asked(chat, "shop"))
    line_up(failure(400, {"error": "bad wishes"}), *stubs)
    counts = [len(stub.bodies) for stub in stubs]
    with pytest.raises(ServerRefused, match="bad wishes"):
        asyncio.run(asked(chat, "shop"))
    assert sum(len(stub.bodies) for stub in stubs) == sum(counts) + 1


def test_a_server_that_comes_back_silent_costs_two_seconds_and_one_request(stubs: list[ChatStub]) -> None:
    chat = pool(stubs, timeout=20.0)
    own, _ = first_choice(chat, stubs)
    line_up(dropped, own)
    asyncio.run(asked(chat, "shop"))
    line_up(hanging, own)
    own.models.append(hanging)

    async def after_the_rest() -> list[str]:
        await asyncio.sleep(1.1)
        async with asyncio.timeout(15):
            return await asyncio.gather(*(asked(chat, "shop") for _ in range(5)))

    assert own.url.removeprefix("http://") not in asyncio.run(after_the_rest())
    assert len(own.gets) == 1


async def test_the_trial_of_a_full_server_ends_in_time(stubs: list[ChatStub]) -> None:
    stub = stubs[0]
    line_up(hanging, stub)
    server = Completions(stub.url, None, Bounds(), 1)
    body = {"model": "m", "max_tokens": 1, "stream": False}
    under_way = asyncio.ensure_future(anext(server.stream(body, Allowance(Bounds()))))
    while not stub.bodies:
        await asyncio.sleep(0.01)
    assert not await asyncio.wait_for(server.is_alive(0.2), 5)
    under_way.cancel()
    await asyncio.wait([under_way])
    assert await server.is_alive(5)


async def test_a_full_server_lends_its_questions_to_the_others(stubs: list[ChatStub]) -> None:
    chat = pool(stubs, concurrency=2)
    line_up(completion("hello", 0.5), *stubs)
    servers = Counter(await asyncio.gather(*(asked(chat, "shop") for _ in range(6))))
    assert sorted(servers.values()) == [2, 2, 2]
    assert max(stub.most_at_once for stub in stubs) == 2


async def test_prompts_without_a_database_are_sticky_by_their_beginning(stubs: list[ChatStub]) -> None:
    chat = pool(stubs)
    replies = [await chat.ainvoke(f"{'schema ' * 200} {question}") for question in range(5)]
    assert len({reply.response_metadata["server"] for reply in replies}) == 1
    others = [await chat.ainvoke(f"other schema {number}") for number in range(20)]
    assert len({reply.response_metadata["server"] for reply in others}) == 3


async def test_servers_of_different_models_are_refused_unless_one_is_named(stubs: list[ChatStub]) -> None:
    for number, stub in enumerate(stubs):
        stub.models.append(models(f"model-{number}"))
    with pytest.raises(ServerRefused, match=r"different models.*model-\d.*--served-model-name"):
        await asked_all(pool(stubs, model=None))
    assert len(set((await asked_all(pool(stubs, model="model-1"))).values())) == 3


async def test_a_server_that_once_failed_to_name_its_model_is_not_of_another_model(stubs: list[ChatStub]) -> None:
    stubs[0].models.append(failure(500, "no"))
    for stub in stubs:
        stub.models.append(models("route-sql"))
    chat = pool(stubs, model=None)
    await asked_all(chat)
    assert len(set((await asked_all(chat)).values())) == 3


async def test_a_stream_that_breaks_after_a_token_stays_broken(stubs: list[ChatStub]) -> None:
    line_up(streamed("hel", end="drop"), *stubs)
    with pytest.raises(ServerUnavailable):
        _ = [chunk async for chunk in pool(stubs).astream("hi")]
    assert sum(len(stub.bodies) for stub in stubs) == 1


async def test_a_cancelled_call_leaves_no_server_on_trial(stubs: list[ChatStub]) -> None:
    chat = pool(stubs[:2])
    line_up(dropped, *stubs[:2])
    with pytest.raises(ServerUnavailable):
        await ChatTGI(base_url=[stub.url for stub in stubs[:2]], model="m", max_retries=0).ainvoke("hi")
    call = asyncio.create_task(chat.ainvoke("hi"))
    await asyncio.sleep(0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    line_up(completion("hello"), *stubs[:2])
    await asyncio.sleep(1.1)
    assert len({await asked(chat, name) for name in DATABASES}) == 2


async def test_one_server_is_as_ever(stubs: list[ChatStub]) -> None:
    message: AIMessage = await ChatTGI(base_url=stubs[0].url, model="m").ainvoke("hi")
    assert "server" not in message.response_metadata
    same = ChatTGI(base_url=[stubs[0].url, f"{stubs[0].url}/v1"], model="m")
    assert "server" not in (await same.ainvoke("hi")).response_metadata


def test_the_refusal_of_a_request_is_that_of_the_server_that_looked_at_it(stubs: list[ChatStub]) -> None:
    chat = pool(stubs)
    own, others = first_choice(chat, stubs)
    line_up(failure(500, {"error": "CUDA error"}), own)
    line_up(failure(400, {"error": "bad wishes"}), *others)
    with pytest.raises(ServerRefused, match="bad wishes"):
        asyncio.run(asked(chat, "shop"))
