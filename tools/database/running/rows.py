"""Rows of an engine: converted to plain JSON, capped, and compared by a digest."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b

from route_sql.tools.database.outcome import Cell, Outcome
from route_sql.tools.database.running.cells import ELLIPSIS, NO_SPELLING, Spelling, as_json, plain_cell
from route_sql.tools.limits import Limits

SIGNIFICANT_DIGITS = 12
"""Digits in which equal floats agree: engines add in any order."""
_SAFE_INTEGER = 2**53
_SHORT_TOKEN = 64
_NO_ROWS = (str, bytes, bytearray, memoryview)
"""Sequences whose parts are no cells."""


@dataclass(frozen=True)
class Fetched:
    """Rows within the limits; `digest` is of the cells before clipping."""

    rows: list[list[Cell]]
    truncated: bool
    digest: str

    def outcome(self, columns: list[str], seconds: float) -> Outcome:
        """The outcome of the query that gave them; it is empty only if no limit withheld a row."""
        return Outcome(
            status="ok" if self.rows or self.truncated else "empty",
            columns=columns,
            rows=self.rows,
            row_count=len(self.rows),
            truncated=self.truncated,
            error=None,
            digest=self.digest,
            seconds=seconds,
        )


def fetch(source: Iterable[Sequence[object]], limits: Limits, spelling: Spelling = NO_SPELLING) -> Fetched:
    """Take rows one by one until a limit is met, so that memory holds one raw row at a time."""
    rows: list[list[Cell]] = []
    tokens: list[list[bytes]] = []
    size = 0
    clipped = False
    for raw in source:
        row = [plain_cell(value, spelling) for value in raw]
        shown = [_clip(cell, limits.cell_chars) for cell in row]
        size += sum(_size(cell) for cell in shown)
        if len(rows) >= limits.rows or size > limits.result_bytes:
            return Fetched(rows, True, _digest(tokens))
        clipped |= shown != row
        rows.append(shown)
        tokens.append([_token(value) for value in raw])
    return Fetched(rows, clipped, _digest(tokens))


def returned(
    columns: Sequence[str], rows: Iterable[Sequence[object]], limits: Limits | None = None, *, seconds: float = 0.0
) -> Outcome:
    """The outcome of a query that ran, for your own executor; `failed` makes the other outcomes.

    Args:
        columns: Names of the columns.
        rows: The rows as a driver gives them: each value is made plain, and no row is taken beyond the limits.
        limits: Bounds of the result; those of `Limits()` if None.
        seconds: Seconds that the query took.

    Raises:
        TypeError: a row is no sequence with a cell for each column.
    """
    given = fetch(_of_width(rows, len(columns)), limits or Limits())
    return given.outcome([str(name) for name in columns], seconds)


def _of_width(rows: Iterable[Sequence[object]], width: int) -> Iterator[Sequence[object]]:
    """The rows, each checked: from a mapping, which some drivers give, the names would be read as cells."""
    for row in rows:
        if not isinstance(row, Sequence) or isinstance(row, _NO_ROWS) or len(row) != width:
            cells = f" of {len(row)}" if isinstance(row, list | tuple) else ""
            given = f"{type(row).__name__}{cells}"
            raise TypeError(f"a row must be a list or tuple of {width} cells, one for each column, not {given}")
        yield row


def result_digest(rows: Iterable[Sequence[object]]) -> str:
    """A digest that is equal for the same rows whatever their order and the order of the columns.

    1 equals 1.0 and Decimal(1), text never equals a number; fractions are compared to 12 significant digits. Duplicate
    rows count. Results with different rows have different digests, except for symmetries that two rounds of refinement
    (after Weisfeiler and Leman) don't break and that real results hardly have.
    """
    return _digest([[_token(value) for value in row] for row in rows])


def _clip(cell: Cell, limit: int) -> Cell:
    return cell[: limit - 1] + ELLIPSIS if isinstance(cell, str) and len(cell) > limit else cell


def _size(cell: Cell) -> int:
    return len(cell.encode(errors="replace")) if isinstance(cell, str) else 8


def _token(value: object) -> bytes:
    """A value as bytes for comparison; long ones are hashed."""
    if isinstance(value, Decimal):
        text = _decimal_token(value)
    elif isinstance(value, float):
        whole = value.is_integer() and abs(value) < _SAFE_INTEGER
        text = b"#%d" % int(value) if whole else f"#{value:.{SIGNIFICANT_DIGITS}g}".encode()
    elif isinstance(value, int):
        text = b"#%d" % value
    elif isinstance(value, bytes | bytearray | memoryview):
        text = b"x" + bytes(value)
    else:
        written = as_json(value) if isinstance(value, list | tuple | dict) else str(value)
        text = b"-" if value is None else b"'" + written.encode(errors="surrogatepass")
    return text if len(text) <= _SHORT_TOKEN else b"h" + _hash([text])


def _decimal_token(value: Decimal) -> bytes:
    """The key of the integer or float of the same value."""
    if value.is_finite() and value == value.to_integral_value():
        return f"#{abs(value) if not value else value:.0f}".encode()
    return _token(float(value))


def _digest(rows: list[list[bytes]]) -> str:
    row_marks = [_hash(sorted(row)) for row in rows]
    for _ in range(2):
        columns = zip(*rows, strict=True)
        column_marks = [_hash(sorted(map(_pair, column, row_marks))) for column in columns]
        row_marks = [_hash(sorted(map(_pair, row, column_marks))) for row in rows]
    return _hash(sorted(row_marks)).hex()


def _pair(token: bytes, mark: bytes) -> bytes:
    return mark + token


def _hash(parts: Iterable[bytes]) -> bytes:
    """A hash of a list of byte strings that no other list shares; each is preceded by its length."""
    joined = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return blake2b(joined, digest_size=16).digest()
