"""A few sample values of each column, so that a model sees how a database spells things."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from datetime import time as clock_time
from decimal import Decimal

from sqlglot import exp

from route_sql.tools.database.outcome import Limits
from route_sql.tools.schema.quoting import is_number, table_expression
from route_sql.tools.schema.records import Schema, Table
from route_sql.tools.text import clean, is_clean

Fetch = Callable[[str, Limits], Sequence[Sequence[object]]]
"""Runs one query of ours within limits and returns its rows; an empty list where a table can't be read."""

SCANNED_ROWS = 1_000
SAMPLES = 3
SAMPLE_CHARS = 40

_SHOWN = str | int | float | Decimal | date | clock_time
_ROWS_BYTES = 16_000_000
_TABLE_SECONDS = 1.0


def with_samples(schema: Schema, fetch: Fetch, *, seconds: float = 5.0) -> Schema:
    """The schema with up to three distinct sample values in each column.

    One query a table reads its first 1,000 rows. The most frequent values come first, then the smallest;
    values that would be clipped at 40 characters only stand in where there are no shorter ones. NULL, blobs
    and empty text are left out. Equal data give equal samples, unless time runs out.

    Args:
        schema: The schema to sample.
        fetch: Runs a query; called once a table at most, from the calling thread.
        seconds: Budget for the whole database. Tables that it does not reach keep the samples they had.
    """
    deadline = time.monotonic() + seconds
    tables = list(schema.tables)
    for index, table in enumerate(tables):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        if table.columns:
            limits = Limits(min(left, _TABLE_SECONDS), SCANNED_ROWS, 4 * SAMPLE_CHARS, _ROWS_BYTES)
            tables[index] = _sampled(table, fetch(_first_rows(table, schema.dialect), limits))
    return replace(schema, tables=tuple(tables))


def _first_rows(table: Table, dialect: str) -> str:
    columns = [exp.column(exp.to_identifier(column.name, quoted=True)) for column in table.columns]
    return exp.select(*columns).from_(table_expression(table)).limit(SCANNED_ROWS).sql(dialect=dialect)


def _sampled(table: Table, rows: Sequence[Sequence[object]]) -> Table:
    if not rows:
        return table
    columns = (replace(c, samples=_choose(row[i] for row in rows)) for i, c in enumerate(table.columns))
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
