"""Tables of the SELECTs around a subquery, whose columns it may name."""

from collections.abc import Collection, Iterator

from sqlglot import exp

from route_sql.tools.schema.keys import JoinGraph, JoinPath, shortest_path
from route_sql.tools.schema.records import Table
from route_sql.tools.sql.joins.from_clause import FromClause


class OuterTables:
    """Tables of the SELECTs around the SELECT of a FROM clause."""

    def __init__(self, from_clause: FromClause) -> None:
        """Look up the tables; of two with one alias the inner counts."""
        self._own = from_clause
        self._tables: dict[str, Table] = {}
        for select in _outer_selects(from_clause.select):
            found = FromClause(select, from_clause.schema).tables
            self._tables = {alias.casefold(): table for alias, table in found.items()} | self._tables

    def lend(self, column: exp.Expr) -> bool:
        """Whether a column of the SELECT is one of these tables, not of its own FROM clause."""
        if not isinstance(column, exp.Column):
            return False
        if qualifier := column.table.casefold():
            clauses = (self._own.select.args.get("from_"), *self._own.joins)
            own = {clause.this.alias_or_name.casefold() for clause in clauses if clause is not None}
            return qualifier in self._tables and qualifier not in own
        is_own = any(table.column(column.name) for table in self._own.tables.values())
        return not is_own and any(table.column(column.name) for table in self._tables.values())

    def are_as_near(self, path: JoinPath, wanted: Collection[str], graph: JoinGraph) -> bool:
        """Whether the SELECT names one of these tables, and one leads to a wanted table by no more keys than a path.

        Then its own row may be meant, here the book of the loan in question and not of any loan of its reader:

            SELECT due FROM loan WHERE EXISTS
            (SELECT 1 FROM reader WHERE reader.reader_id = loan.reader_id AND title = 'Emma')

        A column that is lent without a qualifier would be taken for one of a table that is joined.
        """
        columns = self._own.select.find_all(exp.Column)
        lent = [each for each in columns if each.find_ancestor(exp.Select) is self._own.select and self.lend(each)]
        starts = {alias: table.key for alias, table in self._tables.items()}
        ways = [shortest_path(graph, starts, {key}, (), len) for key in wanted] if lent else []
        is_near = any(way is not None and len(way.steps) <= len(path.steps) for way in ways)
        is_near = is_near or any(key in wanted for key in starts.values())
        return any(not column.table for column in lent) or bool(lent and is_near)


def _outer_selects(select: exp.Select) -> Iterator[exp.Select]:
    """The SELECTs whose tables a subquery may name, from the inside out: not the one whose FROM clause it is in."""
    node: exp.Expr | None = select
    while node is not None and not isinstance(node, exp.CTE):
        above = node.parent
        is_source = isinstance(above, exp.From | exp.Join) and node.arg_key == "this"
        is_source = is_source and not isinstance(node, exp.Lateral)
        node = above.parent if above is not None and is_source else above
        if isinstance(node, exp.Select) and not is_source:
            yield node
