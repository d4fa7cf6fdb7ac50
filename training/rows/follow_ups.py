"""Follow-up questions made of an example: another value, a count, a group, an order, a further column or condition.

Each is a short question that only makes sense after the example's own, and the gold's SQL changed accordingly.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from sqlglot import exp

from route_sql.tools.schema.quoting import is_number, is_numeric_type
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.sql.parsing import parse_query
from route_sql.tools.text import words


@dataclass(frozen=True)
class FollowUp:
    """A follow-up question and its SQL; `kind` names the change."""

    kind: str
    question: str
    sql: str


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_Rule = Callable[[exp.Select, Schema, Random], Iterator[FollowUp]]

_VALUE = ("And {0}?", "What about {0}?", "And for {0}?", "The same for {0}.", "Now {0}, please.")
_COUNT = ("How many are there?", "How many of them?", "How many is that?", "Just the number, please.", "Count them.")
_GROUP = ("And by {0}?", "By {0}?", "How many for each {0}?", "Break that down by {0}.", "Per {0}, please.")
_MONTHS = ("And by month?", "By month?", "How many each month?", "Per month, please.", "Month by month?")
_FIRST = ("Only the first {0}.", "Just {0} of them.", "The top {0} only.")
_ORDER = {
    "DESC": ("Sort them by {0}, highest first.", "In descending order of {0}.", "From the highest {0} to the lowest."),
    "ASC": ("Sort them by {0}.", "In order of {0}.", "From the lowest {0} to the highest."),
}
_FURTHER = ("Also show the {0}.", "And their {0}?", "With the {0} too.", "Add the {0}.")
_ONLY = ("Only those with {0} {1}.", "Which of them have {0} {1}?", "Just the ones whose {0} is {1}.")
_ABOVE = ("Only those with {0} above {1}.", "Which of them have a {0} greater than {1}?", "Where {0} is more than {1}.")


def follow_ups(sql: str, schema: Schema, random: Random) -> list[FollowUp]:
    """Follow-ups of a query, one of each kind at most, in random order."""
    found: list[FollowUp] = []
    for rule in (_other_value, _number, _groups, _months, _first, _order, _further_column, _condition):
        tree = parse_query(sql, schema.dialect)
        if isinstance(tree, exp.Select):
            found += list(rule(tree, schema, random))[:1]
    return random.sample(found, len(found))


def _other_value(tree: exp.Select, schema: Schema, random: Random) -> Iterator[FollowUp]:
    """The same question about another value of a column."""
    for equal in tree.find_all(exp.EQ):
        column, literal = equal.this, equal.expression
        if not (isinstance(column, exp.Column) and isinstance(literal, exp.Literal) and literal.is_string):
            continue
        known = {sample for each in _named(column.name, schema) for sample in each.samples if not is_number(sample)}
        if others := sorted(known - {str(literal.this)}):
            value = random.choice(others)
            literal.replace(exp.Literal.string(value))
            yield _follow_up("other_value", random.choice(_VALUE).format(value), tree, schema)


def _number(tree: exp.Select, schema: Schema, random: Random) -> Iterator[FollowUp]:
    """The number of rows that were listed."""
    if _is_aggregated(tree) or tree.args.get("limit") or (tree.args.get("distinct") and len(tree.expressions) > 1):
        return
    counted = exp.Count(this=exp.Distinct(expressions=tree.expressions) if tree.args.get("distinct") else exp.Star())
    tree.set("distinct", None)
    tree.set("order", None)
    tree.set("expressions", [counted])
    yield _follow_up("number", random.choice(_COUNT), tree, schema)


def _groups(tree: exp.Select, schema: Schema, random: Random) -> Iterator[FollowUp]:
    """A count for each value of a column."""
    table = _only_table(tree, schema)
    if table is None or not _is_one_count(tree) or not (names := _free(table, tree)):
        return
    column = random.choice(names)
    grouped = tree.select(_column(column), append=False).select(exp.Count(this=exp.Star())).group_by(_column(column))
    yield _follow_up("group", random.choice(_GROUP).format(_plain(column)), grouped, schema)


def _months(tree: exp.Select, schema: Schema, random: Random) -> Iterator[FollowUp]:
    """A count for each month of a date, in SQLite, which keeps dates as text."""
    table = _only_table(tree, schema)
    if table is None or not _is_one_count(tree) or schema.dialect != "sqlite":
        return
    if dates := [column for column in table.columns if column.samples and all(map(_DATE.match, column.samples))]:
        month = exp.func("strftime", exp.Literal.string("%Y-%m"), _column(random.choice(dates)), dialect="sqlite")
        grouped = tree.select(month, append=False).select(exp.Count(this=exp.Star())).group_by(month)
        yield _follow_up("month", random.choice(_MONTHS), grouped, schema)


def _first(tree: exp.Select, schema: Schema, random: Random) -> Iterator[FollowUp]:
    """The first few of the rows."""
    if tree.args.get("order") and not tree.args.get("limit"):
        number = random.choice((1, 3, 5, 10))
        yield _follow_up("first", random.choice(_FIRST).format(number), tree.limit(number), schema)


def _order(tree: exp.Select, schema: Schema, random: Random) -> Iterator[FollowUp]:
    """The same rows in another order."""
    table = _only_table(tree, schema)
    if table is None or _is_aggregated(tree) or tree.args.get("limit") or tree.args.get("distinct"):
        return
    if names := [column for column in table.columns if column.name not in table.primary_key]:
        column, direction = random.choice(names), random.choice(("ASC", "DESC"))
        ordered = tree.order_by(exp.Ordered(this=_column(column), desc=direction == "DESC"), append=False)
        yield _follow_up("order", random.choice(_ORDER[direction]).format(_plain(column)), ordered, schema)


def _further_column(tree: exp.Select, schema: Schema, random: Random) -> Iterator[FollowUp]:
    """The same rows with one column more."""
    table = _only_table(tree, schema)
    if table is None or _is_aggregated(tree) or tree.args.get("distinct") or not (names := _free(table, tree)):
        return
    column = random.choice(names)
    wider = tree.select(_column(column))
    yield _follow_up("further_column", random.choice(_FURTHER).format(_plain(column)), wider, schema)


def _condition(tree: exp.Select, schema: Schema, random: Random) -> Iterator[FollowUp]:
    """Some of the rows."""
    table = _only_table(tree, schema)
    if table is None or tree.args.get("limit") or tree.args.get("group"):
        return
    if names := [column for column in _free(table, tree) if column.samples]:
        column = random.choice(names)
        value = random.choice(column.samples)
        is_numeric = is_numeric_type(column.type) and is_number(value)
        literal = exp.Literal.number(value) if is_numeric else exp.Literal.string(value)
        compared = exp.GT if is_numeric else exp.EQ
        text = random.choice(_ABOVE if is_numeric else _ONLY).format(_plain(column), value)
        yield _follow_up("condition", text, tree.where(compared(this=_column(column), expression=literal)), schema)


def _follow_up(kind: str, question: str, tree: exp.Expression, schema: Schema) -> FollowUp:
    return FollowUp(kind, question, tree.sql(dialect=schema.dialect))


def _only_table(tree: exp.Select, schema: Schema) -> Table | None:
    """The table of a query that reads one, without an alias; None for any other query."""
    tables = list(tree.find_all(exp.Table))
    if len(tables) != 1 or tables[0].alias or len(list(tree.find_all(exp.Select))) != 1:
        return None
    return schema.table(tables[0].name)


def _free(table: Table, tree: exp.Select) -> list[Column]:
    """Columns that the query doesn't name and that are not keys."""
    named = {column.name.casefold() for column in tree.find_all(exp.Column)}
    keys = {name for key in table.foreign_keys for name in key.columns} | set(table.primary_key)
    return [column for column in table.columns if column.name.casefold() not in named and column.name not in keys]


def _named(name: str, schema: Schema) -> list[Column]:
    return [column for table in schema if (column := table.column(name)) is not None]


def _is_one_count(tree: exp.Select) -> bool:
    """Whether a query gives one number of rows."""
    counts = len(tree.expressions) == 1 and isinstance(tree.expressions[0].unalias(), exp.Count)
    return counts and not tree.args.get("group")


def _is_aggregated(tree: exp.Select) -> bool:
    return bool(tree.args.get("group") or any(each.find(exp.AggFunc) for each in tree.expressions))


def _column(column: Column) -> exp.Column:
    return exp.column(exp.to_identifier(column.name, quoted=not column.name.isidentifier()))


def _plain(column: Column) -> str:
    return " ".join(words(column.name))
