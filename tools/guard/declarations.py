"""The names of a query that mean its common table expressions, by the rules of each engine."""

from collections.abc import Iterator

from sqlglot import exp

from route_sql.tools.guard.names.values import fold

_CASE_BLIND = frozenset({"sqlite", "duckdb"})
_SPINE = frozenset({"sqlite", "mysql"})
"""Engines in which every part of a chain of UNIONs but the first may name the expression itself."""


def declaration(name: exp.Table, dialect: str) -> bool | None:
    """Whether a name means a common table expression of the query: True, None if not, False if engines differ."""
    if name.db:
        return None
    below: exp.Expr = name
    above = name.parent
    is_lost = False
    while above is not None:
        declared = above if isinstance(above, exp.With) else above.args.get("with_")
        if declared is not None:
            for distance, expression in _seen_from(below, declared):
                if _declares(expression, name, dialect):
                    seen = _is_seen(distance, declared, name, dialect)
                    if seen is not None:
                        return seen and not is_lost
        # Inside its WITH clause the query declares nothing more.
        below = above.parent if isinstance(above, exp.With) and above.parent is not None else above
        is_lost |= dialect == "mysql" and isinstance(above, exp.With) and not isinstance(below.parent, exp.CTE)
        above = below.parent
    return None


def _seen_from(below: exp.Expr, declared: exp.Expr) -> Iterator[tuple[int, exp.Expr]]:
    """The common table expressions of a WITH clause, and how many places each comes after the part that names it."""
    expressions = declared.expressions
    own = next((place for place, expression in enumerate(expressions) if expression is below), len(expressions))
    return ((place - own, expression) for place, expression in enumerate(expressions))


def _is_seen(distance: int, declared: exp.Expr, name: exp.Table, dialect: str) -> bool | None:
    """Whether a name sees the common table expression at this distance; None if not, False if engines differ."""
    if distance < 0:
        return True
    if not (declared.args.get("recursive") or dialect == "sqlite"):
        return None
    return distance == 0 and _is_recursive_part(name, dialect, declared)


def _is_recursive_part(name: exp.Expr, dialect: str, declared: exp.Expr) -> bool:
    """Whether a name is where an expression may name itself: in the right-hand side of its own UNION.

    Elsewhere DuckDB takes the name for the real table's, for instance in
    `WITH RECURSIVE t AS (SELECT * FROM t UNION ALL BY NAME SELECT * FROM t)` both times.
    """
    way = [name]
    while way[-1].parent is not None and way[-1].parent is not declared:
        way.append(way[-1].parent)
    above = {id(node) for node in way}
    part = way[-1].this
    while isinstance(part, exp.Union) and not part.args.get("by_name"):
        if id(part.expression) in above:
            return dialect != "sqlite" or _is_source_of(part.expression, name)
        if dialect not in _SPINE or id(part.this) not in above:
            return False
        part = part.this
    return False


def _is_source_of(query: exp.Expr, name: exp.Expr) -> bool:
    """Whether a query selects from a name itself: SQLite's self-reference may not be in a query within."""
    clause = name.parent
    return isinstance(clause, exp.From | exp.Join) and clause.parent is query


def _declares(expression: exp.Expr, name: exp.Table, dialect: str) -> bool:
    alias = expression.args.get("alias")
    declared = alias.this if isinstance(alias, exp.TableAlias) else None
    return isinstance(declared, exp.Identifier) and same(name.this, declared, dialect)


def same(one: exp.Identifier, other: exp.Identifier, dialect: str) -> bool:
    """Whether two names are surely the same to the engine."""
    return _folded(one, dialect) == _folded(other, dialect)


def _folded(name: exp.Identifier, dialect: str) -> str:
    is_folded = dialect in _CASE_BLIND or (dialect == "postgres" and not name.quoted)
    return fold(name.name) if is_folded else name.name  # engines fold the letters of ASCII, and not all fold more
