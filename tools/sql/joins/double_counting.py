"""Sums and averages that take a row several times, because a join repeats it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from route_sql.tools.schema.records import ForeignKey, Schema, Table
from route_sql.tools.sql.joins.conditions import conjuncts
from route_sql.tools.sql.joins.from_clause import FromClause
from route_sql.tools.sql.parsing import shared_tree

COUNTED_TWICE = "The query runs, but {aggregate} takes a row of {table} once for each row of {other} joined with it."
_NO_VALUES = (exp.Distinct, exp.Case, exp.If, exp.Predicate)


def double_counting(sql: str, schema: Schema) -> str | None:
    """The complaint about the first sum or average that a join falsifies; None if there is none.

    SELECT SUM(invoice.total) FROM invoice JOIN line ON line.invoice_id = invoice.id

    adds the total of an invoice once for each of its lines. The other direction, a sum over lines, is right. So is a
    query that selects or groups rows of the repeating table, such as the average age of the members of one club. A
    table without a primary key is judged by the foreign keys to it and from it.
    """
    tree = shared_tree(sql, schema.dialect)
    found = (_doubled(FromClause(select, schema)) for select in tree.find_all(exp.Select)) if tree else iter(())
    return next((complaint for complaint in found if complaint is not None), None)


@dataclass(frozen=True)
class _Edge:
    """Columns by which one alias is joined with another."""

    source: str
    target: str
    source_columns: frozenset[str]
    target_columns: frozenset[str]

    def repeats(self, tables: dict[str, Table], fixed: frozenset[str]) -> bool:
        """Whether one row of the source joins several rows of the target.

        `fixed` are columns of the target that equal a constant.
        """
        source, target = tables[self.source], tables[self.target]
        is_one = any(key <= self.source_columns for key in _keys(source, target) if key)
        if many := _key(target):
            return is_one and not many <= self.target_columns | fixed
        # Without a key, only a declared reference shows that there are several rows.
        return is_one and any(_folded(key.columns) <= self.target_columns for key in _references(target, source))


def _doubled(from_clause: FromClause) -> str | None:
    """The complaint about one SELECT whose sources are all tables with different aliases."""
    select, tables = from_clause.select, {name.casefold(): table for name, table in from_clause.tables.items()}
    if not from_clause.joins or len(tables) != 1 + len(from_clause.joins):
        return None
    for aggregate in _aggregates(select):
        aliases = {column.table.casefold() for column in aggregate.find_all(exp.Column)}
        alias = aliases.pop() if len(aliases) == 1 else ""
        if alias in tables and (other := _repeating(alias, select, tables)) is not None:
            text = aggregate.sql(dialect=from_clause.schema.dialect)
            return COUNTED_TWICE.format(aggregate=text, table=tables[alias].name, other=tables[other].name)
    return None


def _aggregates(select: exp.Select) -> Iterator[exp.Expr]:
    """Sums and averages of the SELECT itself, without DISTINCT; a sum of a condition only counts."""
    found = (each for each in select.find_all(exp.Sum, exp.Avg) if each.find_ancestor(exp.Select) is select)
    yield from (each for each in found if not each.find(*_NO_VALUES))


def _repeating(alias: str, select: exp.Select, tables: dict[str, Table]) -> str | None:
    """The alias of a table that repeats the rows of an alias and from which the query chooses nothing."""
    edges, chosen = _edges(select, tables), _chosen(select)
    seen, ahead = {alias}, [alias]
    while ahead:
        source = ahead.pop()
        for edge in edges:
            if edge.source != source or edge.target in seen:
                continue
            fixed = frozenset(name for table, name in _constants(select) if table == edge.target)
            if edge.repeats(tables, fixed):
                beyond = _joined_through(edge.target, edges, {*seen})
                return None if beyond & chosen else edge.target
            seen.add(edge.target)
            ahead.append(edge.target)
    return None


def _joined_through(alias: str, edges: list[_Edge], seen: set[str]) -> set[str]:
    """An alias, and the aliases joined through it, seen from the others."""
    found = {alias}
    while more := {edge.target for edge in edges if edge.source in found} - found - seen:
        found |= more
    return found


def _edges(select: exp.Select, tables: dict[str, Table]) -> list[_Edge]:
    """The joins in both directions."""
    pairs: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for equation in _equations(select):
        sides = [(side.table.casefold(), side.name.casefold()) for side in equation]
        for (one, column), (other, its) in (sides, sides[::-1]):
            if one in tables and other in tables and one != other:
                pairs.setdefault((one, other), set()).add((column, its))
    return [
        _Edge(one, other, frozenset(a for a, _ in columns), frozenset(b for _, b in columns))
        for (one, other), columns in pairs.items()
    ]


def _conditions(select: exp.Select) -> list[exp.Expr]:
    where = select.args.get("where")
    conditions = [join.args.get("on") for join in select.args.get("joins") or []] + [where.this if where else None]
    return [each for condition in conditions for each in conjuncts(condition)]


def _equations(select: exp.Select) -> list[tuple[exp.Column, exp.Column]]:
    """Equations of two columns; without a qualifier, a text in double quotes looks like one."""
    return [
        (each.left, each.right)
        for each in _conditions(select)
        if isinstance(each, exp.EQ) and isinstance(each.left, exp.Column) and isinstance(each.right, exp.Column)
        if each.left.table and each.right.table
    ]


def _constants(select: exp.Select) -> list[tuple[str, str]]:
    """Alias and name of columns that equal a constant."""
    return [
        (each.left.table.casefold(), each.left.name.casefold())
        for each in _conditions(select)
        if isinstance(each, exp.EQ) and isinstance(each.left, exp.Column) and isinstance(each.right, exp.Literal)
    ]


def _chosen(select: exp.Select) -> set[str]:
    """Aliases by whose columns rows are chosen or grouped; '' for a column without one, which may be of any table."""
    equations = {id(left.parent) for left, _ in _equations(select)}
    parts = [each for each in _conditions(select) if id(each) not in equations]
    parts += [part for key in ("group", "having", "qualify") if (part := select.args.get(key)) is not None]
    return {column.table.casefold() for part in parts for column in part.find_all(exp.Column)}


def _keys(table: Table, other: Table) -> list[frozenset[str]]:
    """Column sets that tell a table's rows apart: its primary key, and the columns that the other table refers to."""
    return [_key(table), *(_folded(key.target_columns) for key in _references(other, table))]


def _references(table: Table, other: Table) -> list[ForeignKey]:
    """The foreign keys of a table to another one."""
    return [key for key in table.foreign_keys if key.target_table.casefold() == other.key.casefold()]


def _key(table: Table) -> frozenset[str]:
    return _folded(table.primary_key)


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)
