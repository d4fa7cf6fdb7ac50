"""The graph as a LangChain tool: a question in words for any agent that calls tools."""

from collections.abc import Callable
from typing import Any, Literal

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field, create_model

from route_sql.faces.reply import reply_text
from route_sql.graph.asking import no_answer
from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question
from route_sql.graph.threads.surrounding import surrounding_kept
from route_sql.graph.wiring import Graph
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput
from route_sql.tools.text import clean

DESCRIPTION = (
    "Ask a database a question in plain words. It is answered with SQL that was executed and checked: the reply has "
    "the rows, the SQL, how sure it is and the reasons to doubt it. Ask one whole question in each call, with all "
    "names and dates that it needs; earlier calls are not remembered."
)
BLANK = "The question is blank. Ask in words, such as: How many orders were paid in May?"
NO_PERSON = (
    "approve and clarify let a run wait for a person, which needs a graph with a checkpointer around the tool, such as "
    "an agent's; leave them out of the context, or call the tool from such a graph"
)
SHOWN_NAMES = 50


class AskDatabase(StructuredTool):
    """The tool; a call that names a thread of its own keeps the rights of the graph around it."""

    def run(self, *given: Any, **named: Any) -> Any:
        """Call the tool as LangChain does; `invoke` uses this too."""
        with surrounding_kept():
            return super().run(*given, **named)

    async def arun(self, *given: Any, **named: Any) -> Any:
        """Call the tool as LangChain does; `ainvoke` uses this too."""
        with surrounding_kept():
            return await super().arun(*given, **named)


def ask_database(
    graph: Graph,
    catalog: Catalog,
    *,
    name: str = "ask_database",
    description: str = DESCRIPTION,
    context: Context | None = None,
) -> BaseTool:
    """The tool `ask_database(question, database)`; the message of a call has the whole `Answer` as artifact.

    `database` is one of the catalog's names. A catalog of one database needs no such argument.

    Args:
        graph: A graph of `build_graph`. Within an agent it uses the agent's checkpointer, never its own.
        catalog: The graph's catalog.
        name: The tool's name.
        description: What the calling model reads; say here what your databases hold.
        context: Choices of every call, such as `hide`. None takes those of the graph around it.

    Raises:
        InvalidInput: the catalog is empty.
    """
    names = catalog.names()
    if not names:
        raise InvalidInput("the catalog is empty: a tool needs a database to ask")
    ask_here, ask = _both_ways(graph, names, {} if context is None else {"context": context})
    return AskDatabase.from_function(
        func=ask_here,
        coroutine=ask,
        name=name,
        description=description,
        args_schema=_arguments(names),
        response_format="content_and_artifact",
    )


def _both_ways(graph: Graph, names: list[str], chosen: dict[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The tool's function for callers without an event loop, and for those with one."""
    within: Any = graph.copy(update={"checkpointer": None})

    async def ask(question: str, database: str = names[0]) -> tuple[str, Answer]:
        if not question.strip():
            return BLANK, no_answer(BLANK)
        answer = _ended(await within.ainvoke(Question(question=question, database=database), **chosen))
        return reply_text(answer, database), answer

    def ask_here(question: str, database: str = names[0]) -> tuple[str, Answer]:
        if not question.strip():
            return BLANK, no_answer(BLANK)
        answer = _ended(within.invoke(Question(question=question, database=database), **chosen))
        return reply_text(answer, database), answer

    return ask_here, ask


def _ended(state: Any) -> Answer:
    """The answer of a run.

    Raises:
        InvalidInput: the run waits for a person, and there is no graph around it that could.
    """
    if state.get("__interrupt__"):
        raise InvalidInput(NO_PERSON)
    answer: Answer = state
    return answer


def _arguments(names: list[str]) -> type[BaseModel]:
    """The arguments that a calling model sees."""
    question = (str, Field(description="One whole question, in words."))
    if len(names) == 1:
        return create_model("AskDatabaseArguments", question=question)
    shown = clean(", ".join(names[:SHOWN_NAMES]), 1_000)
    choice: Any = Literal[tuple(names)]
    database: Any = (choice, Field(description=f"The database to ask: {shown}."))
    return create_model("AskDatabaseArguments", question=question, database=database)
