"""Questions in a CSV file, as a spreadsheet or a program writes it."""

from dataclasses import dataclass
from pathlib import Path

from route_sql.tools.errors import InvalidInput
from route_sql.training.datasets.csv_tables import CSVRow, read_text, table_rows

COLUMNS = ("question", "database", "evidence")
"""Columns that are read; `question` must be there. Others are kept next to the answer."""


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
    return [_row(row) for row in table_rows(path, read_text(path, InvalidInput), COLUMNS, InvalidInput)]


def _row(row: CSVRow) -> QuestionRow:
    texts = {name: cell.strip() for name, cell in row.cells.items()}
    read = {name: texts.pop(name, "") for name in COLUMNS}
    fault = row.fault or ("" if read["question"] else "the row has no question")
    return QuestionRow(row=row.number, given=texts, fault=fault, **read)
