"""Joins that become unused when the other joins of a query are repaired."""

from sqlglot import exp

from route_sql.tools.schema.records import Schema, Table
from route_sql.tools.sql.joins.conditions import conjuncts, is_join_condition


class UnusedJoins:
    """Joins of a SELECT before its repair, to find those that the repair makes unused.

    A join is unused if its ON clause only compares columns and nothing else names its table. Two kinds stay, because
    they filter rows: one that was unused before, and one whose ON clause is unchanged after a column was taken from
    another table instead.

    The title is in `book` itself, so `wrote` is unused and dropped:

        Before: SELECT T2.title FROM book AS T1 JOIN wrote AS T2 ON T1.author_id = T2.author_id
        After:  SELECT T1.title FROM book AS T1
    """

    def __init__(self, select: exp.Select, schema: Schema) -> None:
        """Record the joins of a SELECT that is not repaired yet."""
        self._select = select
        self._schema = schema
        self._unused_before = self._unused()
        self._conditions_before = self._conditions()
        self._used_outside_joins = {join.this.alias_or_name for join in self._joins if self._is_used(join, in_on=False)}

    def drop(self) -> None:
        """Drop the joins that the repair made unused, until none is left."""
        now = self._conditions()
        unchanged = {alias for alias in self._used_outside_joins if self._conditions_before[alias] == now.get(alias)}
        while unused := self._unused() - self._unused_before - unchanged:
            self._select.set("joins", [join for join in self._joins if join.this.alias_or_name not in unused])

    @property
    def _joins(self) -> list[exp.Join]:
        joins: list[exp.Join] = self._select.args.get("joins") or []
        return joins

    def _conditions(self) -> dict[str, str]:
        return {join.this.alias_or_name: join.sql() for join in self._joins}

    def _unused(self) -> set[str]:
        # A star shows or counts the rows of every table.
        has_star = self._select.find(exp.Star) is not None
        joins = [] if has_star else [join for join in self._joins if self._table(join) and _compares_only_columns(join)]
        return {join.this.alias_or_name for join in joins if not self._is_used(join)}

    def _table(self, join: exp.Join) -> Table | None:
        source = join.this
        return self._schema.table(f"{source.db}.{source.name}".strip(".")) if isinstance(source, exp.Table) else None

    def _is_used(self, join: exp.Join, *, in_on: bool = True) -> bool:
        """Whether a column outside the join's own ON clause may be of its table; without `in_on`, outside every one."""
        table, alias = self._table(join), join.this.alias_or_name.casefold()
        for node in self._select.find_all(exp.Column):
            within = node.find_ancestor(exp.Join)
            counts = within is not join if in_on else within is None
            unqualified = table is not None and not node.table and table.column(node.name) is not None
            if counts and (node.table.casefold() == alias or unqualified):
                return True
        return False


def _compares_only_columns(join: exp.Join) -> bool:
    conditions = conjuncts(join.args.get("on"))
    return not join.method and all(isinstance(each, exp.EQ) and is_join_condition(each, join) for each in conditions)
