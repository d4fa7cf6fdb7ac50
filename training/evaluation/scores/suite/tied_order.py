"""Whether a result depends on the order of rows that an ORDER BY finds equal."""

from collections import Counter
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from route_sql.training.evaluation.scores.result_match import ResultRows

Determined = Literal["list", "rows"]
"""Whether a query determines its list of rows, or its rows but not their order."""


def settled_ties(sql: str, dialect: str, columns: int) -> tuple[str, str] | None:
    """The query with ties settled by all selected columns: once the least first, once the greatest first.

    `SELECT a FROM t ORDER BY b LIMIT 1` becomes `... ORDER BY b, 1 LIMIT 1` and `... ORDER BY b, 1 DESC LIMIT 1`.
    If both return the same, so does every other order of the ties.

    Args:
        sql: The query.
        dialect: The name of its dialect.
        columns: The number of columns of its result.

    Returns:
        None where no query has an ORDER BY, or the text can't be parsed.
    """
    try:
        tree = sqlglot.parse_one(sql, read=dialect)
        least, greatest = (_settled(tree.copy(), columns, is_descending) for is_descending in (False, True))
        return (least.sql(dialect=dialect), greatest.sql(dialect=dialect)) if least != greatest else None
    except SqlglotError:
        return None


def determined(least: ResultRows, greatest: ResultRows) -> Determined | None:
    """Compare the two results; None if rows depend on the ties, and not only their order."""
    if list(map(tuple, least)) == list(map(tuple, greatest)):
        return "list"
    return "rows" if Counter(map(tuple, least)) == Counter(map(tuple, greatest)) else None


def _settled(tree: exp.Expr, columns: int, is_descending: bool) -> exp.Expr:
    for order in list(tree.find_all(exp.Order)):
        query = order.parent
        if not isinstance(query, exp.Query):
            continue  # the order inside a window
        count = columns if query is tree else _selected(query)
        for place in range(1, count + 1):
            number = exp.Literal.number(place)
            # NULLs as SQLite has them, so that nothing is written for them.
            order.append("expressions", exp.Ordered(this=number, desc=is_descending, nulls_first=not is_descending))
    return tree


def _selected(query: exp.Query) -> int:
    """The number of columns of a subquery; 0 where a star hides it."""
    return 0 if query.is_star else len(query.selects)
