"""The beginning of a question: no value of the thread's last question is left, also if the next one fails."""

from typing import Any, get_type_hints

from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel._write import ChannelWrite, ChannelWriteTupleEntry

from route_sql.graph.context import Context
from route_sql.graph.fields.channels import BEGIN, OfOneQuestion, extended, later
from route_sql.graph.fields.proposals import PERSON, Proposal
from route_sql.graph.state import VERSION, Answer, Question, State
from route_sql.graph.threads.state_versions import StoredState
from route_sql.tools.errors import InvalidInput


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


def _is_emptied(annotation: Any) -> bool:
    """Whether `BEGIN` empties a key of the state."""
    marks = getattr(annotation, "__metadata__", ())
    return any(mark in (extended, later) or isinstance(mark, OfOneQuestion | DeltaChannel) for mark in marks)


OF_ONE_QUESTION = [name for name, each in get_type_hints(State, include_extras=True).items() if _is_emptied(each)]


def _begun(given: object) -> list[tuple[str, Any]]:
    """The values that every input writes.

    A face that keeps the conversation itself gives the last turns with it. A person's own query waits to be run.
    """
    if given is None:  # LangGraph draws the graph
        return []
    begun: dict[str, Any] = {"version": VERSION, **dict.fromkeys(OF_ONE_QUESTION, BEGIN)}
    if isinstance(given, dict) and "last_turn" in given:
        begun |= {"last_turn": given["last_turn"], "older_turns": given.get("older_turns")}
    if isinstance(given, dict) and "own_sql" in given:
        begun["proposal"] = _own(given["own_sql"])
    return [*begun.items()]


def _own(sql: object) -> Proposal:
    if not isinstance(sql, str) or not sql.strip():
        raise InvalidInput(f"the input's own_sql must be a query, as a text that is not blank, not {sql!r}")
    return Proposal(agent=PERSON, sql=sql.strip(), scores=None)
