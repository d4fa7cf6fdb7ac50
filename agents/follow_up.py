"""A follow-up question: the thread's last question and its SQL, as evidence within the frozen prompt.

The tuned prompt has no block for earlier turns, and its bytes are fixed. So the last turn is part of the evidence, as
any fact about a question. Training rows are written by the same function.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from route_sql.tools.text import clean

EARLIER_QUESTION_CHARS = 300
EARLIER_SQL_CHARS = 800
EARLIER_COLUMNS_CHARS = 200


@dataclass(frozen=True)
class EarlierTurn:
    """The last question of a thread that was answered, with its SQL and the columns of its result."""

    question: str
    sql: str
    columns: Sequence[str]


def with_earlier_turn(evidence: str, earlier: EarlierTurn) -> str:
    """The evidence of a follow-up: that of the question itself, then the earlier turn, each part clipped.

    `Earlier question: How many cats are there? SQL: SELECT COUNT(*) FROM cat; columns: COUNT(*)`
    """
    question = clean(earlier.question, EARLIER_QUESTION_CHARS)
    sql = clean(earlier.sql, EARLIER_SQL_CHARS).rstrip(" ;")
    columns = clean(", ".join(earlier.columns), EARLIER_COLUMNS_CHARS)
    turn = f"Earlier question: {question} SQL: {sql}; columns: {columns}"
    return f"{evidence.rstrip()} {turn}" if evidence.strip() else turn
