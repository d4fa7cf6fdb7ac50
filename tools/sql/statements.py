"""Kind and number of statements in a text, judged by its tokens alone."""

from sqlglot import Token, TokenType

from route_sql.tools.sql.parsing import tokens, written

NOT_QUERIES = frozenset(
    "ALTER ANALYZE ATTACH BEGIN CALL COMMIT COPY CREATE DELETE DETACH DROP END EXPLAIN GRANT INSERT INSTALL "
    "LOAD MERGE PRAGMA REINDEX RELEASE REPLACE REVOKE ROLLBACK SAVEPOINT SET "
    "TRUNCATE UPDATE USE VACUUM".split()
)
"""First words of statements other than queries that are likely in a model's reply."""
_RARE = frozenset(
    "CHECKPOINT CLUSTER COMMENT DEALLOCATE DECLARE DESC DESCRIBE DISCARD DO EXEC EXECUTE EXPORT FLUSH HANDLER "
    "IMPORT KILL LISTEN LOCK NOTIFY OPTIMIZE PREPARE REFRESH RENAME REPAIR RESET SHOW START SUMMARIZE UNLOCK XA".split()
)
_WITH_OBJECT = {"ALTER", "CREATE", "DROP"}


def kind_of_statement(sql: str, found: list[Token]) -> str | None:
    """First words of a known statement that is not a query, such as `DROP TABLE`; None for any other text."""
    first = written(sql, found[0]).upper() if found else ""
    words = first.split()
    if not words or words[0] not in NOT_QUERIES | _RARE:
        return None
    if first in _WITH_OBJECT and len(found) > 1:
        return f"{first} {written(sql, found[1]).upper()}"
    return first


def statement_count(found: list[Token]) -> int:
    """Number of non-empty statements between the semicolons."""
    count, empty = 0, True
    for token in found:
        is_end = token.token_type == TokenType.SEMICOLON
        count += empty and not is_end
        empty = is_end
    return count


def without_empty_statements(sql: str, dialect: str) -> str:
    """The text up to its first semicolon, if only semicolons and comments follow that: drivers refuse `SELECT 1;;`."""
    found = tokens(sql, dialect) or []
    kinds = [token.token_type for token in found]
    first = kinds.index(TokenType.SEMICOLON) if TokenType.SEMICOLON in kinds else len(kinds)
    is_cut = len(kinds) > first + 1 and set(kinds[first:]) == {TokenType.SEMICOLON}
    return sql[: found[first].start] if is_cut else sql
