"""A state may be edited at every checkpoint, as each node, and the run goes through from there: Studio's "re-run"."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from support.endless_model import EndlessModel

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

QUESTION = Question(question="Where did they live who bought late?", database="shop", evidence="late is February")
THREAD: Any = {"configurable": {"thread_id": "1"}}
LACKING = "SELECT city FROM sale WHERE day > '2024-02-01'"
NAMES = "SELECT name FROM customer"
CITIES = "SELECT city FROM customer"
CHANCE = "SELECT T1.name FROM customer AS T1 JOIN sale AS T2 ON T1.id = T2.product_id"
BROKEN = [
    "SELECT nam FROM customer",
    "SELECT nme FROM customer",
    "SELECT nae FROM customer",
    "SELECT ame FROM customer",
]
THREE_TABLES = (
    "SELECT product.name FROM sale JOIN customer ON sale.customer_id = customer.id "
    "JOIN product ON sale.product_id = product.id"
)
AGENTS = ["link_schema", "draft", "generate", "execute", "complete_joins", "correct_noise", "continue_writing"]

RUNS: dict[str, tuple[Context, list[str]]] = {
    "single": (Context(strategy="single"), [NAMES]),
    "agreement": (Context(), [NAMES, "SELECT c.name FROM customer AS c"]),
    "complaints": (Context(max_corrections=2), [LACKING, CHANCE, NAMES]),
    "disagreement": (Context(), [NAMES, CITIES]),
    "samples": (Context(without=("link_schema", "correct_noise", "continue_writing")), [*BROKEN[:3], NAMES]),
    "nothing runs": (Context(max_samples=2), BROKEN),
    "paper": (Context(strategy="paper"), [NAMES, THREE_TABLES]),
    "paper fails": (Context(strategy="paper"), BROKEN),
    "approval": (Context(approve=True), [LACKING, NAMES]),
    "paper approved": (Context(strategy="paper", approve=True), [NAMES, THREE_TABLES]),
    "rights": (Context(hide=("customer.city",)), [CITIES, NAMES]),
}


async def run_through(graph: Any, given: Any, config: Any, context: Context | None) -> Any:
    """Run to the end; each query is approved, a bounded number of times."""
    result = await graph.ainvoke(given, config, context=context, version="v2")
    for _ in range(20):
        if not result.interrupts:
            break
        result = await graph.ainvoke(Command(resume=True), THREAD, context=context, version="v2")
    assert not result.interrupts
    return result.value


@pytest.mark.parametrize("name", RUNS)
async def test_every_checkpoint_can_be_edited_as_each_node_and_run_again(name: str, catalog: Catalog) -> None:
    context, sql = RUNS[name]
    model = EndlessModel(history=[], sql=sql)
    graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
    first = await run_through(graph, QUESTION, THREAD, context)
    history = [each async for each in graph.aget_state_history(THREAD)]
    begun = [each for each in history if each.values.get("choices")]
    assert len(begun) == len(history) - 2, "all but the input and the step before `ground`"
    for snapshot in begun:
        for node in ["ground", *AGENTS, "answer"]:
            edited = await graph.aupdate_state(snapshot.config, {"question": "Which?"}, as_node=node)
            model.asked = 0
            last = await run_through(graph, None, edited, None)
            assert (await graph.aget_state(THREAD)).next == (), (name, snapshot.next, node)
            if node != "answer":
                assert set(last) == set(first), (name, snapshot.next, node)


@pytest.mark.parametrize("name", RUNS)
async def test_every_checkpoint_can_be_edited_as_the_node_that_wrote_it(name: str, catalog: Catalog) -> None:
    context, sql = RUNS[name]
    graph: Any = build_graph(EndlessModel(history=[], sql=sql), catalog, checkpointer=InMemorySaver())
    await run_through(graph, QUESTION, THREAD, context)
    for snapshot in [each async for each in graph.aget_state_history(THREAD)]:
        if snapshot.values.get("choices") and len(snapshot.next) == 1 and not is_after_two(snapshot):
            edited = await graph.aupdate_state(snapshot.config, {"notes": ["edited"]})
            last = await run_through(graph, None, edited, None)
            assert "edited" in last["notes"]


def is_after_two(snapshot: Any) -> bool:
    """Whether two nodes ran side by side before: LangGraph then wants to know as which of them the state is edited."""
    return snapshot.next == ("execute",) and len(snapshot.values["ledger"]) == 2 and not snapshot.values.get("attempts")


@pytest.mark.parametrize("node", ["ground", "execute"])
async def test_before_a_run_has_begun_an_edit_says_what_is_missing(catalog: Catalog, node: str) -> None:
    graph: Any = build_graph(EndlessModel(history=[], sql=[NAMES]), catalog, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD)
    start = [each async for each in graph.aget_state_history(THREAD)][-1]
    with pytest.raises(InvalidInput, match="ask the question again"):
        await graph.aupdate_state(start.config, {"question": "Which?"}, as_node=node)
