"""Translation of a query into the dialect of its database."""

from sqlglot.errors import SqlglotError

from route_sql.tools.sql.parsing import parses, shared_tree

LEARNED_DIALECT = "sqlite"
"""Small models often write this dialect, whatever the prompt asks for: most of their training data is in it."""


def in_own_dialect(sql: str, dialect: str) -> str | None:
    """Translate a query that parses as SQLite, but not as `dialect`, into `dialect`; None for any other text.

        Before: SELECT name FROM t WHERE `order` = 1        (PostgreSQL does not know backticks)
        After:  SELECT name FROM t WHERE "order" = 1

    A hint, not a proof: sqlglot may translate wrongly, so the result must pass the guard and the engine.
    """
    if dialect == LEARNED_DIALECT or parses(sql, dialect) is None:
        return None
    tree = shared_tree(sql, LEARNED_DIALECT)
    try:
        return tree.sql(dialect=dialect) if tree is not None else None
    except (SqlglotError, RecursionError):
        return None
