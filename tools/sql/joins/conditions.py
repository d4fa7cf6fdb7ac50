"""What the conditions of a SELECT and its joins say of columns."""

from collections.abc import Sequence

from sqlglot import exp


def conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """What must all hold for a condition to hold."""
    if isinstance(condition, exp.Paren):
        return conjuncts(condition.this)
    if isinstance(condition, exp.And):
        return [*conjuncts(condition.left), *conjuncts(condition.right)]
    return [condition] if condition is not None else []


def joins_columns(equation: exp.EQ, join: exp.Join) -> bool:
    """Whether an equation is a join's, of a column with a column."""
    sides = isinstance(equation.left, exp.Column) and isinstance(equation.right, exp.Column)
    return sides and equation.find_ancestor(exp.Join) is join and equation.find_ancestor(exp.Select) is join.parent


def equated(select: exp.Select, column: str, aliases: Sequence[str]) -> bool:
    """Whether a SELECT says that a column of that name is equal in several tables, from the first to all others."""
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
    said = [join.args.get("on") for join in select.args.get("joins") or []] + [where.this if where else None]
    return [
        (each.left, each.right)
        for condition in said
        for each in conjuncts(condition)
        if isinstance(each, exp.EQ) and isinstance(each.left, exp.Column) and isinstance(each.right, exp.Column)
    ]
