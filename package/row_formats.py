"""The rows of a result as a table, as blocks, or as text for other programs."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from route_sql.tools.database.outcome import Cell
from route_sql.tools.terminal import escaped, escaped_json

RowFormat = Literal["table", "csv", "spreadsheet", "json", "markdown"]

READABLE = 12
"""Least width of a column with wrapped cells; if a table needs narrower columns, rows become blocks."""
_BORDERS = 3
_QUOTED = frozenset('",\n\r')
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


@dataclass(frozen=True)
class PrintedRows:
    """Columns and rows to be printed; `caption` says how many there are."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


def laid_out(result: PrintedRows, width: int, shown: Callable[[str], str] = escaped) -> RenderableType:
    """The rows as a table, or one block for each row where the table would be too wide to be read.

    Args:
        result: What to show.
        width: Characters in a line.
        shown: Makes a text harmless for the terminal, on one line.
    """
    names = [shown(name) for name in result.columns]
    cells = [[shown(_text(cell)) for cell in row] for row in result.rows]
    columns = zip(names, *cells, strict=True)
    needed = sum(min(READABLE, max(map(cell_len, column))) + _BORDERS for column in columns) + 1
    is_null = [[cell is None for cell in row] for row in result.rows]
    styled = [
        [Text(c, "dim" if n else "") for c, n in zip(*row, strict=True)] for row in zip(cells, is_null, strict=True)
    ]
    if needed > width and styled:
        return Group(*_blocks(names, styled), Text(result.caption, "italic"))
    return _table(names, styled, result.caption)


def as_text(result: PrintedRows, form: Literal["csv", "spreadsheet", "json", "markdown", "tsv"]) -> str:
    """The rows as text, without a line break at its end."""
    return _WRITERS[form](result)


def _tsv(result: PrintedRows) -> str:
    return "\n".join("\t".join(map(escaped, line)) for line in _lines(result))


def _csv(result: PrintedRows) -> str:
    """CSV by RFC 4180 with plain line breaks; NULL is an empty field, an empty text is `""`."""
    header = ",".join(_csv_field(name) for name in result.columns)
    return "\n".join([header, *(",".join(map(_csv_field, row)) for row in result.rows)])


def _spreadsheet(result: PrintedRows) -> str:
    """CSV in which a text that a spreadsheet would compute begins with `'`, so that it stays a text."""
    names = [_harmless(name) for name in result.columns]
    rows = [[_harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in result.rows]
    return _csv(PrintedRows(names, rows))


def _harmless(text: str) -> str:
    """The text, quoted if it is a formula; exact numbers, which are texts in some engines, stay numbers."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _csv_field(cell: Cell) -> str:
    if cell is None:
        return ""
    text = escaped(_text(cell), lines=True)
    if text and not _QUOTED & set(text) and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'


def _json(result: PrintedRows) -> str:
    """A list with one object for each row; a name that occurs again gets a number."""
    names = _distinct(result.columns)
    return escaped_json([dict(zip(names, row, strict=True)) for row in result.rows])


def _markdown(result: PrintedRows) -> str:
    header, *rows = ([escaped(cell).replace("|", "\\|") for cell in line] for line in _lines(result))
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows])


_WRITERS: dict[str, Callable[[PrintedRows], str]] = {
    "csv": _csv,
    "spreadsheet": _spreadsheet,
    "json": _json,
    "markdown": _markdown,
    "tsv": _tsv,
}


def _lines(result: PrintedRows) -> Iterator[list[str]]:
    yield list(result.columns)
    for row in result.rows:
        yield [_text(cell) for cell in row]


def _text(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "NULL" if cell is None else str(cell)


def _distinct(names: Iterable[str]) -> list[str]:
    """The names in their order; a repeated name gets a number: `n`, `n` become `n`, `n_2`."""
    found: dict[str, None] = {}
    for name in names:
        number, fresh = 1, name
        while fresh in found:
            number += 1
            fresh = f"{name}_{number}"
        found[fresh] = None
    return list(found)


def _table(names: Sequence[str], rows: Sequence[Sequence[Text]], caption: str) -> Table:
    table = Table(caption=caption, caption_justify="left")
    for name in names:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _blocks(names: Sequence[str], rows: Sequence[Sequence[Text]]) -> Iterator[RenderableType]:
    for number, row in enumerate(rows, 1):
        block = Table.grid(padding=(0, 2))
        block.add_column(overflow="fold", max_width=30)
        block.add_column(overflow="fold", ratio=1)
        for name, cell in zip(names, row, strict=True):
            block.add_row(Text(name, "bold"), cell)
        yield Text(f"row {number}", "underline")
        yield block
