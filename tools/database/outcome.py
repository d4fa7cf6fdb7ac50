"""The outcome of a query, as plain data."""

from typing import Literal

from pydantic import FiniteFloat
from typing_extensions import TypedDict

Status = Literal["ok", "empty", "error", "timeout", "refused"]
ERROR_CHARS = 2_000
"""Characters of an error at most: engines repeat values and names in it, which may be megabytes."""
NEARBY = 200
"""Characters before that limit in which the last whole word is looked for."""
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
    """One sentence that a model or a person can act on, for `error`, `timeout` and `refused`; a long one is cut."""
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
        error=shortened(error),
        digest=None,
        seconds=seconds,
    )


def shortened(error: str) -> str:
    """The error up to a whole word where one ends nearby, since a part of a name would pass for another name."""
    if len(error) <= ERROR_CHARS:
        return error
    blank = error.rfind(" ", ERROR_CHARS - NEARBY, ERROR_CHARS)
    return error[: blank if blank > 0 else ERROR_CHARS - 1] + "…"
