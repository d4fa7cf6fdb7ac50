"""Questions back to the person: what a word of the question means, or which query answers an unsure one."""

import asyncio
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from route_sql.agents.brief import QUESTION_CHARS
from route_sql.graph.fields.channels import Begin, Change
from route_sql.graph.fields.decisions import SAID, Point, chosen_reading, with_said
from route_sql.graph.person.approval import invalid_answer
from route_sql.graph.person.shown import asked
from route_sql.graph.selection import attempts, leading
from route_sql.graph.state import Question, State
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.engine import Database
from route_sql.tools.database.outcome import ran
from route_sql.tools.schema.question.asked_names import AskedNames, singulars
from route_sql.tools.schema.question.unclear_columns import MOST_READINGS, Unclear, unclear_columns
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.rights.visibility import Visibility
from route_sql.tools.text import clean
from route_sql.tools.values.find_values import ValueIndexes
from route_sql.tools.values.index import ValueIndex
from route_sql.tools.values.unclear_rows import different_cells, unclear_rows
from route_sql.tools.values.unclear_values import Named, likely_cells, named_cells, unclear_cells, unclear_parts

POINTS = 2
"""Points that a person is asked about at most before the agents start."""
DATABASE_SECONDS = 3.0
"""Seconds that the search for unclear values may ask the database."""
SAID_CHARS = 500
UNSURE = "The answer is not sure. Which query answers the question?"
FORMS = "answer with {'reading': '...'}, one of the readings as it is written, or {'evidence': '...'} in your own words"


class Clarification(BaseModel):
    """A person's answer: one of the readings, or the meaning in own words."""

    model_config = ConfigDict(extra="forbid")

    reading: str | None = None
    evidence: str | None = Field(default=None, description="What is meant, in your own words, if no reading fits.")

    @model_validator(mode="before")
    @classmethod
    def _one_answer(cls, given: object) -> object:
        """The answer in exactly one response of LangChain."""
        match given:
            case {"decisions": [{"type": "respond", "message": message, **more}], **rest} if not (more or rest):
                return {"evidence": message}
            case str():
                return {"reading": given}
            case {**fields}:
                return {name: text for name, text in fields.items() if text not in ("", None)}
        return given

    @model_validator(mode="after")
    def _is_one(self) -> "Clarification":
        if (self.reading is None) == (not (self.evidence or "").strip()):
            raise ValueError(FORMS)
        return self


def form_of(readings: list[str]) -> type[Clarification]:
    """The form of an answer, with the readings as its choices."""
    reading = Field(default=None, description="The reading that is meant.")
    choices: Any = Literal[tuple(readings)] | None if readings else None
    return create_model("Clarification", __base__=Clarification, reading=(choices, reading))


async def unclear_points(asked: Question, catalog: Catalog, rights: Visibility, indexes: ValueIndexes) -> list[Point]:
    """Words of a question that fit several columns, cells or rows equally well and that its evidence does not explain.

    Raises:
        RouteError: the database can't be asked.
    """
    database, question = catalog.get(asked["database"], rights), asked["question"][:QUESTION_CHARS]
    schema = await database.schema()
    index = await indexes.of(database, schema)
    named, names = await asyncio.to_thread(_names, question, index, schema)
    cells, rows = await _read(question, likely_cells(named, names), database, schema)
    found = [*await asyncio.to_thread(_unclear_words, question, cells, names, index, schema), *rows]
    known = {*singulars(asked.get("evidence", ""))}
    return [_point(each) for each in found if not {*singulars(each.words)} <= known][:POINTS]


async def _read(
    question: str, named: list[Named], database: Database, schema: Schema
) -> tuple[list[Named], list[Unclear]]:
    """The cells that mean different rows, and the names of several rows; only the clear cells if it takes too long."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            cells = await different_cells(named, database, schema)
            return cells, await unclear_rows(question, cells, database, schema)
    except TimeoutError:
        return [(phrase, best) for phrase, best in named if len(best) == 1], []


def _names(question: str, index: ValueIndex, schema: Schema) -> tuple[list[Named], AskedNames]:
    """The cells, tables and columns that a question names."""
    named = named_cells(question, index, schema)
    return named, AskedNames(question, schema, {word for phrase, _ in named for word in singulars(phrase.text)})


def _unclear_words(
    question: str, cells: list[Named], names: AskedNames, index: ValueIndex, schema: Schema
) -> list[Unclear]:
    valued = {best[0].table for _, best in cells if len(best) == 1}
    columns = unclear_columns(names, schema, valued)
    return [*columns, *unclear_cells(cells, schema.dialect), *unclear_parts(question, cells, names, index, schema)]


async def clarified(state: State) -> dict[str, Any]:
    """Interrupt the run with the first open point, and return what the person's answer changes in the state.

    Raises:
        InvalidInput: the answer does not fit the form. The run waits for another one.
    """
    first, *rest = state.get("unclear") or [_unsure_point(state)]
    answer = await _asked(first, state["database"])
    if not state.get("unclear"):
        decided = _picked(answer.reading, state) if answer.reading else _begun_again(answer, state)
        return {"asked_back": True, **decided}
    said = chosen_reading(first["words"], answer.reading) if answer.reading else _meaning_in(answer)
    others = {*first["readings"]} - {answer.reading}
    notes = [note for note in state.get("context_notes", []) if note not in others]
    return {"unclear": rest, "context_notes": notes, **_known(said, state)}


def _point(unclear: Unclear) -> Point:
    words = clean(unclear.words, SAID_CHARS)
    return Point(ask=f'What does "{words}" refer to?', words=words, readings=[*unclear.readings])


def _unsure_point(state: State) -> Point:
    """The candidates that returned different rows, the leading one first."""
    first = leading(state)
    different = {each["outcome"]["digest"]: each["sql"] for each in reversed(attempts(state)) if ran(each["outcome"])}
    others = [sql for sql in reversed(different.values()) if first is None or sql != first["sql"]]
    readings = [*([first["sql"]] if first else []), *others]
    return Point(ask=UNSURE, words="", readings=readings[:MOST_READINGS])


async def _asked(point: Point, database: str) -> Clarification:
    readings = point["readings"]
    query = {"clarify": point["ask"], "readings": readings, "database": database}
    try:
        answer: Clarification = await asked(query, form_of(readings))
    except ValidationError as error:
        raise invalid_answer(error, FORMS) from error
    return answer


def _picked(sql: str, state: State) -> dict[str, Any]:
    place = next(place for place, each in enumerate(attempts(state)) if each["sql"] == sql)
    return {"attempts": Change(at=place, set={"decision": "picked"})}


def _begun_again(answer: Clarification, state: State) -> dict[str, Any]:
    """The update after which the agents start again, with what the person said as evidence."""
    forgotten: dict[str, Any] = {"samples": None, "assessment": None, "no_answer": None, "linked": {}, "drafted": {}}
    calls = len(state.get("ledger", []))
    return {"attempts": Begin(begin=[]), **forgotten, "earlier_calls": calls, **_known(_meaning_in(answer), state)}


def _meaning_in(answer: Clarification) -> str:
    return clean(" ".join((answer.evidence or "").split()), SAID_CHARS)


def _known(said: str, state: State) -> dict[str, Any]:
    return {"question_evidence": with_said(said, state.get("question_evidence", "")), "notes": [f"{SAID}{said}"]}
