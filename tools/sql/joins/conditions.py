"""Equations between columns in the conditions of a SELECT and its joins."""

from collections.abc import Sequence

from sqlglot import exp


def conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """Split a condition at its ANDs; None has no parts."""
    if isinstance(condition, exp.Paren):
        return conjuncts(condition.this)
    if isinstance(condition, exp.And):
        return [*conjuncts(condition.left), *conjuncts(condition.right)]
    return [condition] if condition is not None else []


def is_join_condition(equation: exp.EQ, join: exp.Join) -> bool:
    """Whether an equation compares two columns in the ON clause of a join, outside its subqueries."""
    columns = isinstance(equation.left, exp.Column) and isinstance(equation.right, exp.Column)
    return columns and equation.find_ancestor(exp.Join) is join and equation.find_ancestor(exp.Select) is join.parent


def is_equal_in_all(select: exp.Select, column: str, aliases: Sequence[str]) -> bool:
    """Whether a SELECT requires that a column is equal in two or more tables, given by their aliases.

    `a.id = b.id AND b.id = c.id` makes `id` equal in `a`, `b` and `c`.
    """
    wanted = {alias.casefold() for alias in aliases}
    pairs = [
        {side.table.casefold() for side in sides}
        for sides in _equal_columns(select)
        if {side.name.casefold() for side in sides} == {column.casefold()}
    ]
    reached = {alias.casefold() for alias in aliases[:1]}
    for _ in aliases:
        reached |= {alias for pair in pairs if pair & reached for alias in pair}
    return len(wanted) > 1 and wanted <= reached


def _equal_columns(select: exp.Select) -> list[tuple[exp.Column, exp.Column]]:
    where = select.args.get("where")
    conditions = [join.args.get("on") for join in select.args.get("joins") or []] + [where.this if where else None]
    return [
        (each.left, each.right)
        for condition in conditions
        for each in conjuncts(condition)
        if isinstance(each, exp.EQ) and isinstance(each.left, exp.Column) and isinstance(each.right, exp.Column)
    ]
