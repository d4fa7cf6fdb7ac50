"""The graph as a chat: messages in and out, for supervisors, sub-agents and chat pages."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any, NotRequired, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from route_sql.faces.reply import reply_text
from route_sql.graph.context import Context, context_of
from route_sql.graph.reading import in_both_ways
from route_sql.graph.state import Answer, AnsweredQuestion, Question
from route_sql.graph.threads.memory import OLDER, is_turn, turn_of
from route_sql.graph.threads.surrounding import NoContext, as_inner
from route_sql.graph.wiring import Graph
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput
from route_sql.tools.text import clean

KEY = "route_sql"
"""Key of our entry in a message's `additional_kwargs`."""
BLANK = "Ask a question about the database in words."
SHOWN_NAMES = 50


class ChatState(TypedDict):
    """The state of a chat."""

    messages: Annotated[list[AnyMessage], add_messages]
    """The conversation; the last message of a person is the question."""
    database: NotRequired[str]
    """The database to ask, if the question does not begin with its name and a colon."""


Chat = CompiledStateGraph[ChatState, Any, ChatState, ChatState]
"""A graph that takes a `Context`; supervisors want one of any context."""


def chat_graph(
    graph: Graph,
    catalog: Catalog,
    *,
    name: str = "route_sql",
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> Chat:
    """A graph with `messages`: it answers a person's last question in one new message.

    A follow-up is read together with the last answer of the conversation, which is in the messages themselves.
    With several databases a question begins with one of their names, such as `shop: How many orders?`, or the state
    has `database`; after that the conversation stays with it.

    Args:
        graph: A graph of `build_graph`. It uses the chat's checkpointer, never its own.
        catalog: The graph's catalog.
        name: The chat's name, as a supervisor calls it: letters, digits and underscores.
        checkpointer: Needed for approval, if no graph around the chat has one.

    Raises:
        InvalidInput: the name can't be the name of a tool, or the catalog is empty.
    """
    if not name.isidentifier() or not name.isascii():
        raise InvalidInput(f"a chat's name must be letters, digits and underscores, not {name!r}: it names a tool too")
    if not catalog.names():
        raise InvalidInput("the catalog is empty: a chat needs a database to ask")
    builder = StateGraph(ChatState, context_schema=Context)
    builder.add_node("ask", in_both_ways(cast(Any, _asking(graph, catalog, name)), "ask"))
    builder.add_edge(START, "ask")
    builder.add_edge("ask", END)
    chat: Chat = as_inner(builder.compile(name=name, checkpointer=checkpointer))
    return chat


def _asking(graph: Graph, catalog: Catalog, name: str) -> Callable[..., Awaitable[dict[str, Any]]]:
    """The chat's node: it asks the graph, and adds the answer to the messages."""
    within: Any = graph.copy(update={"checkpointer": None})

    async def ask(state: ChatState, *, runtime: Runtime[Context]) -> dict[str, Any]:
        text = _question(state["messages"])
        database, question = _asked(text, state, catalog.names())
        if database is None or not question:
            return {"messages": [AIMessage(_which(catalog.names()) if question else BLANK, name=name)]}
        turns = _turns(state["messages"])
        last = turns[0] if turns else None
        asked = {**Question(question=question, database=database), "last_turn": last, "older_turns": turns[1:]}
        # a question that began keeps its rights; one that did not has lost its context
        lost = runtime.context if isinstance(runtime.context, NoContext) else None
        answer: Answer = await within.ainvoke(asked, context=lost)
        rights = context_of(runtime).rights.as_json()
        kept = _entry(question, database, answer, rights, last)
        return {"messages": [AIMessage(reply_text(answer, database), name=name, additional_kwargs={KEY: kept})]}

    return ask


def _question(messages: Sequence[AnyMessage]) -> str:
    """The text of the last message of a person; of the last message if there is none."""
    from_people: list[AnyMessage] = [message for message in messages if isinstance(message, HumanMessage)]
    found = from_people or [*messages]
    return found[-1].text.strip() if found else ""


def _asked(text: str, state: ChatState, names: list[str]) -> tuple[str | None, str]:
    """The database and the question.

    Raises:
        InvalidInput: `database` in the state is not a name.
    """
    first, colon, rest = text.partition(":")
    if colon and first.strip() in names:
        return first.strip(), rest.strip()
    chosen: object = state.get("database")
    if chosen is not None and not isinstance(chosen, str):
        raise InvalidInput(f"database in the chat's state must be a name in the catalog, not {chosen!r:.100}")
    only = names[0] if len(names) == 1 else None
    return chosen or only or _last_database(state["messages"], names), text


def _last_database(messages: Sequence[AnyMessage], names: list[str]) -> str | None:
    entry = _last_entry(messages)
    return entry["database"] if entry.get("database") in names else None


def _turns(messages: Sequence[AnyMessage]) -> list[AnsweredQuestion]:
    """The last answered question and those before it, the newest first; empty if the newest entry has none."""
    turns = [entry.get("last_turn") for entry in islice(_entries(messages), OLDER + 1)]
    known = [turn for place, turn in enumerate(turns) if is_turn(turn) and turn not in turns[:place]]
    return known if turns and is_turn(turns[0]) else []


def _last_entry(messages: Sequence[AnyMessage]) -> dict[str, Any]:
    """Our entry in the newest message that has one."""
    return next(_entries(messages), {})


def _entries(messages: Sequence[AnyMessage]) -> Iterator[dict[str, Any]]:
    """Our entries, the newest first, checked field by field, since messages may come from anywhere."""
    entries = (each.additional_kwargs.get(KEY) for each in reversed(messages) if isinstance(each, AIMessage))
    return (entry for entry in entries if isinstance(entry, dict))


def _entry(
    question: str, database: str, answer: Answer, rights: dict[str, Any], last: AnsweredQuestion | None
) -> dict[str, Any]:
    """A summary of the answer, and the turn that a follow-up needs."""
    is_answered = answer["error"] is None and answer["sql"] is not None
    turn = turn_of(question, database, answer["sql"] or "", answer["columns"], rights) if is_answered else last
    shown = {key: answer[key] for key in ("sql", "status", "confidence", "calibrated", "doubts", "row_count")}
    return {"database": database, "last_turn": turn, **shown}


def _which(names: list[str]) -> str:
    shown = clean(", ".join(names[:SHOWN_NAMES]), 1_000)
    return f"Which database? Begin the question with its name and a colon. There are: {shown}."
