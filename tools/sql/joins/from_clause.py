"""FROM clause of one SELECT: its tables by alias, and the joins that a repair adds to it."""

from sqlglot import exp

from route_sql.tools.schema.keys import JoinPath, JoinStep
from route_sql.tools.schema.quoting import quote_name
from route_sql.tools.schema.records import Schema, Table
from route_sql.tools.sql.joins.conditions import is_equal_in_all


class FromClause:
    """FROM clause of one SELECT. `tables` are its tables of the schema, by alias."""

    def __init__(self, select: exp.Select, schema: Schema) -> None:
        """Look up the tables; subqueries and common table expressions are left out."""
        self.select = select
        self.schema = schema
        self.tables: dict[str, Table] = {}
        self._is_quoted: dict[str, bool] = {}
        common = {cte.alias.casefold() for cte in select.root().find_all(exp.CTE)}
        for clause in (select.args.get("from_"), *self.joins):
            node = clause.this if clause is not None else None
            if not isinstance(node, exp.Table) or (not node.db and node.name.casefold() in common):
                continue
            if table := schema.table(f"{node.db}.{node.name}".strip(".")):
                self.tables[node.alias_or_name] = table
                name = node.args["alias"].this if node.alias else node.this
                self._is_quoted[node.alias_or_name] = bool(name.quoted)

    @property
    def joins(self) -> list[exp.Join]:
        """Joins of the SELECT, in order."""
        joins: list[exp.Join] = self.select.args.get("joins") or []
        return joins

    @property
    def table_keys(self) -> set[str]:
        """Table keys of the tables."""
        return {table.key for table in self.tables.values()}

    def aliases_named(self, qualifier: str) -> list[str]:
        """Aliases that equal a qualifier, whatever its case: none or one."""
        return [alias for alias in self.tables if alias.casefold() == qualifier.casefold()]

    def identifier(self, alias: str) -> exp.Identifier:
        """An alias, quoted where the query quotes it."""
        return exp.to_identifier(alias, quoted=self._is_quoted.get(alias, False))

    def condition(self, alias: str, other: str, step: JoinStep) -> exp.Expr:
        """ON clause of a step between two aliases."""
        pairs = [exp.EQ(this=self._column(alias, a), expression=self._column(other, b)) for a, b in step.columns]
        return exp.and_(*pairs)

    def takes_joins(self, position: int) -> bool:
        """Whether a table can be joined at a position, and the query shows and compares the same columns as before."""
        merged = any(join.method or join.args.get("using") for join in self.joins)
        later = any(join.method == "NATURAL" for join in self.joins[position:])
        return not later and all(_is_expandable(item, merged) for item in self.select.expressions)

    def add_joins(self, path: JoinPath, position: int, side: str) -> str:
        """Insert the joins of a path at a position among the joins; returns the alias of the last table.

        After a LEFT JOIN they are LEFT JOINs too, or they would drop the rows that it keeps.
        """
        alias = path.alias
        if path.steps:
            self._qualify()
            self._replace_commas()
        for number, step in enumerate(path.steps):
            new = self._add_table(step)
            join = exp.Join(
                this=self._source(new),
                on=self.condition(alias, new, step),
                side="LEFT" if side == "LEFT" else None,
            )
            at = position + number
            self.select.set("joins", [*self.joins[:at], join, *self.joins[at:]])
            alias = new
        return alias

    def qualify_shared_columns(self) -> bool:
        """Qualify columns that several tables have, if the query requires that they are equal in all of them.

        Returns whether there was one.

            Before: SELECT reader_id FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id
            After:  SELECT T1.reader_id FROM loan AS T1 JOIN reader AS T2 ON T1.reader_id = T2.reader_id
        """
        shared = [
            (node, owners)
            for node, owners in self._unqualified_columns()
            if is_equal_in_all(self.select, node.name, owners)
        ]
        for node, owners in shared:
            node.set("table", self.identifier(owners[0]))
        return bool(shared)

    def _add_table(self, step: JoinStep) -> str:
        table = self.schema.table(step.target)
        assert table is not None
        alias = self._free_alias()
        self.tables[alias] = table
        return alias

    def _source(self, alias: str) -> exp.Table:
        table = self.tables[alias]
        source = exp.Table(this=self._name(table.name), alias=exp.TableAlias(this=self.identifier(alias)))
        if table.namespace:
            source.set("db", self._name(table.namespace))
        return source

    def _column(self, alias: str, name: str) -> exp.Column:
        return exp.Column(this=self._name(name), table=self.identifier(alias))

    def _name(self, name: str) -> exp.Identifier:
        return exp.to_identifier(name, quoted=quote_name(name, self.schema.dialect) != name)

    def _qualify(self) -> None:
        """Qualify columns and stars, because a table that is about to be joined has columns too."""
        sources = [clause.this.alias_or_name for clause in (self.select.args["from_"], *self.joins)]
        items: list[exp.Expr] = []
        for item in self.select.expressions:
            stars = [exp.Column(this=exp.Star(), table=self.identifier(alias)) for alias in sources]
            items += stars if isinstance(item, exp.Star) else [item]
        self.select.set("expressions", items)
        for node, owners in self._unqualified_columns():
            if len(owners) == 1:
                node.set("table", self.identifier(owners[0]))

    def _unqualified_columns(self) -> list[tuple[exp.Column, list[str]]]:
        """Unqualified columns of the SELECT itself, each with the aliases of the tables that have it."""
        outputs = {item.alias.casefold() for item in self.select.selects if item.alias}
        columns = [
            node
            for node in self.select.find_all(exp.Column)
            if node.find_ancestor(exp.Select) is self.select and not node.table
            if isinstance(node.this, exp.Identifier) and node.name.casefold() not in outputs
        ]
        return [(node, [alias for alias, table in self.tables.items() if table.column(node.name)]) for node in columns]

    def _replace_commas(self) -> None:
        """Replace `, t` by `CROSS JOIN t`: the ON clause of a later join can't name tables in front of a comma."""
        for join in self.joins:
            if not any(join.args.get(key) for key in ("on", "using", "kind", "side", "method")):
                join.set("kind", "CROSS")

    def _free_alias(self) -> str:
        taken = {node.name.casefold() for node in self.select.root().find_all(exp.Identifier)}
        return next(name for number in range(1, 1000) if (name := f"T{number}").casefold() not in taken)


def _is_expandable(item: exp.Expr, merged: bool) -> bool:
    """Whether a star in an item of the select list can be written as one star of each table.

    Not `* EXCLUDE (due)` or `COLUMNS(*)`, nor `*` after a join that merges columns, such as one with USING.
    """
    found = item.find_all(exp.Star, exp.Columns)
    stars = [star for star in found if star is item or star.find_ancestor(exp.Select) is item.parent]
    places = (exp.Column, exp.Count) if merged else (exp.Column, exp.Count, exp.Select)
    return all(isinstance(star.parent, places) and not any(star.args.values()) for star in stars)
