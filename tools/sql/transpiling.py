"""Queries in another dialect than the database speaks, put into its own."""

from sqlglot.errors import SqlglotError

from route_sql.tools.sql.parsing import parses, shared_tree

HABIT = "sqlite"
"""The dialect that small models write whatever they are told: most of what they have learned from is in it."""


def in_own_dialect(sql: str, dialect: str) -> str | None:
    """A query that can't be read in `dialect`, but as SQLite's, in the words of `dialect`; None for any other text.

    A hint, not a proof: that it says the same is sqlglot's word, so that it must pass the guard and the engine.
    """
    if dialect == HABIT or parses(sql, dialect) is None:
        return None
    tree = shared_tree(sql, HABIT)
    try:
        return tree.sql(dialect=dialect) if tree is not None else None
    except (SqlglotError, RecursionError):
        return None
