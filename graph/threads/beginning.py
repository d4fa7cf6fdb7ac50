"""The beginning of a question: it removes the values of the thread's last question, even if this one fails."""

from typing import Any, get_type_hints

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph._internal._runnable import RunnableCallable
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel._read import ChannelRead
from langgraph.pregel._write import ChannelWrite, ChannelWriteEntry

from route_sql.graph.context import Context
from route_sql.graph.fields.channels import BEGIN, Extended, OfOneQuestion, longer_time
from route_sql.graph.fields.proposals import PERSON, Proposal
from route_sql.graph.state import VERSION, Answer, Question, State
from route_sql.graph.threads.state_versions import StoredState
from route_sql.graph.threads.surrounding import as_inner
from route_sql.tools.errors import InvalidInput
from route_sql.tools.text import is_encodable


class QuestionGraph(StateGraph[StoredState, Context, Question, Answer]):
    """A graph whose every input is a new question.

    LangGraph keeps the last question's values on a thread until a node replaces them. A question that fails before
    that would show the answer of the one before. So the input itself removes those values.
    """

    uncached: frozenset[str] = frozenset()
    """Our nodes. LangGraph's cache knows a node's input, not the caller's rights, and would answer without approval."""

    def compile(self, *args: Any, **kwargs: Any) -> CompiledStateGraph[StoredState, Context, Question, Answer]:
        """Compile the graph; arguments as for LangGraph's own.

        Raises:
            InvalidInput: one of our nodes has a cache policy.
        """
        compiled: CompiledStateGraph[StoredState, Context, Question, Answer]
        compiled = as_inner(super().compile(*args, **kwargs))
        if cached := sorted(name for name in self.uncached if self.nodes[name].cache_policy is not None):
            raise InvalidInput(
                f"route-sql's nodes may not be cached, here {', '.join(cached)}: a cache knows neither the caller's "
                "rights nor approval. Give a cache_policy to nodes of your own, in add_node"
            )
        compiled.nodes[START].writers.append(_beginning())
        return compiled


def _is_emptied(annotation: Any) -> bool:
    """Whether `BEGIN` empties a key of the state."""
    return longer_time in _marks(annotation) or _has_mark(annotation, Extended | OfOneQuestion | DeltaChannel)


def _has_mark(annotation: Any, kind: Any) -> bool:
    return any(isinstance(mark, kind) for mark in _marks(annotation))


def _marks(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__metadata__", ())


_HINTS = get_type_hints(State, include_extras=True)
OF_ONE_QUESTION = [name for name, each in _HINTS.items() if _is_emptied(each)]
ALWAYS_THERE = {name for name in OF_ONE_QUESTION if not _has_mark(_HINTS[name], OfOneQuestion)}
"""Lists and numbers, which LangGraph begins with an empty value."""


def _beginning() -> Runnable[Any, Any]:
    """The writes of every input, which remove the values of the last question.

    Only values that are there are removed, since a checkpointer stores every write.
    """

    def write(given: Any, config: RunnableConfig) -> Any:
        if given is not None:  # None where LangGraph draws the graph
            left = ChannelRead.do_read(config, select=OF_ONE_QUESTION)
            ChannelWrite.do_write(config, [ChannelWriteEntry(*each) for each in _begun(given, left)])
        return given

    async def write_at_once(given: Any, config: RunnableConfig) -> Any:
        return write(given, config)

    return ChannelWrite.register_writer(RunnableCallable(write, write_at_once, name="begin", trace=False))


def _begun(given: object, left: dict[str, Any]) -> list[tuple[str, Any]]:
    """The channels and their values.

    A caller that keeps the conversation itself gives its last turns. A person's own query becomes the proposal.
    """
    begun: dict[str, Any] = {name: BEGIN for name, value in left.items() if not _is_empty(name, value)}
    if isinstance(given, dict) and "last_turn" in given:
        begun |= {"last_turn": given["last_turn"], "older_turns": given.get("older_turns")}
    if isinstance(given, dict) and "own_sql" in given:
        begun["proposal"] = _own(given["own_sql"])
    return [("version", VERSION), *begun.items()]


def _own(sql: object) -> Proposal:
    if not isinstance(sql, str) or not sql.strip() or not is_encodable(sql):
        raise InvalidInput(f"the input's own_sql must be a query, as a text that is not blank, not {sql!r}")
    return Proposal(agent=PERSON, sql=sql.strip(), scores=None)


def _is_empty(name: str, value: object) -> bool:
    """Whether `BEGIN` would leave the value as it is."""
    return name in ALWAYS_THERE and not value
