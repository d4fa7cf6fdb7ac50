"""Tables as spreadsheets and programs write them: text in UTF-8 or UTF-16, columns by commas, semicolons or tabs."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from route_sql.tools.errors import RouteError

_SEPARATORS = (",", ";", "\t")
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class CSVRow:
    """One row that is not blank."""

    number: int
    """Its number in a spreadsheet: the names of the columns are row 1."""
    cells: dict[str, str]
    """By the name of the column; empty where the row has no cell."""
    fault: str
    """The reason if it has more cells than columns, so that no cell can be trusted; else empty."""


def read_text(path: Path, error: type[RouteError], *, only_utf8: bool = False) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark.

    Args:
        path: The file.
        error: The exception to raise.
        only_utf8: Take no UTF-16, for a file that UTF-8 is added to.

    Raises:
        RouteError: the file can't be read.
    """
    try:
        data = path.read_bytes()
        found = [name for mark, name in _MARKS.items() if data.startswith(mark)]
        return data.decode("utf-8-sig" if only_utf8 or not found else found[0])
    except OSError as failure:
        raise error(f"{path} can't be read: {failure.strerror or failure}") from failure
    except UnicodeDecodeError as failure:
        raise error(f"{path} is not UTF-8 text ({failure}); save it in UTF-8") from failure


def table_rows(
    path: Path, text: str, known: Sequence[str], error: type[RouteError], *, needed: str | None = None
) -> list[CSVRow]:
    """The rows of a CSV file.

    Args:
        path: The file, for messages.
        text: Its text.
        known: Names of columns that are found whatever their case.
        error: The exception to raise.
        needed: The column that must be there and tells the separator; by default the first of the known.

    Raises:
        RouteError: the text is no CSV, or its first row does not name the columns.
    """
    column = needed or known[0]
    separator = max(_SEPARATORS, key=lambda each: _width(text, each, known, column))
    records = _records(path, text, separator, error)
    _, first = next(records, (1, []))
    names = [_name(name, known) for name in first]
    if column not in names or len({*names}) < len(names):
        has = f"; it has {', '.join(names)[:200]}" if any(names) else ""
        raise error(
            f"{path}: the first row must name the columns, each once, and one must be called {column}{has}. "
            "Columns are separated by commas, semicolons or tabs"
        )
    return [_row(number, names, cells) for number, cells in records]


def _name(name: str, known: Sequence[str]) -> str:
    folded = name.strip().casefold()
    return folded if folded in known else name.strip()


def _row(number: int, names: Sequence[str], cells: Sequence[str]) -> CSVRow:
    many = f"the row has {len(cells)} cells for {len(names)} columns; put a text that has separators in quotes"
    by_name = dict.fromkeys(names, "") | dict(zip(names, cells, strict=False))
    return CSVRow(number, by_name, many if len(cells) > len(names) else "")


def _records(path: Path, text: str, separator: str, error: type[RouteError]) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each row that is not blank, without the blank cells at its end."""
    # Strict, since a quote that is never closed would otherwise make one cell of all rows below it.
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            last = max((place for place, cell in enumerate(cells, start=1) if cell.strip()), default=0)
            if last:
                yield number, cells[:last]
    except csv.Error as failure:
        raise error(f"{path} is no CSV file, see row {number + 1}: {failure}") from failure


def _width(text: str, separator: str, known: Sequence[str], column: str) -> int:
    """The number of columns by a separator; 0 if none of them is the one that is needed."""
    try:
        first = next(csv.reader(StringIO(text.lstrip("\n\r"), newline=""), delimiter=separator), [])
    except csv.Error:
        return 0
    return len(first) if column in [_name(name, known) for name in first] else 0
