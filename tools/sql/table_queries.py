"""`TABLE name`, the short form of `SELECT * FROM name`, which sqlglot's parser takes at the very beginning only."""

from sqlglot import Token, TokenType

_HAVE_IT = frozenset({"postgres", "mysql", "duckdb"})
_BEFORE = frozenset({TokenType.L_PAREN, TokenType.R_PAREN, TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT})
_AFTER_OPERATOR = frozenset({TokenType.ALL, TokenType.DISTINCT})
_WORDS = ((TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), (TokenType.FROM, "FROM"))


def table_queries(found: list[Token], dialect: str) -> list[int]:
    """Indices of the words TABLE that begin a query: at the beginning, in brackets, after WITH or a set operator."""
    if dialect not in _HAVE_IT:
        return []
    return [at for at, token in enumerate(found) if token.token_type == TokenType.TABLE and _begins(found, at)]


def _begins(found: list[Token], at: int) -> bool:
    before = found[at - 1].token_type if at else TokenType.L_PAREN
    if before in _AFTER_OPERATOR and at > 1:
        return found[at - 2].token_type in _BEFORE - {TokenType.L_PAREN, TokenType.R_PAREN}
    return before in _BEFORE


def tables_selected(found: list[Token], dialect: str) -> list[Token]:
    """Write out each `TABLE name`.

    Before: WITH a AS (TABLE orders) TABLE a
    After:  WITH a AS (SELECT * FROM orders) SELECT * FROM a
    """
    places = set(table_queries(found, dialect))
    if not places:
        return found
    kept: list[Token] = []
    for at, token in enumerate(found):
        if at in places:
            kept += [Token(kind, text, token.line, token.col, token.start, token.end) for kind, text in _WORDS]
        else:
            kept.append(token)
    return kept
