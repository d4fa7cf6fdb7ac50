"""The value index of a database, built from the texts of its columns."""

import asyncio
import re
import time
from collections.abc import Iterator

from sqlglot import exp

from route_sql.tools.database.engine import Database
from route_sql.tools.limits import Limits
from route_sql.tools.schema.quoting import is_numeric_type, quote_name, quote_table, table_expression
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.schema.types import holds_several
from route_sql.tools.text import is_clean
from route_sql.tools.values.index import VALUE_CHARS, Texts, ValueIndex

NAME_CHARS = 128
SCANNED_ROWS = 20_000
DISTINCT_VALUES = 2_000
COLUMN_SECONDS = 1.0

_NO_TEXT = re.compile(r"BLOB|BINARY|BYTEA|DATE|TIME|JSON", re.IGNORECASE)


async def build_value_index(
    database: Database, schema: Schema, *, seconds: float = 10.0, before: ValueIndex | None = None
) -> ValueIndex:
    """Read the texts of a database into an index.

    Labels of enumerated types need no query. For each text column, one query reads the first 2,000 different values of
    the first 20,000 rows. Other values are never found. Columns that there was no time to read are left out and
    counted as `unread`.

    Args:
        database: Database to read.
        schema: Its schema, without the tables and columns that must not be read.
        seconds: Budget for all columns together.
        before: An index of the same schema; the columns that it holds are not read again.

    Raises:
        DatabaseUnavailable: the database can't be opened or read.
    """
    deadline, unread = time.monotonic() + seconds, 0
    read = {(each.table, each.column): each for each in before.columns} if before else {}
    texts = _labels(schema)
    for table, column in _text_columns(schema):
        found = read.get((table.key, column.name))
        if found is None:
            found = await _read(database, schema, (table, column), deadline - time.monotonic())
        if found is None:
            unread += 1
        else:
            texts.append(found)
    return await asyncio.to_thread(ValueIndex, texts, unread)


async def _read(database: Database, schema: Schema, place: tuple[Table, Column], seconds: float) -> Texts | None:
    """Different texts of a column; None if the time did not suffice."""
    if seconds <= 0:
        return None
    limits = Limits(seconds=min(seconds, COLUMN_SECONDS), rows=DISTINCT_VALUES, cell_chars=4 * VALUE_CHARS)
    outcome = await database.execute(distinct_values(*place, database.dialect), limits)
    if outcome["status"] == "timeout":
        return None
    # A column that can't be read, such as one of a broken view, has no rows here.
    return _texts(schema, *place, tuple(row[0] for row in outcome["rows"] if isinstance(row[0], str)))


def _labels(schema: Schema) -> list[Texts]:
    return [
        _texts(schema, table, column, column.labels[:DISTINCT_VALUES]) for table, column in _labelled_columns(schema)
    ]


def distinct_values(table: Table, column: Column, dialect: str) -> str:
    """Query for the different values of one column in the first rows of its table."""
    name = exp.column(exp.to_identifier(column.name, quoted=True))
    first = exp.select(name).from_(table_expression(table)).limit(SCANNED_ROWS).subquery("first_rows")
    return exp.select(name.copy()).distinct().from_(first).limit(DISTINCT_VALUES).sql(dialect=dialect)


def _texts(schema: Schema, table: Table, column: Column, values: tuple[str, ...]) -> Texts:
    reference = f"{quote_table(table, schema.dialect)}.{quote_name(column.name, schema.dialect)}"
    return Texts(table.key, column.name, reference, values)


def _labelled_columns(schema: Schema) -> Iterator[tuple[Table, Column]]:
    """Columns whose values are one label each; a value with several labels equals none of them."""
    for table, column in _nameable_columns(schema):
        if column.labels and not holds_several(column.type):
            yield table, column


def _text_columns(schema: Schema) -> Iterator[tuple[Table, Column]]:
    """Columns that may hold other texts than their labels."""
    for table, column in _nameable_columns(schema):
        has_letters = any(character.isalpha() for sample in column.samples for character in sample)
        is_text = has_letters or not (is_numeric_type(column.type) or _NO_TEXT.search(column.type))
        if is_text and (not column.labels or holds_several(column.type)):
            yield table, column


def _nameable_columns(schema: Schema) -> Iterator[tuple[Table, Column]]:
    """Columns whose names a prompt can show unchanged."""
    for table in schema.tables:
        for column in table.columns:
            if is_clean(table.key, NAME_CHARS) and is_clean(column.name, NAME_CHARS):
                yield table, column
