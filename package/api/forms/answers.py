"""Bodies of the answers, as /openapi.json describes them."""

from typing import Any, Literal

from typing_extensions import TypedDict

from route_sql.graph.state import Answer

TurnState = Literal["answered", "needs_approval", "needs_choice", "running", "stopped"]
"""State of a turn. `stopped`: the client left, the server closed or something failed; it can be continued."""


class ErrorPart(TypedDict):
    """A code for programs, a sentence for people, and the id by which the log has the request."""

    code: str
    message: str
    request_id: str


class ErrorBody(TypedDict):
    """An error."""

    error: ErrorPart


class ApproveQuestion(TypedDict):
    """A query that waits for a person. Send `id` as `interrupt` with the decision, so that it decides this query."""

    id: str
    kind: Literal["approve"]
    sql: str
    database: str


class ClarifyQuestion(TypedDict):
    """An unclear word, with its possible meanings. Send `id` as `interrupt` with the answer."""

    id: str
    kind: Literal["clarify"]
    question: str
    choices: list[str]
    database: str


PersonQuestion = ApproveQuestion | ClarifyQuestion


class AnsweredBody(TypedDict):
    """The end of a run: an answer, or a question to a person. `turn` is the question's number in its thread."""

    thread: str
    turn: int
    request_id: str
    state: Literal["answered", "needs_approval", "needs_choice"]
    answer: Answer | None
    interrupt: PersonQuestion | None


class DatabaseEntry(TypedDict):
    """A database."""

    name: str
    engine: str


class DatabasesBody(TypedDict):
    """The databases that the caller may see."""

    databases: list[DatabaseEntry]


class ColumnEntry(TypedDict):
    """A column. `references` is `table.column` or null; examples are cells: untrusted text."""

    name: str
    type: str
    primary_key: bool
    references: str | None
    comment: str | None
    examples: list[str]


class TableEntry(TypedDict):
    """A table."""

    name: str
    comment: str | None
    columns: list[ColumnEntry]


class SchemaBody(TypedDict):
    """The visible part of a schema."""

    database: str
    tables: list[TableEntry]


class CheckedBody(TypedDict):
    """Whether a statement may run, and why not."""

    allowed: bool
    reason: str | None


class ThreadEntry(TypedDict):
    """A thread in the list: its first question, and the state of its last."""

    thread: str
    database: str
    question: str
    asked_at: str
    state: TurnState
    turns: int


class ThreadsBody(TypedDict):
    """The caller's threads, newest first."""

    threads: list[ThreadEntry]


class TurnBody(TypedDict):
    """A question of a thread. `turn` is its number there, from 1 on.

    `rows_left_out`: its answer has no rows here, since the rows of later turns are many; its report shows them.
    """

    turn: int
    question: str
    asked_at: str
    state: TurnState
    answer: Answer | None
    interrupt: PersonQuestion | None
    rows_left_out: bool


class ThreadBody(TypedDict):
    """A thread with all its questions, the oldest first."""

    thread: str
    database: str
    turns: list[TurnBody]


class HealthBody(TypedDict):
    """Whether the server lives, or is ready."""

    status: str


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with, for /openapi.json."""
    return {status: {"model": ErrorBody, "description": "An error"} for status in statuses}
