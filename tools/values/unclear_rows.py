"""Names in a question that several rows have, such as two cities called Springfield, found by queries."""

from collections.abc import Sequence

from sqlglot import exp

from route_sql.tools.database.engine import Database
from route_sql.tools.database.outcome import Cell
from route_sql.tools.limits import Limits
from route_sql.tools.schema.question.unclear_columns import MOST_READINGS, Unclear, reference
from route_sql.tools.schema.quoting import literal, table_expression
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.text import is_clean
from route_sql.tools.values.index import VALUE_CHARS, ValueMatch, render_match
from route_sql.tools.values.phrases import Phrase, value_key
from route_sql.tools.values.unclear_values import Named, is_label, is_plural

SECONDS = 1.0
"""Deadline of each query here."""
LEAST_DIFFERENT = 0.5
"""Least share of different values in a column that names rows; in one that groups rows, values repeat more often."""


async def unclear_rows(question: str, named: Sequence[Named], database: Database, schema: Schema) -> list[Unclear]:
    """The names that several rows of a table have, with a column that tells these rows apart.

    A question about the table in the plural, such as "cities called Springfield", means all of them.

    Raises:
        DatabaseUnavailable: the database can't be read.
    """
    found = []
    for phrase, matches in named:
        table = schema.table(matches[0].table)
        is_name = (phrase.is_quoted or not phrase.text[:1].islower()) and len(matches) == 1
        is_name = is_name and is_label(matches[0].table, matches[0].column, schema)
        if table is None or not is_name or is_plural(question, table.key, schema):
            continue
        readings = await _readings(question, phrase, matches[0], database, table)
        found += [Unclear(phrase.text, readings)] if len(readings) > 1 else []
    return found


async def different_cells(named: Sequence[Named], database: Database, schema: Schema) -> list[Named]:
    """The phrases, without cells in the row of their first cell, such as an airport in a city of its name.

    Raises:
        DatabaseUnavailable: the database can't be read.
    """
    found = []
    for phrase, (first, *others) in named:
        kept = [match for match in others if not await _same_rows(first, match, database, schema)]
        found.append((phrase, [first, *kept]))
    return found


async def _same_rows(first: ValueMatch, other: ValueMatch, database: Database, schema: Schema) -> bool:
    table = schema.table(first.table)
    if table is None or first.table != other.table:
        return False
    one, two = _equals(first), _equals(other)
    query = exp.select("1").from_(table_expression(table)).where(exp.or_(one, two)).where(exp.and_(one, two).not_())
    outcome = await database.execute(query.limit(1).sql(dialect=database.dialect), Limits(seconds=SECONDS, rows=1))
    return outcome["status"] == "empty"


async def _readings(
    question: str, phrase: Phrase, match: ValueMatch, database: Database, table: Table
) -> tuple[str, ...]:
    columns = _telling(table, match.column)
    rows = await _rows(columns, match, database, table) if columns else []
    if not 1 < len(rows) <= MOST_READINGS or not await _names_rows(match, database, table):
        return ()
    left = _named_too(question, phrase, rows) or rows
    apart = next((place for place in range(len(columns)) if _tells(left, place)), None)
    if apart is None:
        return ()
    other = reference((table.key, columns[apart].name), Schema(database.dialect, (table,)))
    cell = render_match(match, database.dialect)
    return tuple(f"{cell} AND {other} = {_literal(row[apart], database.dialect)}" for row in left)


async def _rows(columns: Sequence[Column], match: ValueMatch, database: Database, table: Table) -> list[list[Cell]]:
    names = [_column(column.name) for column in columns]
    query = exp.select(*names).from_(table_expression(table)).where(_equals(match)).limit(MOST_READINGS + 1)
    limits = Limits(seconds=SECONDS, rows=MOST_READINGS + 1, cell_chars=VALUE_CHARS)
    return (await database.execute(query.sql(dialect=database.dialect), limits))["rows"]


async def _names_rows(match: ValueMatch, database: Database, table: Table) -> bool:
    """Whether most values of the column are in one row only."""
    counts = exp.Count(this=exp.Star()), exp.Count(this=exp.Distinct(expressions=[_column(match.column)]))
    query = exp.select(*counts).from_(table_expression(table)).sql(dialect=database.dialect)
    for rows, values in (await database.execute(query, Limits(seconds=SECONDS)))["rows"]:
        return isinstance(rows, int) and isinstance(values, int) and values >= LEAST_DIFFERENT * rows
    return False


def _named_too(question: str, phrase: Phrase, rows: list[list[Cell]]) -> list[list[Cell]]:
    """The rows of which the question names another cell too: "Springfield in Illinois"."""
    rest = f" {value_key(question.replace(phrase.text, ' '))} "
    return [row for row in rows if any(isinstance(cell, str) and f" {value_key(cell)} " in rest for cell in row)]


def _telling(table: Table, name: str) -> list[Column]:
    """The columns that may tell rows apart; those that are not keys and hold words come first."""
    keys = {key for each in table.foreign_keys for key in each.columns} | {*table.primary_key}

    def order(column: Column) -> tuple[bool, bool]:
        return column.name in keys, not any(sample[:1].isalpha() for sample in column.samples)

    return sorted((column for column in table.columns if column.name != name and not column.fields), key=order)


def _tells(rows: list[list[Cell]], place: int) -> bool:
    """Whether each of the rows has a cell of its own here, fit to be shown."""
    cells = [row[place] for row in rows]
    fit = all(
        isinstance(each, int | float) or (isinstance(each, str) and is_clean(each, VALUE_CHARS)) for each in cells
    )
    return fit and len({*map(str, cells)}) == len(cells) > 1


def _equals(match: ValueMatch) -> exp.EQ:
    return _column(match.column).eq(exp.Literal.string(match.value))


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def _literal(cell: Cell, dialect: str) -> str:
    return literal(cell, dialect) if isinstance(cell, str) else str(cell)
