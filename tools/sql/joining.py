"""Joins that a query lacks: what it takes from the wrong table is looked for along the schema's keys.

A small model often stops one table short: `SELECT T2.name FROM physician AS T1 JOIN trained_in AS T2 ...`, where the
name is in a table that `trained_in` refers to. The schema alone tells what is missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlglot import exp

from route_sql.tools.schema.keys import Step, key_steps
from route_sql.tools.schema.quoting import quote_name
from route_sql.tools.schema.records import Schema, Table
from route_sql.tools.sql.parsing import Tree, parse_query
from route_sql.tools.sql.scopes import Resolver
from route_sql.tools.sql.usage import MOST_UNKNOWN, unknown_names

MOST_STEPS = 3
"""Tables further apart than this many keys have nothing to do with each other."""


def with_missing_joins(sql: str, schema: Schema) -> str | None:
    """A query whose every column is found, by joins along the schema's keys; None if none lacks or there is no way.

    A column that its table lacks is taken from a table that is joined already, if just one of them has it and gives it
    to no other place, or from the nearest one along the keys, which is joined in. A join on a column that does not
    exist is made one on the keys between its tables. Where two tables are equally near, nothing is guessed.

    A hint, not a proof: the query runs where the first one did not, and may say something else.
    """
    tree = parse_query(sql, schema.dialect)
    unknown = _unknown_columns(tree, sql, schema) if tree is not None else []
    if tree is None or not 0 < len(unknown) <= MOST_UNKNOWN or not _mend(tree, unknown, schema):
        return None
    written = tree.sql(dialect=schema.dialect)
    return None if unknown_names(written, schema) else written


def _mend(tree: Tree, unknown: Sequence[exp.Column], schema: Schema) -> bool:
    steps = key_steps(schema)
    selects: dict[int, _Select] = {}
    for node in unknown:
        select = node.find_ancestor(exp.Select)
        if select is None or node.root() is not tree:
            continue  # its condition has been replaced
        if id(select) not in selects:
            selects[id(select)] = _Select(select, schema, steps)
        if not selects[id(select)].mend(node):
            return False
    return True


def with_joins_on_keys(sql: str, schema: Schema) -> str | None:
    """A query whose joins are on keys, where keys lead from table to table; None if they are or there is no way.

    For a query that returns no row: the columns that it compares may have nothing to do with each other. Columns of one
    name, or that refer to the same table, count as keys.
    """
    tree = parse_query(sql, schema.dialect)
    steps = key_steps(schema)
    mended = False
    for select in [*tree.find_all(exp.Select)] if tree is not None else []:
        for join in [*(select.args.get("joins") or [])]:
            tables = _Select(select, schema, steps)
            equation = join.args.get("on")
            if isinstance(equation, exp.EQ) and _joins_columns(equation, join) and not tables.on_key(equation):
                mended = tables.mend_join(join, equation) or mended
    return tree.sql(dialect=schema.dialect) if tree is not None and mended else None


def _unknown_columns(tree: Tree, sql: str, schema: Schema) -> list[exp.Column]:
    places = {name.start for name in Resolver(tree, sql, schema).names() if not name.found}
    return [node for node in tree.find_all(exp.Column) if node.parts[0].meta.get("start") in places]


class _Way(NamedTuple):
    """From a table that is joined, by its alias, along keys to another one."""

    alias: str
    steps: tuple[Step, ...] = ()


class _Select:
    """One SELECT and the schema's tables in its FROM clause."""

    def __init__(self, select: exp.Select, schema: Schema, steps: Mapping[str, Sequence[Step]]) -> None:
        self._select = select
        self._schema = schema
        self._steps = steps
        self._tables: dict[str, Table] = {}
        """By alias."""
        self._quoted: dict[str, bool] = {}
        """How an alias is written."""
        self._found: dict[tuple[str, str], str] = {}
        """The alias that has a column, by the qualifier it was given and its name."""
        for clause in (select.args.get("from_"), *self._joins):
            node = clause.this if clause is not None else None
            if isinstance(node, exp.Table) and (table := schema.table(f"{node.db}.{node.name}".strip("."))):
                self._tables[node.alias_or_name] = table
                written = node.args["alias"].this if node.alias else node.this
                self._quoted[node.alias_or_name] = bool(written.quoted)

    @property
    def _joins(self) -> list[exp.Join]:
        joins: list[exp.Join] = self._select.args.get("joins") or []
        return joins

    def mend(self, node: exp.Column) -> bool:
        """Give a column that stands for nothing a table that has it; False if there is no way."""
        join, equation = node.find_ancestor(exp.Join), node.find_ancestor(exp.EQ)
        if join is not None and equation is not None and _joins_columns(equation, join):
            return self.mend_join(join, equation)
        wanted = (node.table.casefold(), node.name.casefold())
        if wanted not in self._found:
            holders = [alias for alias, table in self._tables.items() if table.column(node.name)]
            alone = holders[0] if len(holders) == 1 else None
            if alias := self._fresh(holders, node) or self._new_holder(node) or alone:
                self._found[wanted] = alias
        if wanted in self._found:
            node.set("table", self._alias(self._found[wanted]))
        return wanted in self._found

    def on_key(self, equation: exp.EQ) -> bool:
        """Whether an equation of two columns compares those of a key, or what can't be told."""
        sides = [side for side in (equation.left, equation.right) if isinstance(side, exp.Column)]
        left, right = (self._tables.get(side.table) for side in sides)
        one, other = (side.name.casefold() for side in sides)
        if left is None or right is None or one == other:
            return True
        return any(
            step.end == right.key and {(one, other)} == {(a.casefold(), b.casefold()) for a, b in step.columns}
            for step in self._steps.get(left.key, ())
        ) or bool(self._targets(left, one) & self._targets(right, other))

    def _targets(self, table: Table, column: str) -> set[tuple[str, str]]:
        """The columns that a column has a key with."""
        steps = self._steps.get(table.key, ())
        return {(step.end, b) for step in steps for a, b in step.columns if a.casefold() == column}

    def mend_join(self, join: exp.Join, equation: exp.EQ) -> bool:
        """Join a table on the keys between it and what stands before it, instead of on what it lacks."""
        alias = join.this.alias_or_name
        place = next(number for number, other in enumerate(self._joins) if other is join)
        later = {other.this.alias_or_name for other in self._joins[place:]}
        before = [other for other in self._tables if other not in later]
        compared = [side.table for side in (equation.left, equation.right) if isinstance(side, exp.Column)]
        table = self._tables.get(alias)
        # Of two ways as short, that from the table which the condition names.
        before.sort(key=lambda other: other not in compared)
        way = self._way(before, {table.key} if table else set())
        if way is None:
            return False
        start = self._join_in(_Way(way.alias, way.steps[:-1]), place)
        equation.replace(self._condition(start, alias, way.steps[-1]))
        return True

    def _fresh(self, holders: Sequence[str], node: exp.Column) -> str | None:
        """The one table of those that are joined and have the column that gives it to no other place of the query."""
        name = node.name.casefold()
        given = {other.table.casefold() for other in self._select.find_all(exp.Column) if other.name.casefold() == name}
        fresh = [alias for alias in holders if alias.casefold() not in given]
        return fresh[0] if len(fresh) == 1 else None

    def _new_holder(self, node: exp.Column) -> str | None:
        """The alias of the nearest table with the column, which is joined in."""
        named = self._schema.table(node.table) if node.table else None
        wanted = {named.key} if named else {table.key for table in self._schema if table.column(node.name)}
        wanted -= {table.key for table in self._tables.values()}
        own = [alias for alias in self._tables if alias.casefold() == node.table.casefold()]
        way = self._way(own, wanted) or self._way(self._tables, wanted)
        return self._join_in(way, len(self._joins)) if way else None

    def _way(self, aliases: Iterable[str], wanted: set[str]) -> _Way | None:
        """The shortest way to a table that is wanted; None if there is none, or one to another table is as short."""
        ways = [_Way(alias) for alias in aliases]
        passed = {table.key for table in self._tables.values()} - wanted
        for _ in range(MOST_STEPS):
            onward: dict[str, _Way] = {}
            for way in ways:
                at = way.steps[-1].end if way.steps else self._tables[way.alias].key
                for step in self._steps.get(at, ()):
                    if step.end not in passed:
                        onward.setdefault(step.end, _Way(way.alias, (*way.steps, step)))
            ways = list(onward.values())
            passed |= onward.keys()
            if arrived := [way for end, way in onward.items() if end in wanted]:
                return arrived[0] if len(arrived) == 1 else None
        return None

    def _join_in(self, way: _Way, place: int) -> str:
        """Join the tables of a way, from a place among the joins on; the alias of the last."""
        alias = way.alias
        if way.steps:
            self._qualify()
        for number, step in enumerate(way.steps):
            table = self._schema.table(step.end)
            assert table is not None
            new = self._free_alias()
            self._tables[new] = table
            source = exp.Table(this=self._identifier(table.name), alias=exp.TableAlias(this=self._alias(new)))
            if table.namespace:
                source.set("db", self._identifier(table.namespace))
            join = exp.Join(this=source, on=self._condition(alias, new, step))
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
        outputs = {item.alias.casefold() for item in self._select.selects if item.alias}
        for node in self._select.find_all(exp.Column):
            own = node.find_ancestor(exp.Select) is self._select and not node.table
            if own and isinstance(node.this, exp.Identifier) and node.name.casefold() not in outputs:
                holders = [alias for alias, table in self._tables.items() if table.column(node.name)]
                if len(holders) == 1:
                    node.set("table", self._alias(holders[0]))

    def _free_alias(self) -> str:
        taken = {node.name.casefold() for node in self._select.root().find_all(exp.Identifier)}
        return next(name for number in range(1, 1000) if (name := f"T{number}").casefold() not in taken)


def _joins_columns(equation: exp.EQ, join: exp.Join) -> bool:
    """Whether an equation is a join's, of a column with a column."""
    sides = isinstance(equation.left, exp.Column) and isinstance(equation.right, exp.Column)
    return sides and equation.find_ancestor(exp.Join) is join and equation.find_ancestor(exp.Select) is join.parent
