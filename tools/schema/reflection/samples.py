"""Sample values of each column, so that a model sees how the database spells its values."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from datetime import time as clock_time
from decimal import Decimal

from sqlglot import exp

from route_sql.tools.limits import Limits
from route_sql.tools.schema.quoting import is_number, table_expression
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.text import ELLIPSIS, clean, is_clean

Fetch = Callable[[str, Limits], Sequence[Sequence[object]]]
"""Run a query within limits and return its rows; an empty list if the table can't be read."""

SCANNED_ROWS = 1_000
SAMPLES = 3
SAMPLE_CHARS = 40

_SHOWN = str | int | float | Decimal | date | clock_time
_TEXT = re.compile(r"\b(CHAR|VARCHAR|TEXT|CLOB|STRING|CHARACTER|BPCHAR|\w*TEXT)\b", re.IGNORECASE)
_NUMBER = re.compile(r"U?(TINY|SMALL|MEDIUM|BIG|HUGE)?INT|REAL|FLOAT|DOUBLE|NUM|DEC|MONEY|(BIG)?SERIAL", re.IGNORECASE)
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{16,}|(\\x|0x)[0-9A-Fa-f]*")
_NUMBERS_ONLY = re.compile(r"[-+\d.,;:eE\s()\[\]{}]*")
_ROWS_BYTES = 16_000_000
_TABLE_SECONDS = 1.0


def with_samples(
    schema: Schema, fetch: Fetch, *, seconds: float = 5.0, clock: Callable[[], float] = time.monotonic
) -> Schema:
    """Add up to three distinct sample values to each column.

    One query for each table reads its first 1,000 rows. The most frequent values come first, then the smallest. Values
    of more than 40 characters are clipped, and used only where there are no shorter ones. NULL, blobs, empty text and
    unreadable values (see `readable_samples`) are left out. Equal data give equal samples, unless time runs out.

    Args:
        schema: The schema to sample.
        fetch: Function that runs a query; called once a table at most, in the calling thread.
        seconds: Budget for the whole database. The tables left when it is spent keep their old samples.
        clock: Seconds, by which the budget is counted.
    """
    deadline = clock() + seconds
    tables = list(schema.tables)
    for index, table in enumerate(tables):
        left = deadline - clock()
        if left <= 0:
            break
        if table.columns:
            limits = Limits(min(left, _TABLE_SECONDS), SCANNED_ROWS, 4 * SAMPLE_CHARS, _ROWS_BYTES)
            tables[index] = _sampled(schema.dialect, table, fetch(_first_rows(table, schema.dialect), limits))
    return replace(schema, tables=tuple(tables))


def _first_rows(table: Table, dialect: str) -> str:
    columns = [exp.column(exp.to_identifier(column.name, quoted=True)) for column in table.columns]
    return exp.select(*columns).from_(table_expression(table)).limit(SCANNED_ROWS).sql(dialect=dialect)


def readable_samples(column: Column, samples: Iterable[str], dialect: str) -> tuple[str, ...]:
    """Leave out samples that no person can read: hexadecimal dumps, long vectors, bytes decoded as text.

    Columns of texts and numbers keep all samples: a text of hexadecimal digits is a key that a query may compare. So
    do all columns of SQLite, where a column of any type may hold texts.
    """
    if dialect == "sqlite" or _NUMBER.match(column.type) or _TEXT.search(column.type):
        return tuple(samples)
    return tuple(sample for sample in samples if not _is_dump(sample))


def _is_dump(sample: str) -> bool:
    """Whether a value is a dump of bytes or a vector too long to show."""
    is_long = len(sample) >= SAMPLE_CHARS
    return (
        bool(_HEXADECIMAL.fullmatch(sample.rstrip(ELLIPSIS)))
        or (is_long and bool(_NUMBERS_ONLY.fullmatch(sample.rstrip(ELLIPSIS))))
        or "\ufffd" in sample
    )


def _sampled(dialect: str, table: Table, rows: Sequence[Sequence[object]]) -> Table:
    if not rows:
        return table
    columns = (
        replace(column, samples=readable_samples(column, _choose(row[i] for row in rows), dialect))
        for i, column in enumerate(table.columns)
    )
    return replace(table, columns=tuple(columns))


def _choose(cells: Iterable[object]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    for cell, count in Counter(cell for cell in cells if isinstance(cell, _SHOWN)).items():
        counts[str(cell)] += count
    ranked = sorted((text for text in counts if text.strip()), key=lambda text: _rank(text, counts[text]))
    return tuple(dict.fromkeys(clean(text, SAMPLE_CHARS) for text in ranked[: 4 * SAMPLES]))[:SAMPLES]


def _rank(text: str, count: int) -> tuple[bool, int, bool, float, str]:
    number = is_number(text)
    return not is_clean(text, SAMPLE_CHARS), -count, not number, float(text) if number else 0.0, text
