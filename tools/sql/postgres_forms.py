"""Forms of PostgreSQL that sqlglot's parser does not read, rewritten as forms that it reads."""

from sqlglot import Token, TokenType

from route_sql.tools.sql.pivots import as_token

_GEOMETRY = frozenset({"BOX", "CIRCLE", "LINE", "LSEG", "POLYGON"})
_NORMAL_FORMS = frozenset({"NFC", "NFD", "NFKC", "NFKD"})
_ORDER = {"<": (TokenType.ASC, "ASC"), ">": (TokenType.DESC, "DESC")}
_OPERANDS = {TokenType.NUMBER, TokenType.VAR, TokenType.IDENTIFIER, TokenType.L_PAREN, TokenType.DASH}
_BEHIND_OPERAND = {TokenType.R_PAREN, TokenType.VAR, TokenType.IDENTIFIER, TokenType.STRING}


def plainer(found: list[Token]) -> list[Token]:
    """Rewrite each such form. The tokens are for the parser alone: they need not mean the same, so none are printed.

    Before: @ x, '101'::bit varying(5), box '(0,0)', x AT LOCAL, x IS NFC NORMALIZED, ORDER BY x USING >
    After:  - x, '101'::varbit(5),      '(0,0)',     x,          x IS NULL,           ORDER BY x DESC
    """
    words = [token.text.upper() if token.token_type != TokenType.IDENTIFIER else "" for token in found]
    kept: list[Token] = []
    at = 0
    while at < len(found):
        read, count = _form(found, words, at)
        kept += read if count else [found[at]]
        at += count or 1
    return kept


def _form(found: list[Token], words: list[str], at: int) -> tuple[list[Token], int]:
    """The tokens in place of a form that begins here, and the number of those that it has; ([], 0) without a form."""
    token, after = found[at], found[at + 1] if at + 1 < len(found) else None
    before = found[at - 1].token_type if at else None
    if after is None:
        return [], 0
    if token.token_type == TokenType.PARAMETER and words[at] == "@" and after.token_type in _OPERANDS:
        return [as_token(token, TokenType.DASH, "-")], 1
    if words[at] == "BIT" and words[at + 1] == "VARYING":
        return [as_token(token, TokenType.VARCHAR, "varchar", after)], 2
    if words[at] in _GEOMETRY and after.token_type == TokenType.STRING and before != TokenType.DOT:
        return [after], 2
    if words[at] == "AT" and words[at + 1] == "LOCAL" and before in _BEHIND_OPERAND:
        return [], 2
    if token.token_type == TokenType.USING and after.text in _ORDER:
        return [as_token(token, *_ORDER[after.text], after)], 2
    return _judged(found, words, at)


def _judged(found: list[Token], words: list[str], at: int) -> tuple[list[Token], int]:
    """`IS NORMALIZED`, `IS NFC NORMALIZED` and `IS DOCUMENT`, with NOT or without, as `IS NULL`."""
    is_behind = at > 0 and (words[at - 1] == "IS" or words[at - 2 : at] == ["IS", "NOT"])
    if not is_behind:
        return [], 0
    count = 2 if words[at] in _NORMAL_FORMS and words[at + 1] == "NORMALIZED" else 1
    if words[at + count - 1] not in ("NORMALIZED", "DOCUMENT"):
        return [], 0
    return [as_token(found[at], TokenType.NULL, "NULL", found[at + count - 1])], count
