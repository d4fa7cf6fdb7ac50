"""The graph as a function, for callers that need no thread, no stream and no approval."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langgraph.types import Command, Interrupt

from route_sql.graph.confidence import Calibration
from route_sql.graph.context import Context
from route_sql.graph.events import Tell
from route_sql.graph.state import Answer, Question, State
from route_sql.graph.wiring import Graph, build_graph
from route_sql.tools.database.catalog import Catalog

Ask = Callable[[Question], Awaitable[Answer]]
"""Asks a question and returns its answer."""


def asking(model: BaseChatModel, catalog: Catalog, context: Context, *, calibration: Calibration | None = None) -> Ask:
    """The graph on a model and its databases, as a function from a question to its answer.

    None for the calibration takes the model's own, if it has one.
    """
    graph = build_graph(model, catalog, calibration=calibration)

    async def ask(question: Question) -> Answer:
        return (await graph.ainvoke(question, context=context, version="v2")).value

    return ask


async def run_with_story(
    graph: Graph, question: Question | Command[Any] | None, context: Context, tell: Tell, *, thread: str | None = None
) -> State:
    """Run a graph, tell its story, and return the whole state at the end; the answer is a part of it.

    None in place of a question continues a run of the thread that was stopped.
    A graph with a checkpointer needs a thread. Where it was interrupted, the state has its `__interrupt__`.
    """
    config: Any = None if thread is None else {"configurable": {"thread_id": thread}}
    mode: Any
    part: Any
    state: Any = {}
    async for mode, part in graph.astream(question, config, context=context, stream_mode=["custom", "values"]):
        if mode == "custom":
            tell(part)
        else:
            state = part
    return cast(State, state)


def resumed(interrupt: Interrupt, answer: Any) -> Command[Any]:
    """The step that answers one interrupt, named by its id: LangGraph takes None or an empty map for no answer."""
    return Command(resume={interrupt.id: answer})


def answer_in(state: State) -> Answer:
    """The answer in the state of a run that has ended."""
    values: Any = state
    return cast(Answer, {key: values[key] for key in Answer.__annotations__})


def no_answer(error: str) -> Answer:
    """An answer with the reason why a question could not be asked, so that readers of answers need one form only."""
    return Answer(
        sql=None,
        status="error",
        confidence=0.0,
        calibrated=False,
        doubts=[],
        columns=[],
        rows=[],
        row_count=0,
        truncated=False,
        error=error,
        notes=[],
        candidates=[],
        ledger=[],
    )
