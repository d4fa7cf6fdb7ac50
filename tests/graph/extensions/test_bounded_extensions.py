"""Context tools and checks that are slow, raise or never return cost their time limit and a note, not the answer."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from route_sql.graph.context import Context
from route_sql.graph.extensions.extension import MOST_ABANDONED
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
ONE = f"{NAMES} LIMIT 1"
QUESTION = Question(question="Who lives in Bergen?", database="shop")
SINGLE = Context(strategy="single")
LIMIT = 0.3
LATE = "gave no result within 0.3 s."
NOT_RETURNED = f"{LATE} 1 of its calls has not returned."


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Set when the test is over, so that no thread outlives it."""
    event = threading.Event()
    yield event
    event.set()


def a_graph(model: ScriptedModel, catalog: Catalog, **given: Any) -> Any:
    return build_graph(model, catalog, **{"extension_seconds": LIMIT, **given})


class OddError(BaseException):
    """An error that is no `Exception`."""


def bad(how: str, released: threading.Event) -> Callable[..., Any]:
    """A function that goes wrong, whatever it is called with."""

    async def sleeps(*given: Any) -> None:
        await asyncio.sleep(30)

    async def clings(*given: Any) -> None:
        while not released.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    async def raises(*given: Any) -> None:
        raise ConnectionError("no\nroute")

    def leaves(*given: Any) -> None:
        sys.exit(3)

    async def leaves_later(*given: Any) -> None:
        sys.exit(3)

    async def is_cancelled(*given: Any) -> None:
        raise asyncio.CancelledError

    def blocks(*given: Any) -> None:
        released.wait(30)

    def returns_late(*given: Any) -> Any:
        return sleeps()

    def is_odd(*given: Any) -> None:
        raise OddError("odd")

    async def is_odd_later(*given: Any) -> None:
        raise OddError("odd")

    def stops(*given: Any) -> None:
        next(iter(()))

    kinds: list[Callable[..., Any]] = [
        sleeps, clings, raises, leaves, leaves_later, is_cancelled, blocks, returns_late, is_odd, is_odd_later, stops
    ]  # fmt: skip
    return next(kind for kind in kinds if kind.__name__ == how)


FAILURES = [
    ("sleeps", LATE),
    ("clings", NOT_RETURNED),
    ("raises", "failed: ConnectionError: no route"),
    ("leaves", "failed: SystemExit: 3"),
    ("leaves_later", "failed: SystemExit: 3"),
    ("is_cancelled", "failed: it was cancelled from within."),
    ("blocks", NOT_RETURNED),
    ("returns_late", LATE),
    ("is_odd", "failed: OddError: odd"),
    ("is_odd_later", "failed: OddError: odd"),
    ("stops", "failed: StopIteration"),
]


@pytest.mark.parametrize(("how", "said"), FAILURES)
@pytest.mark.parametrize("kind", ["context tool", "check"])
async def test_a_bad_extension_costs_a_note(
    model: ScriptedModel, catalog: Catalog, released: threading.Event, kind: str, how: str, said: str
) -> None:
    model.enqueue("sql", NAMES)
    graph = a_graph(model, catalog, **{f"{kind.replace(' ', '_')}s": [bad(how, released)]})
    began = time.monotonic()
    answer = await graph.ainvoke(QUESTION, context=SINGLE)
    released.set()
    assert time.monotonic() - began < 20
    assert (answer["status"], answer["row_count"]) == ("ok", 2)
    assert len(answer["notes"]) == 1 and answer["notes"][0].startswith(f"The {kind} {how} ")
    # After its result was late, the seconds that are left differ.
    assert said in answer["notes"][0] or how == "returns_late" and "gave no result within 0" in answer["notes"][0]


async def test_what_an_extension_is_given_is_its_own(model: ScriptedModel, catalog: Catalog) -> None:
    seen: list[Any] = []

    def spoils(question: Any) -> str:
        question.clear()
        return "a note"

    def looks(question: Any) -> None:
        seen.append(dict(question))

    def empties(question: str, sql: str, outcome: Any) -> None:
        seen.append(len(outcome["rows"]))
        outcome["rows"][0].clear()
        outcome["rows"].clear()
        outcome["columns"].clear()
        outcome["status"] = "error"

    model.enqueue("sql", NAMES)
    graph = a_graph(model, catalog, context_tools=[spoils, looks], checks=[empties, empties])
    answer = await graph.ainvoke(QUESTION, context=SINGLE)
    assert seen == [{**QUESTION, "evidence": ""}, 2, 2]
    assert (answer["status"], answer["rows"], answer["columns"]) == ("ok", [["Ida"], ["Una"]], ["name"])


async def test_the_event_loop_is_free_while_a_sync_check_runs(
    model: ScriptedModel, catalog: Catalog, released: threading.Event
) -> None:
    ticks = 0

    async def ticking() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    def slow(question: str, sql: str, outcome: object) -> None:
        released.wait(1)

    model.enqueue("sql", NAMES)
    graph = a_graph(model, catalog, checks=[slow], extension_seconds=10)
    ticker = asyncio.create_task(ticking())
    assert (await graph.ainvoke(QUESTION, context=SINGLE))["notes"] == []
    ticker.cancel()
    assert ticks > 20


