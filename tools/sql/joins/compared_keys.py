"""Keys that the condition of a join compares: of the same thing, or of different things."""

import re

from sqlglot import exp

from route_sql.tools.schema.keys import JoinGraph, equivalent_keys, is_named_as_key
from route_sql.tools.schema.records import Table
from route_sql.tools.sql.joins.from_clause import FromClause

_TEXT = re.compile("char|text|string|clob|uuid|uniqueidentifier", re.IGNORECASE)


def compares_equivalent_keys(equation: exp.EQ, from_clause: FromClause, graph: JoinGraph) -> bool:
    """Whether two columns are keys of the same thing, such as `wrote.book_id = book.book_id`.

    So are columns of the same name, and columns of an unknown table, which can't be judged.
    """
    compared = _compared(equation, from_clause)
    if compared is None:
        return True
    (left, one), (right, other) = compared
    if one == other and not _share_only_a_name(left, right, one, graph):
        return True
    return not equivalent_keys(graph, left.key, one).isdisjoint(equivalent_keys(graph, right.key, other))


def compares_unrelated_ids(equation: exp.EQ, from_clause: FromClause, graph: JoinGraph) -> bool:
    """Whether two columns are ids of different tables, such as `doctor_id = patient_id`: rows match by accident."""
    compared = _compared(equation, from_clause)
    if compared is None or not all(_is_id(table, column, from_clause, graph) for table, column in compared):
        return False
    return not compares_equivalent_keys(equation, from_clause, graph)


def follows_unknown_key(equation: exp.EQ, from_clause: FromClause, graph: JoinGraph) -> bool:
    """Whether a primary key is compared with an id of which no key is known, such as `winner_id`.

    The schema does not tell what such a column refers to, so it may well be this table.
    """
    compared = _compared(equation, from_clause)
    return compared is not None and any(_may_refer(*sides, graph) for sides in (compared, compared[::-1]))


def keeps_unmatched_rows(from_clause: FromClause) -> bool:
    """Whether a SELECT keeps the rows for which a LEFT JOIN finds none, as in `... LEFT JOIN b ... WHERE b.id IS NULL`.

    That no row is left may then be the answer.
    """
    optional = {join.this.alias_or_name.casefold() for join in from_clause.joins if join.side == "LEFT"}
    tables = [table for alias, table in from_clause.tables.items() if alias.casefold() in optional]
    where = from_clause.select.args.get("where")
    tested = [each.this for each in where.find_all(exp.Is) if _is_null_test(each)] if where is not None else []
    columns = [each for each in tested if isinstance(each, exp.Column)]
    bare = {each.name for each in columns if not each.table}
    is_named = any(each.table.casefold() in optional for each in columns)
    return is_named or any(table.column(name) for table in tables for name in bare)


def _is_null_test(node: exp.Is) -> bool:
    return isinstance(node.expression, exp.Null) and not isinstance(node.parent, exp.Not)


def _compared(equation: exp.EQ, from_clause: FromClause) -> tuple[tuple[Table, str], tuple[Table, str]] | None:
    """Table and case-folded name of both columns; None if a table is unknown."""
    sides = [side for side in (equation.left, equation.right) if isinstance(side, exp.Column)]
    left, right = (from_clause.tables.get(side.table) for side in sides)
    one, other = (side.name.casefold() for side in sides)
    return ((left, one), (right, other)) if left and right else None


def _may_refer(referring: tuple[Table, str], referred: tuple[Table, str], graph: JoinGraph) -> bool:
    (table, column), (owner, key) = referring, referred
    found = table.column(column)
    if found is None or not is_named_as_key(found.name) or found.name in table.primary_key:
        return False
    is_known = any(column == own.casefold() for step in graph.get(table.key, ()) for own, _ in step.columns)
    return not is_known and [own.casefold() for own in owner.primary_key] == [key]


def _share_only_a_name(left: Table, right: Table, column: str, graph: JoinGraph) -> bool:
    """Whether a column is the primary key of two tables, such as `id`, while another key joins them."""
    primary = all([name.casefold() for name in table.primary_key] == [column] for table in (left, right))
    return primary and left.key != right.key and any(step.target == right.key for step in graph.get(left.key, ()))


def _is_id(table: Table, name: str, from_clause: FromClause, graph: JoinGraph) -> bool:
    """Whether a column holds ids: it is, or refers to, the primary key of a table, and its values are numbers."""
    found = table.column(name)
    if found is None or (_TEXT.search(found.type) and not all(sample.isdigit() for sample in found.samples or "-")):
        return False  # words are seldom equal by accident
    keys = [(from_clause.schema.table(key), column) for key, column in equivalent_keys(graph, table.key, name)]
    return any(owner is not None and [own.casefold() for own in owner.primary_key] == [col] for owner, col in keys)
