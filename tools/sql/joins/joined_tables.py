"""One SELECT and its tables: which of them has a column, and how others are joined in along the schema's keys."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from rapidfuzz import fuzz
from sqlglot import exp

from route_sql.tools.schema.keys import Step, Steps, Way, one_thing, shortest_way
from route_sql.tools.schema.quoting import quote_name
from route_sql.tools.schema.records import Schema, Table
from route_sql.tools.sql.joins.conditions import equated, joins_columns

_TEXT = re.compile("char|text|string|clob|uuid|uniqueidentifier", re.IGNORECASE)


class JoinedTables:
    """One SELECT and the schema's tables in its FROM clause."""

    def __init__(self, select: exp.Select, schema: Schema, steps: Steps) -> None:
        """`steps` are the keys of the schema."""
        self._select = select
        self._schema = schema
        self._steps = steps
        self._tables: dict[str, Table] = {}
        """By alias."""
        self._quoted: dict[str, bool] = {}
        """How an alias is written."""
        self._found: dict[tuple[str, str], str] = {}
        """The alias that has a column, by the qualifier it was given and its name."""
        above = {cte.alias.casefold() for cte in select.root().find_all(exp.CTE)}
        for clause in (select.args.get("from_"), *self._joins):
            node = clause.this if clause is not None else None
            if not isinstance(node, exp.Table) or (not node.db and node.name.casefold() in above):
                continue  # a subquery, or one that WITH names
            if table := schema.table(f"{node.db}.{node.name}".strip(".")):
                self._tables[node.alias_or_name] = table
                written = node.args["alias"].this if node.alias else node.this
                self._quoted[node.alias_or_name] = bool(written.quoted)

    @property
    def _joins(self) -> list[exp.Join]:
        joins: list[exp.Join] = self._select.args.get("joins") or []
        return joins

    def mend(self, node: exp.Column) -> bool:
        """Give a column that stands for nothing a table that has it; False if there is no way."""
        if not self._select.args.get("from_"):
            return False
        join, equation = node.find_ancestor(exp.Join), node.find_ancestor(exp.EQ)
        if join is not None and equation is not None and joins_columns(equation, join):
            return self.mend_join(join, equation)
        wanted = (node.table.casefold(), node.name.casefold())
        if wanted not in self._found and (alias := self._holder(node)):
            self._found[wanted] = alias
        if wanted in self._found:
            node.set("table", self._alias(self._found[wanted]))
        return wanted in self._found

    def on_key(self, equation: exp.EQ) -> bool:
        """Whether an equation of two columns compares keys of one thing, or what can't be told."""
        compared = self._compared(equation)
        if compared is None:
            return True
        (left, one), (right, other) = compared
        if one == other and not self._both_own(left, right, one):
            return True
        return not one_thing(self._steps, left.key, one).isdisjoint(one_thing(self._steps, right.key, other))

    def of_two_things(self, equation: exp.EQ) -> bool:
        """Whether an equation compares numbers that are keys, but of different things: rows meet by accident."""
        compared = self._compared(equation)
        return compared is not None and all(map(self._is_number_of, compared)) and not self.on_key(equation)

    def _is_number_of(self, column: tuple[Table, str]) -> bool:
        """Whether a column numbers things that have a table: keys connect it with the primary key of one."""
        table, name = column
        found = table.column(name)
        if found is None or (_TEXT.search(found.type) and not all(sample.isdigit() for sample in found.samples or "-")):
            return False  # words are seldom equal by accident
        alike = [(self._schema.table(key), other) for key, other in one_thing(self._steps, table.key, name)]
        return any(end is not None and [own.casefold() for own in end.primary_key] == [other] for end, other in alike)

    def _compared(self, equation: exp.EQ) -> tuple[tuple[Table, str], tuple[Table, str]] | None:
        """The two columns of an equation, each by its table and folded name; None if a table is not known."""
        sides = [side for side in (equation.left, equation.right) if isinstance(side, exp.Column)]
        left, right = (self._tables.get(side.table) for side in sides)
        one, other = (side.name.casefold() for side in sides)
        return ((left, one), (right, other)) if left and right else None

    def _both_own(self, left: Table, right: Table, column: str) -> bool:
        """Whether two tables have nothing but the name of their own keys, such as `id`, in common: others join them."""
        own = all([name.casefold() for name in table.primary_key] == [column] for table in (left, right))
        return own and left.key != right.key and any(step.end == right.key for step in self._steps.get(left.key, ()))

    def mend_join(self, join: exp.Join, equation: exp.EQ, *, fanning: bool = True) -> bool:
        """Join a table on the keys between it and what stands before it, instead of on what it lacks.

        `fanning` allows ways up to one row and down to many again: those of a film, or of a country.
        """
        alias = join.this.alias_or_name
        if join.side not in ("", "LEFT") or not self._select.args.get("from_"):
            return False
        place = next(number for number, other in enumerate(self._joins) if other is join)
        later = {other.this.alias_or_name for other in self._joins[place:]}
        before = [other for other in self._tables if other not in later]
        compared = {side.table: side.name for side in (equation.left, equation.right) if isinstance(side, exp.Column)}
        table = self._tables.get(alias)

        def preference(way: Way) -> float:
            """That from a table which the condition names, on columns named much like those that it compares."""
            first, last = way.steps[0].columns[0][0], way.steps[-1].columns[0][1]
            alike = fuzz.ratio(compared.get(way.alias, ""), first) + fuzz.ratio(compared.get(alias, ""), last)
            return 1_000 * (way.alias in compared) + alike

        starts = {other: self._tables[other].key for other in before}
        wanted = {table.key} if table else set()
        way = shortest_way(self._steps, starts, wanted, self._joined, preference)
        if way is None or (not fanning and self._fans_out(way)):
            return False
        start = self._join_in(Way(way.alias, way.steps[:-1]), place, join.side)
        equation.replace(self._condition(start, alias, way.steps[-1]))
        return True

    def _fans_out(self, way: Way) -> bool:
        """Whether a way leads up to one row and down to many again."""
        ends = [(self._schema.table(step.end), {b for _, b in step.columns}) for step in way.steps]
        up = [table is not None and columns == set(table.primary_key) for table, columns in ends]
        return any(one and not following for one, following in pairwise(up))

    @property
    def _joined(self) -> set[str]:
        return {table.key for table in self._tables.values()}

    def _holder(self, node: exp.Column) -> str | None:
        """The alias of the table that a column was meant of, be it one that is joined in for it."""
        holders = [alias for alias, table in self._tables.items() if table.column(node.name)]
        alone = holders[0] if len(holders) == 1 else None
        if node.table and not self._named(node.table):
            # Another table than those that are joined was meant.
            return self._new_holder(node) or self._fresh(holders, node) or alone
        return self._fresh(holders, node) or self._new_holder(node) or alone

    def _named(self, qualifier: str) -> list[str]:
        """The aliases that a qualifier stands for: none or one."""
        return [alias for alias in self._tables if alias.casefold() == qualifier.casefold()]

    def _fresh(self, holders: Sequence[str], node: exp.Column) -> str | None:
        """The one table of those that are joined and have the column that gives it to no other place of the query.

        What is shown and what it is grouped or ordered by are one place.
        """
        same = [other for other in self._select.find_all(exp.Column) if other.name.casefold() == node.name.casefold()]
        clauses = {id(other): self._clause(other) for other in same}
        clause = clauses[id(node)]
        grouped = {other.table.casefold() for other in same if {clause, clauses[id(other)]} == {"expressions", "group"}}
        elsewhere = {"expressions", "where", "having"} - ({"expressions"} if clause in ("group", "order") else set())
        given = {other.table.casefold() for other in same if clauses[id(other)] in elsewhere}
        fresh = [alias for alias in holders if alias.casefold() in grouped]
        fresh = fresh or [alias for alias in holders if alias.casefold() not in given]
        return fresh[0] if len(fresh) == 1 else None

    def _clause(self, node: exp.Expr) -> str:
        """The clause of the SELECT that an expression stands in, as sqlglot names it."""
        while node.parent is not None and node.parent is not self._select:
            node = node.parent
        return node.arg_key or ""

    def _new_holder(self, node: exp.Column) -> str | None:
        """The alias of the nearest table with the column, which is joined in."""
        own = self._named(node.table)
        named = self._schema.table(node.table) if node.table and not own else None
        wanted = {table.key for table in self._schema if table.column(node.name)} - self._joined
        wanted = {named.key} if named and named.key not in self._joined else wanted
        way = self._way(own, wanted) or self._way(self._tables, wanted)
        if way is None:
            return None
        side = next((join.side for join in self._joins if join.this.alias_or_name == way.alias), "")
        return self._join_in(way, len(self._joins), side)

    def _way(self, aliases: Iterable[str], wanted: set[str]) -> Way | None:
        """The shortest way to a table that is wanted, at each step rather to one row than to many."""

        def preference(way: Way) -> float:
            ends = [self._schema.table(step.end) for step in way.steps]
            return sum(
                table is not None and {b for _, b in step.columns} == set(table.primary_key)
                for table, step in zip(ends, way.steps, strict=True)
            )

        starts = {alias: self._tables[alias].key for alias in aliases}
        return shortest_way(self._steps, starts, wanted, self._joined, preference)

    def _join_in(self, way: Way, place: int, side: str) -> str:
        """Join the tables of a way, from a place among the joins on; the alias of the last.

        What follows a LEFT JOIN is one too, or it would drop the rows which that keeps.
        """
        alias = way.alias
        if way.steps:
            self._qualify()
            self._cross()
        for number, step in enumerate(way.steps):
            table = self._schema.table(step.end)
            assert table is not None
            new = self._free_alias()
            self._tables[new] = table
            source = exp.Table(this=self._identifier(table.name), alias=exp.TableAlias(this=self._alias(new)))
            if table.namespace:
                source.set("db", self._identifier(table.namespace))
            join = exp.Join(this=source, on=self._condition(alias, new, step), side="LEFT" if side == "LEFT" else None)
            self._select.set("joins", [*self._joins[: place + number], join, *self._joins[place + number :]])
            alias = new
        return alias

    def _condition(self, alias: str, other: str, step: Step) -> exp.Expr:
        pairs = [exp.EQ(this=self._column(alias, a), expression=self._column(other, b)) for a, b in step.columns]
        return exp.and_(*pairs)

    def _column(self, alias: str, name: str) -> exp.Column:
        return exp.Column(this=self._identifier(name), table=self._alias(alias))

    def _alias(self, alias: str) -> exp.Identifier:
        return exp.to_identifier(alias, quoted=self._quoted.get(alias, False))

    def _identifier(self, name: str) -> exp.Identifier:
        return exp.to_identifier(name, quoted=quote_name(name, self._schema.dialect) != name)

    def _qualify(self) -> None:
        """Name the table of each column and star that has none, since a table to come has columns too."""
        sources = [clause.this.alias_or_name for clause in (self._select.args["from_"], *self._joins)]
        items: list[exp.Expr] = []
        for item in self._select.expressions:
            stars = [exp.Column(this=exp.Star(), table=self._alias(alias)) for alias in sources]
            items += stars if isinstance(item, exp.Star) else [item]
        self._select.set("expressions", items)
        for node, holders in self._bare_columns():
            if len(holders) == 1:
                node.set("table", self._alias(holders[0]))

    def _bare_columns(self) -> list[tuple[exp.Column, list[str]]]:
        """The SELECT's own columns that name no table, and no output, each with the tables that have it."""
        outputs = {item.alias.casefold() for item in self._select.selects if item.alias}
        bare = [
            node
            for node in self._select.find_all(exp.Column)
            if node.find_ancestor(exp.Select) is self._select and not node.table
            if isinstance(node.this, exp.Identifier) and node.name.casefold() not in outputs
        ]
        return [(node, [alias for alias, table in self._tables.items() if table.column(node.name)]) for node in bare]

    def name_shared(self) -> bool:
        """Name the first table of each column that several have, if the query says that it is equal in all of them."""
        shared = [
            (node, holders) for node, holders in self._bare_columns() if equated(self._select, node.name, holders)
        ]
        for node, holders in shared:
            node.set("table", self._alias(holders[0]))
        return bool(shared)

    def _cross(self) -> None:
        """Write `, t` as CROSS JOIN: after a comma, the condition of a join could not name what stands before it."""
        for join in self._joins:
            if not any(join.args.get(key) for key in ("on", "using", "kind", "side", "method")):
                join.set("kind", "CROSS")

    def _free_alias(self) -> str:
        taken = {node.name.casefold() for node in self._select.root().find_all(exp.Identifier)}
        return next(name for number in range(1, 1000) if (name := f"T{number}").casefold() not in taken)
