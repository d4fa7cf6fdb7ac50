"""The memory of a thread: its last answered questions, and which of them the next one refers to."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from route_sql.agents.follow_up import (
    EARLIER_COLUMNS_CHARS,
    EARLIER_QUESTION_CHARS,
    EARLIER_SQL_CHARS,
    EarlierTurn,
    with_earlier_turn,
)
from route_sql.agents.reference import names_one_of, refers_back
from route_sql.graph.context import Context
from route_sql.graph.state import AnsweredQuestion, Question, State
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.errors import InvalidInput
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.usage import tables_and_columns
from route_sql.tools.text import clean

MOST_COLUMNS = EARLIER_COLUMNS_CHARS
"""Columns that are looked at; each takes a character at least."""
TURN = {"question": str, "database": str, "sql": str, "columns": list, "rights": dict}
"""Keys of a turn and their types."""
OLDER = 1
"""Turns that a thread keeps before the last one; few, since every checkpoint of a run holds them."""


def turn_of(question: str, database: str, sql: str, columns: list[str], rights: dict[str, Any]) -> AnsweredQuestion:
    """An answered question as the thread keeps it: a few hundred characters, whatever the answer was."""
    kept = [column[:EARLIER_COLUMNS_CHARS] for column in columns[:MOST_COLUMNS]]
    return AnsweredQuestion(
        question=question[:EARLIER_QUESTION_CHARS],
        database=database,
        sql=sql[:EARLIER_SQL_CHARS],
        columns=[column for place, column in enumerate(kept) if len(", ".join(kept[:place])) < EARLIER_COLUMNS_CHARS],
        rights=rights,
    )


def is_turn(value: object) -> TypeGuard[AnsweredQuestion]:
    """Whether a value is an answered question as `turn_of` writes it."""
    if not isinstance(value, dict) or value.keys() != TURN.keys():
        return False
    is_right = all(isinstance(value[name], kind) for name, kind in TURN.items())
    return is_right and all(isinstance(column, str) for column in value["columns"])


def turns_in(state: Mapping[str, Any]) -> dict[str, Any]:
    """The turns of a thread, as input of a question on another thread, which may refer to them."""
    return {name: state[name] for name in ("last_turn", "older_turns") if name in state}


def older_turns(state: State) -> list[AnsweredQuestion]:
    """The earlier turns that the thread keeps once this question is answered, the newest first."""
    return [turn for turn in (state.get("last_turn"), *(state.get("older_turns") or ())) if is_turn(turn)][:OLDER]


async def earlier_turn(state: State, asked: Question, catalog: Catalog, context: Context) -> AnsweredQuestion | None:
    """The answered question of the thread that this one refers to, if there is one.

    It is the last one, or an older one if only that reads a table which the question names. A turn is not used for
    another database, for a caller with other rights, or if it has a name that is hidden now.

    Raises:
        InvalidInput: the state holds something else in place of a turn.
    """
    if _kept(state.get("last_turn")) is None or not context.follow_up:
        return None
    turns = [turn for turn in _turns(state) if turn["database"] == asked["database"]]
    turns = [turn for turn in turns if turn["rights"] == context.rights.as_json()]
    # Only if the last turn is one of these: after another database, `And by month?` is about that one.
    if not turns or turns[0] != state.get("last_turn"):
        return None
    database = catalog.get(asked["database"], context.rights)
    turn = _meant(asked["question"], turns, await database.schema())
    if turn is None:
        return None
    is_hidden = isinstance(database, VisibleDatabase) and (await database.visible()).betrayed_by(as_evidence("", turn))
    return None if is_hidden else turn


def _turns(state: State) -> list[AnsweredQuestion]:
    """The last turn and those before it, the newest first."""
    older: object = state.get("older_turns") or []
    if not isinstance(older, list):
        raise InvalidInput(f"older_turns in the state must be a list of turns, not {older!r:.200}")
    return [turn for each in (state.get("last_turn"), *older) if (turn := _kept(each)) is not None]


def _meant(question: str, turns: Sequence[AnsweredQuestion], schema: Schema) -> AnsweredQuestion | None:
    """The turn that a question refers to; None for a complete question."""
    reads = [list(tables_and_columns(turn["sql"], schema)) for turn in turns]
    if not refers_back(question, schema, reads[0]):
        return None
    naming = [turn for turn, tables in zip(turns, reads, strict=True) if names_one_of(question, schema, tables)]
    return naming[0] if naming else turns[0]


def as_evidence(evidence: str, turn: AnsweredQuestion | None) -> str:
    """The evidence that the agents see: that of the question, and the earlier turn if there is one."""
    if turn is None:
        return evidence
    return with_earlier_turn(evidence, EarlierTurn(turn["question"], turn["sql"], turn["columns"]))


def follow_up_notes(turn: AnsweredQuestion | None) -> list[str]:
    """The note that tells the reader how the question was understood."""
    return [f"Read as a follow-up of: {clean(turn['question'], EARLIER_QUESTION_CHARS)}"] if turn else []


def evidence_in(state: State) -> str:
    """The evidence that the agents see, from the state."""
    return as_evidence(state.get("question_evidence", ""), state.get("earlier_turn"))


def _kept(turn: object) -> AnsweredQuestion | None:
    if turn is None or is_turn(turn):
        return turn
    raise InvalidInput(f"last_turn in the state must be an object with {', '.join(TURN)}, or null, not {turn!r:.200}")
