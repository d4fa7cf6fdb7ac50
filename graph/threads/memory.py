"""The memory of a thread: its last answered question, and whether the next one refers to it."""

from typing import Any, TypeGuard

from route_sql.agents.follow_up import (
    EARLIER_COLUMNS_CHARS,
    EARLIER_QUESTION_CHARS,
    EARLIER_SQL_CHARS,
    EarlierTurn,
    with_earlier_turn,
)
from route_sql.agents.reference import refers_back
from route_sql.graph.context import Context
from route_sql.graph.state import AnsweredQuestion, Question, State
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.errors import InvalidInput
from route_sql.tools.text import clean

TURN = {"question": str, "database": str, "sql": str, "columns": list, "rights": dict}
"""Keys of a turn and their types."""


def turn_of(question: str, database: str, sql: str, columns: list[str], rights: dict[str, Any]) -> AnsweredQuestion:
    """An answered question as the thread keeps it: a few hundred characters, whatever the answer was."""
    kept = [column[:EARLIER_COLUMNS_CHARS] for column in columns[:EARLIER_COLUMNS_CHARS]]
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


async def earlier_turn(state: State, asked: Question, catalog: Catalog, context: Context) -> AnsweredQuestion | None:
    """The thread's last answered question, if this one refers to it.

    A turn is not used for another database, for a caller with other rights, or if it has a name that is hidden now.

    Raises:
        InvalidInput: the state holds something else in place of a turn.
    """
    turn = _kept(state.get("last_turn"))
    if turn is None or not context.follow_up or turn["database"] != asked["database"]:
        return None
    if turn["rights"] != context.rights.as_json():
        return None
    database = catalog.get(asked["database"], context.rights)
    if not refers_back(asked["question"], await database.schema()):
        return None
    is_hidden = isinstance(database, VisibleDatabase) and (await database.visible()).betrayed_by(as_evidence("", turn))
    return None if is_hidden else turn


def as_evidence(evidence: str, turn: AnsweredQuestion | None) -> str:
    """The evidence that the agents see: the question's own, and the earlier turn if there is one."""
    if turn is None:
        return evidence
    return with_earlier_turn(evidence, EarlierTurn(turn["question"], turn["sql"], turn["columns"]))


def follow_up_notes(turn: AnsweredQuestion | None) -> list[str]:
    """The note that tells the reader how the question was understood."""
    return [f"Read as a follow-up of: {clean(turn['question'], EARLIER_QUESTION_CHARS)}"] if turn else []


def evidence_in(state: State) -> str:
    """The same, as the state has it."""
    return as_evidence(state.get("question_evidence", ""), state.get("earlier_turn"))


def _kept(turn: object) -> AnsweredQuestion | None:
    if turn is None or is_turn(turn):
        return turn
    raise InvalidInput(f"last_turn in the state must be an object with {', '.join(TURN)}, or null, not {turn!r:.200}")
