"""Questions in a CSV file, as a spreadsheet or a program writes it."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path

from route_sql.tools.errors import InvalidInput

COLUMNS = ("question", "database", "evidence")
"""Columns that are read; `question` must be there. Others are kept next to the answer."""
_SEPARATORS = (",", ";", "\t")
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class QuestionRow:
    """One row of the file."""

    row: int
    """Its number in a spreadsheet: the names of the columns are row 1."""
    question: str
    database: str
    """Empty where the file names none."""
    evidence: str
    given: dict[str, str]
    """Cells of all other columns."""
    fault: str = ""
    """The reason if it can't be asked."""


def read_questions(path: Path) -> list[QuestionRow]:
    """Read the questions of a CSV file in UTF-8, or in UTF-16 with a byte order mark.

    Columns are separated by commas, semicolons or tabs. Blank rows are left out. A row that can't be asked has a fault.

    Raises:
        InvalidInput: the file can't be read, is no CSV file, or has no column `question`.
    """
    records = _records(path)
    number, names = next(records, (1, []))
    names = [_column(name.strip()) for name in names]
    if "question" not in names or len({*names}) < len(names):
        raise InvalidInput(
            f"{path}: the first row must name the columns, each once, and one must be called question; "
            "database and evidence are read too"
        )
    return [_row(number, names, cells) for number, cells in records]


def _column(name: str) -> str:
    return name.casefold() if name.casefold() in COLUMNS else name


def _row(number: int, names: Sequence[str], cells: Sequence[str]) -> QuestionRow:
    texts = dict.fromkeys(names, "") | dict(zip(names, (cell.strip() for cell in cells), strict=False))
    read = {name: texts.pop(name, "") for name in COLUMNS}
    fault = "" if read["question"] else "the row has no question"
    if len(cells) > len(names):
        fault = f"the row has {len(cells)} cells for {len(names)} columns; put a text that has separators in quotes"
    return QuestionRow(row=number, given=texts, fault=fault, **read)


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each row that is not blank."""
    text = _text(path)
    separator = max(_SEPARATORS, key=partial(_width, text))
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        raise InvalidInput(f"{path} is no CSV file, see row {number + 1}: {error}") from error


def _width(text: str, separator: str) -> int:
    """The number of columns by a separator; 0 if none of them is the question."""
    try:
        first = next(csv.reader(StringIO(text.lstrip("\n\r"), newline=""), delimiter=separator), [])
    except csv.Error:
        return 0
    return len(first) if "question" in [_column(name.strip()) for name in first] else 0


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8-sig")
        return data.decode(encoding)
    except OSError as error:
        raise InvalidInput(f"{path} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text ({error}); save it as CSV in UTF-8") from error
