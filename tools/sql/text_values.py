"""Amounts and dates that a column holds as text, and sums, comparisons and orders that read them wrongly."""

import re
from collections.abc import Iterator

from sqlglot import exp

from route_sql.tools.schema.quoting import is_number, is_numeric_type
from route_sql.tools.schema.records import Column, Schema
from route_sql.tools.sql.joins.from_clause import FromClause
from route_sql.tools.sql.parsing import shared_tree

MISREAD = "The query runs, but {expression} reads {column} as {reading}, and its values are texts such as '{value}'."
_SUMS = (exp.Sum, exp.Avg, exp.Cast, exp.TryCast)
_ORDERS = (exp.Min, exp.Max, exp.Ordered, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_SIGN = r"(?:[$€£¥₹]|[A-Z]{3}\b|(?:US|R|kr|Rs)\b)"
_AMOUNT = re.compile(
    rf"[-+(]?\s*{_SIGN}?\s*[-+]?\d{{1,3}}(?:[,.'’ \u00a0\u202f]?\d{{3}})*(?:[.,]\d+)?"
    r"\s*(?:[$€£¥₹%]|[A-Za-z]{1,4})?\)?"
)
"""An amount with a sign, separators of thousands or a unit: `$95,422.00`, `1.234,50 €`, `(20)`, `5 kg`."""
_LEADING = re.compile(r"[-+]?\d+(?:\.\d+)?(?![\d,.'’])")
"""The number with which SQLite, MySQL and MariaDB read such a text."""
_DAY = re.compile(
    r"\d{1,2}([/.-])\d{1,2}\1(?:\d{4}|\d{2})|[A-Z][a-z]{2,8}\.? \d{1,2}(?:[–-][\w ]+)?,? \d{4}"
    r"|\d{1,2}\.? [A-Z][a-z]{2,8},? \d{4}"
)
"""A day whose text does not sort by time: `7/13/2024`, `13.07.2024`, `Jan 28, 2021`."""


def misread_texts(sql: str, schema: Schema) -> str | None:
    """The complaint about the first expression that reads a text as a number or in the wrong order; None if none does.

    SELECT SUM(price) FROM product

    adds up zeros where prices are texts such as `$5.00`. A column inside a function, such as `REPLACE`, is not judged.
    """
    tree = shared_tree(sql, schema.dialect)
    found = (
        (each for select in tree.find_all(exp.Select) for each in _misread(FromClause(select, schema))) if tree else ()
    )
    return next(iter(found), None)


def _misread(from_clause: FromClause) -> Iterator[str]:
    select = from_clause.select
    for node in select.find_all(*_SUMS, *_ORDERS, exp.Like):
        if node.find_ancestor(exp.Select) is not select:
            continue
        for column in (side for side in (node.this, node.args.get("expression")) if isinstance(side, exp.Column)):
            known = _column(column, from_clause)
            if known is not None and (reading := _reading(node, known)):
                text = node.sql(dialect=from_clause.schema.dialect)
                yield MISREAD.format(expression=text, column=known.name, reading=reading, value=known.samples[0])


def _reading(node: exp.Expr, column: Column) -> str | None:
    """The wrong way in which an expression reads a column's text; None if it is right."""
    if is_numeric_type(column.type) or not column.samples or all(map(is_number, column.samples)):
        return None
    are_amounts = all(_AMOUNT.fullmatch(sample) for sample in column.samples)
    are_days = all(_DAY.fullmatch(sample) for sample in column.samples)
    if isinstance(node, _SUMS):
        is_read = all(_LEADING.match(sample) for sample in column.samples)
        return "a number" if (are_amounts and not is_read) or (are_days and _is_number_type(node)) else None
    if isinstance(node, exp.Like):
        pattern = node.expression
        return "a date that begins with the year" if are_days and _begins_with_year(pattern) else None
    return "a text, letter by letter" if are_amounts or are_days else None


def _is_number_type(node: exp.Expr) -> bool:
    return not isinstance(node, exp.Cast) or is_numeric_type(node.to.sql())


def _begins_with_year(pattern: exp.Expr) -> bool:
    return isinstance(pattern, exp.Literal) and bool(re.match(r"\d{4}", pattern.name))


def _column(column: exp.Column, from_clause: FromClause) -> Column | None:
    """The column of the schema, if it is of a table of the FROM clause and of no other one there."""
    if column.table:
        tables = [from_clause.tables[alias] for alias in from_clause.aliases_named(column.table)]
    else:
        tables = [*from_clause.tables.values()]
    found = [known for table in tables if (known := table.column(column.name)) is not None]
    return found[0] if len(found) == 1 else None
