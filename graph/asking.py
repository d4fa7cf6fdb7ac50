"""The graph as a function, for callers that need no thread, no stream and no approval."""

from collections.abc import Awaitable, Callable

from langchain_core.language_models import BaseChatModel

from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.tools.database.catalog import Catalog

Ask = Callable[[Question], Awaitable[Answer]]
"""From a question to its answer."""


def asking(model: BaseChatModel, catalog: Catalog, context: Context) -> Ask:
    """The graph on a model and its databases, as a function from a question to its answer."""
    graph = build_graph(model, catalog)

    async def ask(question: Question) -> Answer:
        return (await graph.ainvoke(question, context=context, version="v2")).value

    return ask


def no_answer(error: str) -> Answer:
    """An answer to a question that could not be asked, with the reason: readers of answers need one form."""
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
