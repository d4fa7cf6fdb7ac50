"""What kind of statement a text is, before any engine sees it."""

from sqlglot import Token, TokenType

from route_sql.tools.sql.parsing import tokens, written

NOT_QUERIES = frozenset(
    "ALTER ANALYZE ATTACH BEGIN CALL COMMIT COPY CREATE DELETE DETACH DROP END EXPLAIN GRANT INSERT INSTALL "
    "LOAD MERGE PRAGMA REINDEX RELEASE REPLACE REVOKE ROLLBACK SAVEPOINT SET "
    "TRUNCATE UPDATE USE VACUUM".split()
)
_WITH_OBJECT = {"ALTER", "CREATE", "DROP"}


def refusal(sql: str, dialect: str) -> str | None:
    """Why a text is not one query, in a sentence; None if it may be one.

    Looks at the first word and at what follows a semicolon, no deeper: a first sieve with a good message.
    What holds is the engine's own guard. Text that can't be tokenised passes, so that the engine says what is
    wrong with it.
    """
    found = tokens(sql, dialect)
    if not found:
        return None
    first = written(sql, found[0]).upper()
    if first in NOT_QUERIES:
        return f"only one SELECT statement may run; this one is {_kind(sql, found)}"
    if _statements(found) > 1:
        return f"only one SELECT statement may run; this text holds {_statements(found)} statements"
    return None


def _kind(sql: str, found: list[Token]) -> str:
    first = written(sql, found[0]).upper()
    if first in _WITH_OBJECT and len(found) > 1:
        return f"{first} {written(sql, found[1]).upper()}"
    return first


def _statements(found: list[Token]) -> int:
    """How many non-empty statements the semicolons part."""
    count, empty = 0, True
    for token in found:
        is_end = token.token_type == TokenType.SEMICOLON
        count += empty and not is_end
        empty = is_end
    return count
