"""Unknown names in double quotes, which SQLite reads as texts: the query runs and returns the name in every row."""

from sqlglot import exp

from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.parsing import shared_tree

_NEEDS_A_COLUMN = (exp.Select, exp.Group, exp.Ordered, exp.Avg, exp.Sum, exp.Min, exp.Max, exp.Count, exp.Distinct)
"""Places where a text makes no sense; elsewhere, as in a comparison, a text is often meant."""


def name_read_as_text(sql: str, schema: Schema) -> str | None:
    """A sentence about the first such name in a place that needs a column; None if there is none."""
    tree = shared_tree(sql, schema.dialect) if schema.dialect == "sqlite" and '"' in sql else None
    if tree is None:
        return None
    known = {column.name.casefold() for table in schema for column in table.columns} | _names_of_its_own(tree)
    for column in tree.find_all(exp.Column):
        name = column.this
        is_quoted = isinstance(name, exp.Identifier) and name.quoted and not column.table
        if is_quoted and isinstance(column.parent, _NEEDS_A_COLUMN) and name.name.casefold() not in known:
            return f'There is no column "{name.name}", so the database reads it as a text.'
    return None


def _names_of_its_own(tree: exp.Expr) -> set[str]:
    """Names that the query gives to columns and tables, in lower case."""
    given = [each.alias for each in tree.find_all(exp.Alias, exp.TableAlias)]
    listed = [column.name for alias in tree.find_all(exp.TableAlias) for column in alias.columns]
    return {name.casefold() for name in (*given, *listed)}
