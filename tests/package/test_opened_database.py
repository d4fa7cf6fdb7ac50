"""`open_default`: whose turn it is among threads and event loops, and what a decision may do meanwhile."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.chat_stub import ChatStub, completion

from route_sql import Answer, Context, OpenedDatabase, open_default
from route_sql.tools.errors import InvalidInput

APPROVE = Context(strategy="single", approve=True)
QUESTION = "Which pets are there?"
NAMES = "SELECT name FROM pet"
LONG = 60
"""Seconds until a wait that should have ended fails."""


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "pets.sqlite")) as connection:
        connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex'), ('Mia');")
    return tmp_path / "pets.sqlite"


@pytest.fixture
def opened(pets: Path, stub: ChatStub) -> Iterator[OpenedDatabase]:
    with open_default(pets, model=stub.url, context=APPROVE) as database:
        yield database


class Person:
    """A person who approves a query, after others had time to ask, and knows which one it was."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def decide(self, query: dict[str, Any]) -> bool:
        self.shown.append(query["approve"])
        time.sleep(0.05)
        return True


class Waiting:
    """A person who is asked and decides only when `leave` is set."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.asked, self.leave = threading.Event(), threading.Event()

    def decide(self, query: dict[str, Any]) -> bool:
        self.shown.append(query["approve"])
        self.asked.set()
        assert self.leave.wait(LONG)
        return True

    async def until_asked(self) -> None:
        assert await asyncio.to_thread(self.asked.wait, LONG)


Ask = Callable[[OpenedDatabase, Waiting], Coroutine[Any, Any, Answer]]


def approve(query: dict[str, Any]) -> bool:
    return True


def in_thread(database: OpenedDatabase, person: Waiting) -> Coroutine[Any, Any, Answer]:
    return asyncio.to_thread(database.ask, QUESTION, decide=person.decide)


def in_task(database: OpenedDatabase, person: Waiting) -> Coroutine[Any, Any, Answer]:
    return database.aask(QUESTION, decide=person.decide)


async def test_questions_at_once_are_answered_in_turn_and_each_decision_meets_its_own_query(
    opened: OpenedDatabase, stub: ChatStub
) -> None:
    stub.enqueue(*[completion(f"SELECT {number}") for number in range(6)])
    people = [Person() for _ in range(6)]
    answers = await asyncio.gather(*(opened.aask(QUESTION, decide=person.decide) for person in people))
    assert [[answer["sql"]] for answer in answers] == [person.shown for person in people]


def test_so_are_questions_from_threads(opened: OpenedDatabase, stub: ChatStub) -> None:
    stub.enqueue(*[completion(f"SELECT {number}") for number in range(6)])
    people = [Person() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda person: opened.ask(QUESTION, decide=person.decide), people))
    assert [[answer["sql"]] for answer in answers] == [person.shown for person in people]


@pytest.mark.parametrize(("ask", "ask_next"), [(in_thread, in_task), (in_task, in_thread), (in_task, in_task)])
async def test_threads_and_tasks_share_one_turn_and_none_blocks_the_event_loop(
    opened: OpenedDatabase, stub: ChatStub, ask: Ask, ask_next: Ask
) -> None:
    stub.enqueue(completion("SELECT 1"), completion("SELECT 2"))
    people = [Waiting(), Waiting()]
    first = asyncio.create_task(ask(opened, people[0]))
    await people[0].until_asked()
    second = asyncio.create_task(ask_next(opened, people[1]))
    await asyncio.wait({second}, timeout=0.5)
    assert len(stub.bodies) == 1 and not people[1].asked.is_set()
    for person in people:
        person.leave.set()
    answers = await asyncio.gather(first, second)
    assert [answer["sql"] for answer in answers] == ["SELECT 1", "SELECT 2"]
    assert [person.shown for person in people] == [["SELECT 1"], ["SELECT 2"]]


def test_every_event_loop_gets_its_answer(opened: OpenedDatabase, stub: ChatStub) -> None:
    stub.enqueue(*[completion(f"SELECT {number}") for number in range(3)])
    people = [Person() for _ in range(3)]

    def ask(person: Person) -> Answer:
        return asyncio.run(asyncio.wait_for(opened.aask(QUESTION, decide=person.decide), LONG))

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, people))
    assert [[answer["sql"]] for answer in answers] == [person.shown for person in people]


@pytest.mark.parametrize("cancelled", ["the one that runs", "the one that waits", "the next one, at its turn"])
async def test_a_cancelled_question_gives_its_turn_away(opened: OpenedDatabase, stub: ChatStub, cancelled: str) -> None:
    asked = 3 if cancelled == "the one that runs" else 2
    stub.enqueue(*[completion(f"SELECT {number}") for number in range(asked)])
    person = Waiting()
    first = asyncio.create_task(opened.aask(QUESTION, decide=person.decide))
    await person.until_asked()
    second = asyncio.create_task(opened.aask(QUESTION, decide=approve))
    await asyncio.sleep(0)
    third = asyncio.create_task(asyncio.to_thread(opened.ask, QUESTION, decide=approve))
    if cancelled == "the one that runs":
        first.cancel()
        assert (await asyncio.wait_for(second, LONG))["sql"] == "SELECT 1"
    elif cancelled == "the one that waits":
        second.cancel()
    else:
        first.add_done_callback(lambda _: second.cancel())
    person.leave.set()
    ended = await asyncio.gather(first, second, return_exceptions=True)
    assert sum(isinstance(each, asyncio.CancelledError) for each in ended) == 1
    assert (await asyncio.wait_for(third, LONG))["sql"] == f"SELECT {asked - 1}"


def asks(database: OpenedDatabase) -> Answer:
    return database.ask("Another question?", decide=approve)


def runs(database: OpenedDatabase) -> Answer:
    return asyncio.run(asyncio.wait_for(database.aask("Another question?", decide=approve), LONG))


@pytest.mark.parametrize("nested", [asks, runs])
@pytest.mark.parametrize("outer", ["ask", "aask"])
def test_a_decision_can_not_ask_the_same_database(
    opened: OpenedDatabase, stub: ChatStub, outer: str, nested: Callable[[OpenedDatabase], Answer]
) -> None:
    stub.enqueue(completion(NAMES), completion("SELECT 2"))

    def decide(query: dict[str, Any]) -> bool:
        nested(opened)
        return True

    with pytest.raises(InvalidInput, match="let `decide` return first"):
        if outer == "ask":
            opened.ask(QUESTION, decide=decide)
        else:
            asyncio.run(asyncio.wait_for(opened.aask(QUESTION, decide=decide), LONG))
    assert opened.ask(QUESTION, decide=approve)["sql"] == "SELECT 2"


async def test_nor_through_the_event_loop_of_the_question(opened: OpenedDatabase, stub: ChatStub) -> None:
    stub.enqueue(completion(NAMES))
    loop, said = asyncio.get_running_loop(), []

    def decide(query: dict[str, Any]) -> bool:
        inner = asyncio.run_coroutine_threadsafe(opened.aask("Another question?", decide=approve), loop)
        said.append(str(inner.exception(LONG)))
        return True

    answer = await opened.aask(QUESTION, decide=decide)
    assert answer["sql"] == NAMES and "let `decide` return first" in said[0]


def test_nor_can_the_story(opened: OpenedDatabase, stub: ChatStub) -> None:
    stub.enqueue(completion(NAMES))
    said: list[str] = []

    def tell(event: Any) -> None:
        with pytest.raises(InvalidInput) as refused:
            asks(opened)
        said.append(str(refused.value))

    opened.tell = tell
    assert opened.ask(QUESTION, decide=approve)["sql"] == NAMES
    assert said and all("let `decide` return first" in each for each in said)


def test_a_decision_can_ask_another_database(opened: OpenedDatabase, stub: ChatStub, pets: Path) -> None:
    stub.enqueue(completion(NAMES), completion("SELECT 2"))
    with open_default(pets, model=stub.url, context=APPROVE) as other:
        answer = opened.ask(QUESTION, decide=lambda _: asks(other)["sql"] == "SELECT 2")
    assert answer["sql"] == NAMES and answer["row_count"] == 2


def test_what_a_decision_starts_can_ask_later(opened: OpenedDatabase, stub: ChatStub) -> None:
    stub.enqueue(completion(NAMES), completion("SELECT 2"))
    ended, later = threading.Event(), []

    async def work() -> None:
        await asyncio.to_thread(ended.wait, LONG)
        later.append((await opened.aask(QUESTION, decide=approve))["sql"])

    async def ask() -> None:
        loop, started = asyncio.get_running_loop(), []

        def decide(query: dict[str, Any]) -> bool:
            started.append(asyncio.run_coroutine_threadsafe(work(), loop))
            return True

        await opened.aask(QUESTION, decide=decide)
        ended.set()
        await asyncio.wrap_future(started[0])

    asyncio.run(asyncio.wait_for(ask(), LONG))
    assert later == ["SELECT 2"]


async def test_a_synchronous_question_does_not_block_the_loop_that_it_waits_for(
    opened: OpenedDatabase, stub: ChatStub
) -> None:
    stub.enqueue(completion(NAMES), completion("SELECT 2"))
    person = Waiting()
    first = asyncio.create_task(opened.aask(QUESTION, decide=person.decide))
    await person.until_asked()
    with pytest.raises(InvalidInput, match="`await aask"):
        opened.ask(QUESTION, decide=approve)
    person.leave.set()
    assert (await first)["sql"] == NAMES
    assert opened.ask(QUESTION, decide=approve)["sql"] == "SELECT 2"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_new_thread_begins_with_the_next_question(opened: OpenedDatabase, stub: ChatStub, is_async: bool) -> None:
    stub.enqueue(completion(NAMES), completion("SELECT COUNT(*) FROM pet"))

    def decide(query: dict[str, Any]) -> bool:
        opened.new_thread()
        return True

    first = asyncio.run(opened.aask(QUESTION, decide=decide)) if is_async else opened.ask(QUESTION, decide=decide)
    assert first["row_count"] == 2
    assert opened.ask("And how many?", decide=approve)["rows"] == [[2]]
    assert "Earlier question" not in str(stub.bodies[-1])


class Named:
    """A path of another library."""

    def __init__(self, path: str | bytes) -> None:
        self._path = path

    def __fspath__(self) -> Any:
        return self._path


def test_a_path_of_another_library_is_a_path(pets: Path, stub: ChatStub) -> None:
    stub.enqueue(completion(NAMES))
    with open_default(Named(str(pets)), model=Named(stub.url), context=APPROVE) as opened:
        assert opened.ask(QUESTION, decide=approve)["row_count"] == 2
    given: Any
    for given in (Named(b"pets.sqlite"), b"pets.sqlite"):
        with pytest.raises(InvalidInput, match="the database must be a file, a URL or a name"):
            open_default(given)


def test_questions_leave_nothing_but_their_turns(opened: OpenedDatabase, stub: ChatStub) -> None:
    saver: Any = opened.graph.checkpointer
    for _ in range(4):
        stub.enqueue(completion(NAMES))
        assert opened.ask(QUESTION, decide=approve)["row_count"] == 2
        assert not saver.storage and not saver.blobs and not saver.writes
    stub.enqueue(completion("SELECT COUNT(*) FROM pet"))
    opened.ask("And how many?", decide=approve)
    assert "Earlier question" in str(stub.bodies[-1])
