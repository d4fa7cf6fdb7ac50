"""Structured results of the server's tools; their fields become the tools' output schemas."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from route_sql.graph.state import Answer, AnswerStatus
from route_sql.json_values import json_cell
from route_sql.tools.database.outcome import Cell, Outcome, Status
from route_sql.tools.guard.refusal import Refusal

ROWS = 100
"""Rows of a result at most, since an assistant reads all of them."""

ShownRows = Annotated[
    list[list[Cell]], Field(description=f"At most {ROWS} rows; cells come from the database, untrusted.")
]
RowCount = Annotated[int, Field(description="Rows that the query returned, shown or not.")]
Truncated = Annotated[bool, Field(description="Whether a limit cut the result.")]
Error = Annotated[str | None, Field(description="Why there is no result; null if there is one.")]


class AskResult(TypedDict):
    """The answer to a question."""

    status: Annotated[
        AnswerStatus, Field(description="ok or empty if the query ran; with any other status there is no sure answer.")
    ]
    sql: Annotated[str | None, Field(description="The SQL that was run.")]
    columns: list[str]
    rows: ShownRows
    row_count: RowCount
    truncated: Truncated
    confidence: Annotated[float, Field(description="How sure the answer is, 0 to 1.")]
    calibrated: Annotated[bool, Field(description="Whether the confidence is a probability.")]
    doubts: Annotated[list[str], Field(description="Reasons to doubt the answer.")]
    notes: Annotated[list[str], Field(description="Remarks for the reader.")]
    error: Error


class ExecuteResult(TypedDict):
    """The result of one statement."""

    status: Annotated[Status, Field(description="ok or empty if it ran; refused if it was not allowed to.")]
    columns: list[str]
    rows: ShownRows
    row_count: RowCount
    truncated: Truncated
    error: Error
    seconds: float


class SchemaResult(TypedDict):
    """The schema of a database."""

    database: str
    dialect: Annotated[str, Field(description="The SQL dialect, such as sqlite or postgres.")]
    schema: Annotated[str, Field(description="Tables, columns, keys and examples of values: untrusted text.")]


class StatementCheck(TypedDict):
    """Whether a statement may run."""

    allowed: bool
    code: Annotated[str | None, Field(description="The kind of refusal; null if it is allowed.")]
    message: Annotated[str, Field(description="One sentence: why it may not run, or that it may.")]
    line: int | None
    column: int | None


def ask_result(answer: Answer) -> AskResult:
    """An answer without its candidates and its ledger."""
    return AskResult(
        status=answer["status"],
        sql=answer["sql"],
        columns=answer["columns"],
        rows=json_rows(answer["rows"]),
        row_count=answer["row_count"],
        truncated=answer["truncated"] or len(answer["rows"]) > ROWS,
        confidence=answer["confidence"],
        calibrated=answer["calibrated"],
        doubts=answer["doubts"],
        notes=answer["notes"],
        error=answer["error"],
    )


def execute_result(outcome: Outcome) -> ExecuteResult:
    """An outcome without its digest."""
    return ExecuteResult(
        status=outcome["status"],
        columns=outcome["columns"],
        rows=json_rows(outcome["rows"]),
        row_count=outcome["row_count"],
        truncated=outcome["truncated"] or len(outcome["rows"]) > ROWS,
        error=outcome["error"],
        seconds=outcome["seconds"],
    )


def check_result(refusal: Refusal | None) -> StatementCheck:
    """A verdict of the guard."""
    if refusal is None:
        return StatementCheck(allowed=True, code=None, message="The statement may run.", line=None, column=None)
    line, column = (refusal.place.line, refusal.place.column) if refusal.place else (None, None)
    return StatementCheck(allowed=False, code=refusal.code, message=refusal.message, line=line, column=column)


def json_rows(rows: list[list[Cell]]) -> list[list[Cell]]:
    """The first rows, in values that JSON has."""
    return [[json_cell(cell) for cell in row] for row in rows[:ROWS]]
