"""Preparation before the agents start: notes from the context tools, and the part of a large schema that is shown."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from route_sql.agents.brief import NOTE_CHARS, NOTES
from route_sql.graph.calls.budget import in_time, unspent
from route_sql.graph.context import Context
from route_sql.graph.extensions.arguments import arguments
from route_sql.graph.extensions.extension import LATE, Extension, ExtensionFailed, content_of, name_of, reported
from route_sql.graph.extensions.protocol_results import texts_of_result
from route_sql.graph.schemas import Schemas, is_small
from route_sql.graph.state import Question, State
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.errors import DatabaseUnavailable, InvalidInput, RouteError
from route_sql.tools.schema.records import Link, Schema
from route_sql.tools.schema.relevance import reduce_schema
from route_sql.tools.schema.rendering import render_again
from route_sql.tools.schema.rights.visibility import EVERYTHING, Visibility
from route_sql.tools.text import clean, is_encodable

Notes = Sequence[str] | str | None
ContextTool = BaseTool | Callable[[Question], Notes | Awaitable[Notes]]
"""Gives notes on a question: a function, async or not, or a LangChain tool that takes any of its three fields."""

TOOLS_SHARE = 0.5
"""Part of the unspent time of a question that the context tools may take; the agents need the rest."""


@dataclass(frozen=True)
class Ground:
    """Everything that is known before the agents start.

    Args:
        notes: Notes for the prompts: untrusted text.
        shown: The part of the schema that the prompts show; None for all of it.
        remarks: Sentences for the reader of the answer: warnings, failed context tools, a cut schema.
    """

    notes: list[str]
    shown: Link | None
    remarks: list[str]


async def gather_ground(
    asked: Question,
    catalog: Catalog,
    schemas: Schemas,
    tools: Sequence[ContextTool | Extension],
    context: Context,
    evidence: str,
    *,
    began: float,
) -> Ground:
    """Gather the notes of the context tools and the catalog, and cut a schema that no prompt can hold.

    Notes are cut to the number and length that a prompt shows. `evidence` includes the earlier turn that the question
    refers to; the context tools see only the question's own evidence. The question began at `began` of the clock
    `time.monotonic`.

    Raises:
        RouteError: the database can't be asked.
    """
    database, rights = asked["database"], context.rights
    schema = await askable_schema(catalog, database, rights)
    schemas.keep(database, rights, schema)
    left = unspent(context.seconds, began)
    seconds = None if left is None else TOOLS_SHARE * left
    found, failures = await gather_notes(tools, asked, rights, seconds=seconds)
    notes = shown_notes([*found, *await catalog.notes(database, rights)])
    warnings = await catalog.get(database, rights).warnings()
    known = [*notes, evidence]
    shown, cut = await _shown(schema, asked["question"], known, context.schema_chars)
    return Ground(notes=notes, shown=shown, remarks=[*warnings, *failures, *cut])


async def ground_of_own_query(asked: Question, catalog: Catalog, schemas: Schemas, rights: Visibility) -> Ground:
    """Everything that is known before a person's own query runs: no agent reads notes.

    Raises:
        RouteError: the database can't be asked.
    """
    schemas.keep(asked["database"], rights, await askable_schema(catalog, asked["database"], rights))
    return Ground(notes=[], shown=None, remarks=[*await catalog.get(asked["database"], rights).warnings()])


def question_of(state: State) -> Question:
    """The question of the input.

    Raises:
        InvalidInput: one of its fields is missing, or is not a text that can be asked.
    """
    question, database, evidence = state.get("question"), state.get("database"), state.get("evidence") or ""
    if not isinstance(question, str) or not question.strip():
        raise InvalidInput(f"the input's question must be a text that is not blank, not {question!r}")
    if not isinstance(database, str):
        raise InvalidInput(f"the input's database must be a name in the catalog, not {database!r}")
    if not isinstance(evidence, str):
        raise InvalidInput(f"the input's evidence must be a text, if there is any, not {evidence!r}")
    for name, text in (("question", question), ("evidence", evidence)):
        if not is_encodable(text):
            raise InvalidInput(
                f"the input's {name} has half of a surrogate pair, which is not a character; write UTF-8"
            )
    return Question(question=question, database=database, evidence=evidence)


async def askable_schema(catalog: Catalog, name: str, rights: Visibility = EVERYTHING) -> Schema:
    """The part of a database's schema that a caller may see, if a question can be asked about it.

    Raises:
        UnknownDatabase: the catalog has no such database.
        DatabaseUnavailable: it can't be read, or the caller may see nothing in it.
    """
    database = catalog.get(name, rights)
    schema = await database.schema()
    if not schema.tables:
        if isinstance(database, VisibleDatabase) and (await database.visible()).hidden:
            raise DatabaseUnavailable(
                f"nothing of the database {name} is visible to this caller; look at allow and hide, in the context and "
                "in the catalog: write table, table.column or schema.table as the database has them"
            )
        raise DatabaseUnavailable(f"the database {name} has no tables; name one that has, or fill it first")
    return schema


async def gather_notes(
    tools: Sequence[ContextTool | Extension],
    state: State | Question,
    rights: Visibility = EVERYTHING,
    *,
    seconds: float | None = None,
) -> tuple[list[str], list[str]]:
    """Run the context tools side by side. Those that take `allow` and `hide` get the caller's rights.

    Args:
        tools: Tools of ours, which keep bounds of their own, and extensions.
        state: The question.
        rights: The caller's rights.
        seconds: Seconds after which tools that still run are stopped.

    Returns:
        The notes, in the order of the tools, and one sentence for each tool that failed.

    Raises:
        RouteError: a tool of ours found that the database can't be used.
    """
    question = Question(question=state["question"], database=state["database"], evidence=state.get("evidence", ""))
    # Each tool may change its arguments.
    works = [partial(_run, tool, Question(**question), {**question, **rights_of(rights)}) for tool in tools]
    results = await asyncio.gather(*(in_time(work, seconds) for work in works), return_exceptions=True)
    notes: list[str] = []
    failures: list[str] = []
    for tool, result in zip(tools, results, strict=True):
        if isinstance(result, BaseException):
            failures.append(_failure(tool, result))
        elif result is None:
            failures.append(f"{_title(tool)} {LATE} {round(seconds or 0, 1):g} s, its part of the question's time")
        else:
            notes.extend(result)
    return [note for note in notes if note], failures


def shown_notes(notes: Sequence[str]) -> list[str]:
    """The notes as a prompt shows them; the state holds no others."""
    return [clean(note, NOTE_CHARS) for note in notes[:NOTES]]


def rights_of(rights: Visibility) -> dict[str, object]:
    """A caller's rights as arguments of a tool: `allow` (None for everything), `hide` and `within`."""
    return rights.as_json()


