"""Joins that serve nothing any more: the only reason for them was a column that another table has."""

from sqlglot import exp

from route_sql.tools.schema.records import Schema


def idle_joins(select: exp.Select, schema: Schema) -> set[str]:
    """The aliases of the joined tables that nothing but the condition of their own join names.

    Beside a star these are none: it shows or counts the rows of every table.
    """
    joins: list[exp.Join] = select.args.get("joins") or []
    starred = select.find(exp.Star) is not None
    return {join.this.alias_or_name for join in joins if not starred and not _serves(join, select, schema)}


def drop_idle_joins(select: exp.Select, schema: Schema, kept: set[str]) -> None:
    """Drop the joins that serve nothing, until there are none but those to `kept`, by alias."""
    while idle := idle_joins(select, schema) - kept:
        joins: list[exp.Join] = select.args.get("joins") or []
        select.set("joins", [join for join in joins if join.this.alias_or_name not in idle])


def _serves(join: exp.Join, select: exp.Select, schema: Schema) -> bool:
    table = join.this
    known = schema.table(f"{table.db}.{table.name}".strip(".")) if isinstance(table, exp.Table) else None
    if known is None or join.method:
        return True
    alias = table.alias_or_name.casefold()
    elsewhere = [node for node in select.find_all(exp.Column) if node.find_ancestor(exp.Join) is not join]
    return any(
        node.table.casefold() == alias or (not node.table and known.column(node.name) is not None) for node in elsewhere
    )
