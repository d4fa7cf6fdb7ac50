"""The beginning of a question: nothing of the thread's last question is left, whatever happens next."""

from typing import Any

from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel._write import ChannelWrite, ChannelWriteTupleEntry

from route_sql.graph.channels import BEGIN
from route_sql.graph.context import Context
from route_sql.graph.state import VERSION, Answer, Question, State
from route_sql.graph.state_versions import StoredState

KEPT = ("version", "question", "database", "evidence", "last_turn")
"""Keys that the input sets, or that the thread keeps from question to question."""


class QuestionGraph(StateGraph[StoredState, Context, Question, Answer]):
    """A graph whose every input is a new question.

    LangGraph keeps the last question's values on a thread until a node replaces them. A question that fails before
    that would show the answer of the one before. So the input itself removes them.
    """

    def compile(self, *args: Any, **kwargs: Any) -> CompiledStateGraph[StoredState, Context, Question, Answer]:
        """Compile the graph; arguments as for LangGraph's own."""
        compiled = super().compile(*args, **kwargs)
        compiled.nodes[START].writers.append(ChannelWrite((ChannelWriteTupleEntry(_begun),)))
        return compiled


def _begun(given: object) -> list[tuple[str, Any]]:
    """The values that every input writes. A face that keeps the conversation itself gives the last turn with it."""
    begun = [("version", VERSION), *((name, BEGIN) for name in State.__annotations__ if name not in KEPT)]
    return [*begun, ("last_turn", given["last_turn"])] if isinstance(given, dict) and "last_turn" in given else begun
