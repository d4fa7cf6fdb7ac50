"""A run as a file: the question, the schema, the notes, each reply and each outcome, to be run again without a model.

A recording holds prompts, replies and rows. It is for bug reports and for tests.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from route_sql.agents.brief import Wording
from route_sql.agents.call import wording_of
from route_sql.graph.asking import answer_in, run_with_story
from route_sql.graph.checks import Check
from route_sql.graph.confidence import Calibration, calibration_of, find_calibration
from route_sql.graph.context import Context
from route_sql.graph.events import Tell, no_story
from route_sql.graph.fields.run_choices import Choices
from route_sql.graph.grounding import ContextTool, askable_schema
from route_sql.graph.state import Answer, Exchange, Question, State
from route_sql.graph.wiring import build_graph
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.errors import InvalidInput
from route_sql.tools.execute_sql import make_execute_sql, outcome_of
from route_sql.tools.files import write_whole
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.rights.visibility import Visibility

FILE = "recording.json"


class RecordedQuery(TypedDict):
    """One run of the executor."""

    sql: str
    outcome: Outcome


class DatabaseFacts(TypedDict):
    """Everything that one run depends on of its database, apart from outcomes."""

    database_schema: Schema
    """The part of the schema that the caller may see."""
    limits: Limits
    warnings: list[str]
    """Warnings of the database for the reader of the answer."""


class Recording(DatabaseFacts):
    """Everything that one run depends on, and its answer."""

    format: Literal[1]
    question: Question
    choices: Choices
    notes: list[str]
    """Notes of all context tools and of the catalog."""
    wording: Wording
    calibration: Calibration | None
    exchanges: list[Exchange]
    queries: list[RecordedQuery]
    answer: Answer


async def record_run(
    model: BaseChatModel,
    catalog: Catalog,
    question: Question,
    context: Context | None = None,
    *,
    context_tools: Sequence[ContextTool] = (),
    checks: Sequence[Check] = (),
    executor: BaseTool | None = None,
    calibration: Calibration | None = None,
    tell: Tell | None = None,
) -> tuple[State, Recording]:
    """Run a question and record it; the other arguments are those of `build_graph`.

    Returns:
        The state at the end, and the recording.

    Raises:
        InvalidInput: the context lets the run ask a person; a recorded run does not stop.
        RouteError: as for any run.
    """
    chosen = replace(context or Context(), keep_prompts=True)
    if chosen.approve or chosen.clarify:
        raise InvalidInput("a run that asks a person can't be recorded; leave approve and clarify out of the context")
    recorder = _RecordingExecutor(executor or make_execute_sql(catalog))
    given = await find_calibration(model, calibration or calibration_of(model), {})
    graph = build_graph(
        model, catalog, context_tools=context_tools, checks=checks, executor=recorder.tool, calibration=given
    )
    state = await run_with_story(graph, question, chosen, tell or no_story)
    recording = Recording(
        format=1,
        question=question,
        choices=state["choices"],
        notes=state.get("context_notes", []),
        wording=await wording_of(model),
        calibration=given,
        exchanges=state["exchanges"],
        queries=recorder.queries,
        answer=answer_in(state),
        **await _facts_of(catalog, question["database"], chosen.rights),
    )
    return state, recording


async def _facts_of(catalog: Catalog, name: str, rights: Visibility) -> DatabaseFacts:
    """Facts about the database, as the caller's rights show it."""
    database = catalog.get(name, rights)
    return DatabaseFacts(
        database_schema=await askable_schema(catalog, name, rights),
        limits=database.limits,
        warnings=list(await database.warnings()),
    )


def write_recording(folder: Path, recording: Recording) -> Path:
    """Write a recording into a folder, which is made if it is missing; returns the file.

    Raises:
        InvalidInput: it can't be written.
    """
    file = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only ASCII, since a model may write lone surrogates, which no encoding has.
        write_whole(file, json.dumps(_ADAPTER.dump_python(recording, mode="json"), indent=1) + "\n")
    except OSError as error:
        raise InvalidInput(f"the recording can't be written to {folder}: {error.strerror or error}") from error
    return file


def read_recording(folder: Path) -> Recording:
    """Read the recording of a folder.

    Raises:
        InvalidInput: there is none, it is damaged, or another version wrote it.
    """
    file = folder / FILE
    try:
        return _ADAPTER.validate_python(json.loads(file.read_bytes()))
    except OSError as error:
        raise InvalidInput(f"{file} can't be read: {error.strerror or error}; name a folder of --record") from error
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise InvalidInput(f"{file} is not a recording of this version: {reason}; record it again") from error
    except ValueError as error:
        raise InvalidInput(f"{file} is not JSON: {error}; record it again") from error


class _RecordingExecutor:
    """An executor that keeps each query with its outcome."""

    def __init__(self, inner: BaseTool) -> None:
        self.queries: list[RecordedQuery] = []
        self._inner = inner
        self.tool = _same_tool(inner, self._run)

    async def _run(self, **given: Any) -> tuple[str, Outcome]:
        call = {"type": "tool_call", "id": "recorded", "name": self._inner.name, "args": given}
        message = await self._inner.ainvoke(call)
        outcome = outcome_of(self._inner, message)
        self.queries.append(RecordedQuery(sql=str(given.get("sql", "")), outcome=outcome))
        return str(message.content), outcome


def _same_tool(inner: BaseTool, run: Any) -> BaseTool:
    """A tool with the name and the arguments of another one."""
    return StructuredTool(
        name=inner.name,
        description=inner.description,
        args_schema=cast(Any, inner.args_schema or inner.get_input_schema()),
        coroutine=run,
        response_format="content_and_artifact",
    )


_ADAPTER: TypeAdapter[Recording] = TypeAdapter(Recording)
