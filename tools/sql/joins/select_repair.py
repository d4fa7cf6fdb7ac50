"""Repairs of one SELECT along the keys of the schema: the table of a column, the condition of a join."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from rapidfuzz import fuzz
from sqlglot import exp

from route_sql.tools.schema.keys import JoinGraph, JoinPath, JoinStep, shortest_path
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.joins.conditions import is_join_condition
from route_sql.tools.sql.joins.from_clause import FromClause
from route_sql.tools.sql.joins.outer_tables import OuterTables


class SelectRepair:
    """Repairs of one SELECT; each changes the tree in place."""

    def __init__(self, select: exp.Select, schema: Schema, graph: JoinGraph) -> None:
        """Read the FROM clause; `graph` has the keys of the schema."""
        self.from_clause = FromClause(select, schema)
        self._outer = OuterTables(self.from_clause)
        self._select = select
        self._schema = schema
        self._graph = graph
        self._owners: dict[tuple[str, str], str] = {}
        """Alias of the table that owns a column, by the qualifier and the name that the query gives it."""
        self._is_barred = False
        """Whether a table that must be joined can't be: then no other table is guessed either."""

    def repair_column(self, node: exp.Column) -> bool:
        """Take an unknown column from a table that has it; False if no table can be reached.

        Before: SELECT T1.title FROM loan AS T1
        After:  SELECT T2.title FROM loan AS T1 JOIN book AS T2 ON T1.book_id = T2.book_id
        """
        if not self._select.args.get("from_"):
            return False
        join, equation = node.find_ancestor(exp.Join), node.find_ancestor(exp.EQ)
        if join is not None and equation is not None and is_join_condition(equation, join):
            is_lent = self._outer.lend(equation.left) or self._outer.lend(equation.right)
            return not is_lent and self.repair_join(join, equation)
        if self._outer.lend(node):
            return False
        written = (node.table.casefold(), node.name.casefold())
        if written not in self._owners and (alias := self._owner(node)):
            self._owners[written] = alias
        if written in self._owners:
            node.set("table", self.from_clause.identifier(self._owners[written]))
        return written in self._owners and not self._is_barred

    def repair_join(self, join: exp.Join, equation: exp.EQ, *, through_parents: bool = True) -> bool:
        """Replace an equation of a join by a key to an earlier table; False if there is no path along keys.

        Tables between them are joined too. `through_parents` allows paths over a row that both tables refer to, such
        as their country.

        Before: SELECT T1.name FROM author AS T1 JOIN book AS T2 ON T1.author_id = T2.author_id
        After:  SELECT T1.name FROM author AS T1 JOIN wrote AS T3 ON T1.author_id = T3.author_id
                JOIN book AS T2 ON T3.book_id = T2.book_id
        """
        if join.side not in ("", "LEFT") or not self._select.args.get("from_"):
            return False
        alias = join.this.alias_or_name
        position = next(number for number, other in enumerate(self.from_clause.joins) if other is join)
        path = self._path_to_join(alias, position, equation)
        if path is None or (not through_parents and self._passes_parent(path)):
            return False
        if len(path.steps) > 1 and not self.from_clause.takes_joins(position):
            return False
        start = self.from_clause.add_joins(JoinPath(path.alias, path.steps[:-1]), position, join.side)
        equation.replace(self.from_clause.condition(start, alias, path.steps[-1]))
        return True

    def _path_to_join(self, alias: str, position: int, equation: exp.EQ) -> JoinPath | None:
        """Shortest path from the tables in front of a join to its own table."""
        compared = {side.table: side.name for side in (equation.left, equation.right) if isinstance(side, exp.Column)}

        def preference(path: JoinPath) -> float:
            """Prefer a start that the equation names, then columns spelt like those that it compares."""
            first, last = path.steps[0].columns[0][0], path.steps[-1].columns[0][1]
            likeness = fuzz.ratio(compared.get(path.alias, ""), first) + fuzz.ratio(compared.get(alias, ""), last)
            return 1_000 * (path.alias in compared) + likeness

        later = {other.this.alias_or_name for other in self.from_clause.joins[position:]}
        starts = {other: table.key for other, table in self.from_clause.tables.items() if other not in later}
        table = self.from_clause.tables.get(alias)
        wanted = {table.key} if table else set()
        return shortest_path(self._graph, starts, wanted, self.from_clause.table_keys, preference)

    def _passes_parent(self, path: JoinPath) -> bool:
        """Whether a path leads to one row by its primary key and then to the many rows that refer to it."""
        to_one = [self._is_to_one(step) for step in path.steps]
        return any(one and not following for one, following in pairwise(to_one))

    def _is_to_one(self, step: JoinStep) -> bool:
        table = self._schema.table(step.target)
        return table is not None and {column for _, column in step.columns} == set(table.primary_key)

    def _owner(self, node: exp.Column) -> str | None:
        """Alias of the table that a column is most likely of; one that is not joined yet is joined."""
        owners = [alias for alias, table in self.from_clause.tables.items() if table.column(node.name)]
        only = owners[0] if len(owners) == 1 else None
        if node.table and not self.from_clause.aliases_named(node.table):
            # An unknown qualifier refers to a table that is not joined yet.
            return self._joined_owner(node) or self._unclaimed(owners, node) or only
        return self._unclaimed(owners, node) or self._joined_owner(node) or only

    def _unclaimed(self, owners: Sequence[str], node: exp.Column) -> str | None:
        """Alias of the one owner whose column the query does not use in another clause; None if there are more or none.

        The select list and the GROUP BY or ORDER BY clause use the same column, so they count as one clause.
        """
        same = [other for other in self._select.find_all(exp.Column) if other.name.casefold() == node.name.casefold()]
        clauses = {id(other): self._clause(other) for other in same}
        clause = clauses[id(node)]
        grouped = {other.table.casefold() for other in same if {clause, clauses[id(other)]} == {"expressions", "group"}}
        others = {"expressions", "where", "having"} - ({"expressions"} if clause in ("group", "order") else set())
        claimed = {other.table.casefold() for other in same if clauses[id(other)] in others}
        free = [alias for alias in owners if alias.casefold() in grouped]
        free = free or [alias for alias in owners if alias.casefold() not in claimed]
        return free[0] if len(free) == 1 else None

    def _clause(self, node: exp.Expr) -> str:
        """Clause of the SELECT that holds an expression, by sqlglot's name for it."""
        while node.parent is not None and node.parent is not self._select:
            node = node.parent
        return node.arg_key or ""

    def _joined_owner(self, node: exp.Column) -> str | None:
        """Join the nearest table that has a column; returns its alias."""
        own = self.from_clause.aliases_named(node.table)
        named = self._schema.table(node.table) if node.table and not own else None
        joined = self.from_clause.table_keys
        wanted = {table.key for table in self._schema if table.column(node.name)} - joined
        wanted = {named.key} if named and named.key not in joined else wanted
        path = self._path_to_owner(own, wanted) or self._path_to_owner(self.from_clause.tables, wanted)
        if path is None:
            return None
        is_taken = self.from_clause.takes_joins(len(self.from_clause.joins))
        if not is_taken or self._outer.are_as_near(path, wanted, self._graph):
            self._is_barred = True
            return None
        side = next((join.side for join in self.from_clause.joins if join.this.alias_or_name == path.alias), "")
        return self.from_clause.add_joins(path, len(self.from_clause.joins), side)

    def _path_to_owner(self, aliases: Iterable[str], wanted: set[str]) -> JoinPath | None:
        """Shortest path from some aliases to a wanted table, preferring steps to one row over steps to many."""
        starts = {alias: self.from_clause.tables[alias].key for alias in aliases}
        joined = self.from_clause.table_keys
        return shortest_path(self._graph, starts, wanted, joined, lambda path: sum(map(self._is_to_one, path.steps)))
