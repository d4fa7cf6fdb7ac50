"""Joins that serve nothing once a query's joins are mended."""

from sqlglot import exp

from route_sql.tools.schema.records import Schema, Table
from route_sql.tools.sql.joins.conditions import conjuncts, joins_columns


class JoinsBefore:
    """The joins of a SELECT as it was written, to know later which of them have become idle.

    Idle is a join whose table nothing but its own condition names, if that compares columns only. One that was written
    so stays: it filters. So does one whose condition stands as it was written, if a column was only taken from its
    table by mistake.
    """

    def __init__(self, select: exp.Select, schema: Schema) -> None:
        """Look at a SELECT before it is mended."""
        self._select = select
        self._schema = schema
        self._idle = self._idle_now()
        self._conditions = self._conditions_now()
        self._taken_from = {join.this.alias_or_name for join in self._joins if self._names(join, besides_joins=True)}

    def drop_idle(self) -> None:
        """Drop the joins that have become idle, until there are none."""
        now = self._conditions_now()
        standing = {alias for alias in self._taken_from if self._conditions[alias] == now.get(alias)}
        while idle := self._idle_now() - self._idle - standing:
            self._select.set("joins", [join for join in self._joins if join.this.alias_or_name not in idle])

    @property
    def _joins(self) -> list[exp.Join]:
        joins: list[exp.Join] = self._select.args.get("joins") or []
        return joins

    def _conditions_now(self) -> dict[str, str]:
        return {join.this.alias_or_name: join.sql() for join in self._joins}

    def _idle_now(self) -> set[str]:
        # A star shows or counts the rows of every table.
        starred = self._select.find(exp.Star) is not None
        joins = [] if starred else [join for join in self._joins if self._table(join) and _compares_columns_only(join)]
        return {join.this.alias_or_name for join in joins if not self._names(join)}

    def _table(self, join: exp.Join) -> Table | None:
        source = join.this
        return self._schema.table(f"{source.db}.{source.name}".strip(".")) if isinstance(source, exp.Table) else None

    def _names(self, join: exp.Join, *, besides_joins: bool = False) -> bool:
        """Whether anything but a join's own condition, or besides all joins' conditions, names its table."""
        table, alias = self._table(join), join.this.alias_or_name.casefold()
        for node in self._select.find_all(exp.Column):
            within = node.find_ancestor(exp.Join)
            elsewhere = within is None if besides_joins else within is not join
            held = table is not None and not node.table and table.column(node.name) is not None
            if elsewhere and (node.table.casefold() == alias or held):
                return True
        return False


def _compares_columns_only(join: exp.Join) -> bool:
    conditions = conjuncts(join.args.get("on"))
    return not join.method and all(isinstance(each, exp.EQ) and joins_columns(each, join) for each in conditions)