async def test_a_slow_check_is_asked_once_a_question(model: ScriptedModel, catalog: Catalog) -> None:
    asked: list[str] = []

    async def slow(question: str, sql: str, outcome: object) -> None:
        asked.append(sql)
        await asyncio.sleep(30)

    async def one_row(question: str, sql: str, outcome: Any) -> str | None:
        return "One row is wanted." if outcome["row_count"] > 1 else None

    model.enqueue("sql", NAMES, NAMES).enqueue("link", "{}").enqueue("verdict", f"verdict: wrong\n{ONE}")
    answer = await a_graph(model, catalog, checks=[slow, one_row]).ainvoke(QUESTION)
    assert answer["sql"] == ONE and len(answer["candidates"]) == 3
    assert asked == [NAMES]
    assert answer["notes"] == [f"The check slow {LATE}"]


async def test_calls_that_never_return_are_counted_and_then_not_made(
    model: ScriptedModel, catalog: Catalog, released: threading.Event
) -> None:
    calls = 0

    def hangs(question: Question) -> None:
        nonlocal calls
        calls += 1
        released.wait(60)

    model.enqueue("sql", *[NAMES] * (MOST_ABANDONED + 2))
    graph = a_graph(model, catalog, context_tools=[hangs])
    answers = [await graph.ainvoke(QUESTION, context=SINGLE) for _ in range(MOST_ABANDONED + 1)]
    assert calls == MOST_ABANDONED
    said = [answer["notes"] for answer in answers]
    assert said[1] == [f"The context tool hangs {LATE} 2 of its calls have not returned."]
    assert said[-1] == ["The context tool hangs was not called, since 4 earlier calls have not returned."]
    released.set()
    await asyncio.sleep(0.3)
    assert (await graph.ainvoke(QUESTION, context=SINGLE))["notes"] == []


async def test_many_questions_do_not_use_many_threads(
    model: ScriptedModel, catalog: Catalog, released: threading.Event
) -> None:
    def hangs(question: str, sql: str, outcome: object) -> None:
        released.wait(60)

    model.enqueue("sql", *[NAMES] * 60)
    graph = a_graph(model, catalog, checks=[hangs])
    before = threading.active_count()
    answers = await asyncio.gather(*(graph.ainvoke(QUESTION, context=SINGLE) for _ in range(60)))
    assert threading.active_count() - before < 45
    assert all(answer["status"] == "ok" and len(answer["notes"]) == 1 for answer in answers)


PROGRAM = """
import asyncio, sys, time
from route_sql import Catalog, Context, Question, build_graph
from route_sql.testing import ScriptedModel

def hangs(question, sql, outcome):
    time.sleep(600)

async def main():
    catalog, name = Catalog.from_url(sys.argv[1])
    async with catalog:
        graph = build_graph(
            ScriptedModel(otherwise=lambda task, prompt: "SELECT name FROM customer"), catalog, checks=[hangs],
            extension_seconds=0.2,
        )
        answer = await graph.ainvoke(Question(question="Who?", database=name), context=Context(strategy="single"))
        print(answer["status"])

asyncio.run(main())
"""


def test_a_check_that_never_returns_does_not_keep_the_program_from_ending(shop: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM, str(shop)], capture_output=True, timeout=100, check=True)
    assert ended.stdout == b"ok\n"


async def test_a_cancelled_question_cancels_its_check(model: ScriptedModel, catalog: Catalog) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow(question: str, sql: str, outcome: object) -> None:
        begun.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    model.enqueue("sql", NAMES)
    graph = a_graph(model, catalog, checks=[slow], extension_seconds=60)
    run = asyncio.create_task(graph.ainvoke(QUESTION, context=SINGLE))
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_check_may_interrupt_the_run(model: ScriptedModel, catalog: Catalog) -> None:
    def asks(question: str, sql: str, outcome: object) -> str | None:
        return str(interrupt("Is this right?"))

    model.enqueue("sql", NAMES)
    graph = a_graph(model, catalog, checks=[asks], checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    paused = await graph.ainvoke(QUESTION, thread, context=SINGLE, version="v2")
    assert [each.value for each in paused.interrupts] == ["Is this right?"]
    answer = await graph.ainvoke(Command(resume="No."), thread, context=SINGLE)
    assert answer["doubts"][0] == "No." and answer["notes"] == []


@pytest.mark.parametrize("result", [True, 5, {"complaint": "x"}, ["x"], b"x"])
async def test_a_complaint_is_a_text(model: ScriptedModel, catalog: Catalog, result: object) -> None:
    model.enqueue("sql", NAMES)
    graph = a_graph(model, catalog, checks=[lambda question, sql, outcome: result])
    answer = await graph.ainvoke(QUESTION, context=SINGLE)
    kind = type(result).__name__
    assert answer["notes"] == [f"The check <lambda> failed: it must return a text or None, not {kind}."]


async def test_two_checks_of_one_name_are_told_apart(model: ScriptedModel, catalog: Catalog) -> None:
    checks = [lambda question, sql, outcome: 1 / 0, lambda question, sql, outcome: []]
    model.enqueue("sql", NAMES)
    answer = await a_graph(model, catalog, checks=checks).ainvoke(QUESTION, context=SINGLE)
    assert [note.split(" failed")[0] for note in answer["notes"]] == ["The check <lambda>", "The check <lambda> (2)"]
