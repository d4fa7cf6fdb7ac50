"""Generated columns that show a hidden one, such as a domain that is computed from an e-mail address."""

from collections.abc import Mapping

from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.schema.rights.heirs import Hides
from route_sql.tools.schema.rights.mentions import mentions


def with_generated(hides: Hides) -> Hides:
    """Hide the columns that are computed from hidden ones too, directly or by way of other generated columns.

    A generated column whose expression can't be read may be computed from any column of its table.
    """
    known: dict[str, frozenset[str]] = {}

    def also_hides(table: Table, column: Column) -> bool:
        if column.computed is None:
            return hides(table, column)
        if table.key not in known:
            known[table.key] = _hidden_in(table, hides)
        return column.name in known[table.key]

    return also_hides


def without_generated(
    schema: Schema, shown: Mapping[str, tuple[Column, ...]], hides: Hides
) -> Mapping[str, tuple[Column, ...]]:
    """The visible columns of each table, without those that are computed from hidden ones.

    Where `allow` names a generated column and merely not its sources, it stays, as a view would.

    Args:
        schema: The whole schema.
        shown: The columns of each table that may be seen, by key.
        hides: Whether a column is hidden by a pattern.
    """
    secret = with_generated(lambda t, c: hides(t, c) or bool(c.rows_of and c not in shown[t.key]))
    return {t.key: tuple(c for c in shown[t.key] if c.computed is None or not secret(t, c)) for t in schema}


def _hidden_in(table: Table, hides: Hides) -> frozenset[str]:
    """The names of a table's hidden columns, and of those that are computed from them."""
    hidden = frozenset(column.name for column in table.columns if hides(table, column))
    while True:
        folded = frozenset(name.casefold() for name in hidden)
        more = {column.name for column in table.columns if _shows(column.computed, folded)} - hidden
        if not more:
            return hidden
        hidden |= more


def _shows(expression: str | None, hidden: frozenset[str]) -> bool:
    if expression is None or not hidden:
        return False
    written = expression.replace('""', '"').replace("``", "`")  # a quote within a quoted name is written twice
    return not expression or any(mentions(written, hidden)) or any(mentions(expression, hidden))