def takes(tool: BaseTool, rights: Visibility) -> bool:
    """Whether a tool takes every part of a caller's rights."""
    needed = {name for name, value in rights_of(rights).items() if value is not None and value != []}
    return needed <= arguments(tool) and (not rights or {"allow", "hide"} <= arguments(tool))


def shown_part(schema: Schema, question: str, notes: Sequence[str], budget_chars: int) -> tuple[Link | None, list[str]]:
    """The part of the schema that the prompts show, None for all of it, and a remark for the reader if it was cut."""
    reduced, cut = reduce_schema(schema, question, budget_chars, notes)
    if not cut:
        return None, []
    remark = f"The schema is too large for a prompt: {len(reduced.tables)} of {len(schema.tables)} tables were shown."
    return {table.key: [column.name for column in table.columns] for table in reduced}, [remark]


async def _shown(
    schema: Schema, question: str, notes: Sequence[str], budget_chars: int
) -> tuple[Link | None, list[str]]:
    """The part of the schema that is shown; a schema of many columns is measured in a thread."""
    if is_small(schema) and len(render_again(schema)) <= budget_chars:
        return None, []
    return await asyncio.to_thread(shown_part, schema, question, notes, budget_chars)


async def fitting_schema(schema: Schema, question: str, notes: Sequence[str], budget_chars: int) -> Schema:
    """The schema as a prompt shows it: cut if it exceeds the budget. A schema of many columns is measured in a thread.

    A run needs this again after `ground`: samples and comments of a part may be too long, and a run that was resumed
    with narrower rights has no part any more.
    """
    if is_small(schema) and len(render_again(schema)) <= budget_chars:
        return schema
    return await asyncio.to_thread(_fitting, schema, question, notes, budget_chars)


def _fitting(schema: Schema, question: str, notes: Sequence[str], budget_chars: int) -> Schema:
    # The prompt shows the same text, so it is rendered here once for both.
    fits = len(render_again(schema)) <= budget_chars
    return schema if fits else reduce_schema(schema, question, budget_chars, notes)[0]


def _failure(tool: ContextTool | Extension, error: BaseException) -> str:
    """The sentence on a tool that failed. An error that the caller's tool did not cause is raised."""
    if isinstance(tool, Extension) and isinstance(error, ExtensionFailed):
        return f"{_title(tool)} {error}"
    if isinstance(tool, Extension) or isinstance(error, RouteError) or not isinstance(error, Exception):
        raise error
    return f"{_title(tool)} failed: {type(error).__name__}: {error}"


def _title(tool: ContextTool | Extension) -> str:
    return tool.title if isinstance(tool, Extension) else f"The context tool {name_of(tool)}"


async def _run(tool: ContextTool | Extension, question: Question, given: dict[str, object]) -> list[str]:
    if isinstance(tool, Extension):
        return _read(await tool.call(_wanted(tool.given, given, question)), tool.given)
    result = tool.ainvoke(_wanted(tool, given, question)) if isinstance(tool, BaseTool) else tool(question)
    return _texts(await result if inspect.isawaitable(result) else result, tool)


def _wanted(tool: object, given: dict[str, object], question: Question) -> Any:
    """The input of a context tool: the given values that it takes; a function takes the question."""
    if not isinstance(tool, BaseTool):
        return question
    taken = arguments(tool)
    return {name: value for name, value in given.items() if name in taken}


def _read(result: object, tool: object) -> list[str]:
    with reported():
        return _texts(result, tool)


def _texts(result: object, tool: object) -> list[str]:
    """The notes in a tool's result: texts, messages, content blocks, or results of the Model Context Protocol."""
    if isinstance(result, ToolMessage):  # in a list too
        return _texts(content_of(result), tool)
    if result is None:
        return []
    if isinstance(result, str):
        return [str(result)]  # a plain copy: a subclass of the caller's could run code later
    if (texts := texts_of_result(result)) is not None:
        return texts
    if isinstance(result, list | tuple):
        return [text for part in result for text in _texts(part, tool)]
    if isinstance(tool, BaseTool):
        return [str(result)]
    raise TypeError(f"notes must be a text or a list of texts, not {type(result).__name__}")
