"""The outcome of a query, as plain data."""

from typing import Literal

from pydantic import FiniteFloat
from typing_extensions import TypedDict

Status = Literal["ok", "empty", "error", "timeout", "refused"]
Cell = str | int | float | bool | None


class Outcome(TypedDict):
    """The outcome of one query; plain JSON, so that a graph's state can hold it."""

    status: Status
    """`empty` is a query that ran and returned no row; `refused` one that was not allowed to run."""
    columns: list[str]
    rows: list[list[Cell]]
    """At most `Limits.rows` rows; long cells are clipped, bytes are shown as text."""
    row_count: int
    """Rows fetched; the query has more if it is `truncated`."""
    truncated: bool
    """True if a row, cell or byte cap cut the result."""
    error: str | None
    """One sentence that a model or a person can act on, for `error`, `timeout` and `refused`."""
    digest: str | None
    """Equal for results with the same rows in any order of rows and columns; None unless the query ran (`ran`)."""
    seconds: FiniteFloat


def ran(outcome: Outcome) -> bool:
    """Whether a query ran to its end, with or without rows."""
    return outcome["digest"] is not None


def failed(status: Status, error: str, seconds: float = 0.0) -> Outcome:
    """The outcome of a query that returned nothing because it failed, was stopped or was refused."""
    return Outcome(
        status=status,
        columns=[],
        rows=[],
        row_count=0,
        truncated=False,
        error=error,
        digest=None,
        seconds=seconds,
    )
