"""A state that was edited may lack any key, or hold nonsense: the run answers, or says which key is wrong."""

import json
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from support.endless_model import EndlessModel

from route_sql.graph.context import Context
from route_sql.graph.fields.channels import BEGIN
from route_sql.graph.wiring import build_graph
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import RouteError

QUESTION: Any = {"question": "Where did they live who bought late?", "database": "shop", "evidence": "late is February"}
THREAD: Any = {"configurable": {"thread_id": "1"}}
LACKING = "SELECT city FROM sale WHERE day > '2024-02-01'"
NAMES = "SELECT name FROM customer"
BROKEN = "SELECT nam FROM customer"
WITH_MUCH: dict[str, Any] = {"samples": 2, "keep_prompts": True, "seconds": 1_000.0}
RUNS: dict[str, tuple[Context, list[str]]] = {
    "single": (Context(strategy="single", clarify=True, **WITH_MUCH), [NAMES]),
    "paper": (Context(strategy="paper", max_corrections=1, **WITH_MUCH), [LACKING, NAMES]),
    "adaptive": (Context(max_corrections=1, **WITH_MUCH), [LACKING, BROKEN, NAMES]),
    "approval": (Context(strategy="single", approve=True), [NAMES]),
}
LISTS = ("attempts", "ledger", "exchanges", "notes")
"""Keys whose update is appended; `begin` replaces them."""
GONE = object()
WRONG: list[Any] = [GONE, None, 7, "nonsense", [], {}, [None], {"a": 1}, True, float("nan")]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of a value and those within it; of a list, its first entry."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for step, each in inner:
        yield from paths(each, (*path, step))


def spoiled(values: dict[str, Any], path: tuple[Any, ...], wrong: Any) -> dict[str, Any]:
    """The update that puts something wrong in one place of the state, or removes what is there."""
    key, *inner = path
    if not inner:
        return {key: BEGIN if wrong is GONE else wrong}
    value = deepcopy(values[key])
    place = value
    for step in inner[:-1]:
        place = place[step]
    if wrong is GONE:
        del place[inner[-1]]
    else:
        place[inner[-1]] = wrong
    return {key: {"begin": value} if key in LISTS else value}


async def run_through(graph: Any, given: Any, config: Any, context: Context | None) -> Any:
    """Run to the end, with an answer to each question to a person, a bounded number of times."""
    result = await graph.ainvoke(given, config, context=context, version="v2")
    for _ in range(20):
        if not result.interrupts:
            return result.value
        asked = result.interrupts[0].value
        said = True if "approve" in asked else {"evidence": "late is February"}
        result = await graph.ainvoke(Command(resume=said), THREAD, context=context, version="v2")
    raise AssertionError("the run asks for ever")


@pytest.mark.parametrize("name", RUNS)
async def test_a_spoiled_state_has_an_answer_or_an_error_that_names_the_key(name: str, catalog: Catalog) -> None:
    context, sql = RUNS[name]
    model = EndlessModel(history=[], sql=sql)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    await run_through(graph, QUESTION, THREAD, context)
    refused, answered, turns = 0, 0, Counter[Any]()
    for snapshot in [each async for each in graph.aget_state_history(THREAD)]:
        if "__start__" in snapshot.next:  # an edit there is a new input
            continue
        # The two nodes that `paper` begins with run side by side: an edit says as which it is made.
        edits_as = "draft" if snapshot.next == ("execute",) and name == "paper" else None
        # Before `ground`, nothing of the run's choices is kept.
        given = None if "choices" in snapshot.values else context
        for path in [each for key, value in snapshot.values.items() for each in paths(value, (key,))]:
            wrong = WRONG[turns[path] % len(WRONG)]  # at each later checkpoint that has the place, the next one
            turns[path] += 1
            model.asked = 0
            try:
                update = spoiled(snapshot.values, path, wrong)
                edited = await graph.aupdate_state(snapshot.config, update, as_node=edits_as)
                json.dumps(await run_through(graph, None, edited, given))
                answered += 1
            except RouteError as error:
                assert any(str(step) in str(error) for step in path), (path, wrong, error)
                assert len(str(error)) < 600
                refused += 1
    assert refused > 20 and answered > 20
