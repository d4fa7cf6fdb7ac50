"""DuckDB's PIVOT and UNPIVOT statements, rewritten for sqlglot's parser, which reads them only after FROM."""

from collections.abc import Iterator

from sqlglot import Token, TokenType

LEVELS = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}
_SELECT_ALL = (
    (TokenType.SELECT, "SELECT"),
    (TokenType.STAR, "*"),
    (TokenType.FROM, "FROM"),
    (TokenType.L_PAREN, "("),
)
_PIVOTS = {TokenType.PIVOT, TokenType.UNPIVOT}
_AFTER_PIVOT = {TokenType.ORDER_BY, TokenType.LIMIT, TokenType.OFFSET, TokenType.SEMICOLON}
_SET_OPERATORS = {TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT}
_WITHOUT_ON = {TokenType.CROSS, TokenType.NATURAL}
_OTHER_QUERIES = {TokenType.SELECT, TokenType.FROM, TokenType.VALUES}


def as_token(token: Token, kind: TokenType, text: str, last: Token | None = None) -> Token:
    """A token of another kind that replaces one token, or several up to `last`."""
    return Token(kind, text, token.line, token.col, token.start, (last or token).end)


def selected(found: list[Token], start: int, end: int) -> list[Token]:
    """The tokens with `SELECT * FROM ( ... )` around those from `start` to `end`."""
    opening = [as_token(found[start], kind, text) for kind, text in _SELECT_ALL]
    closing = as_token(found[end - 1], TokenType.R_PAREN, ")")
    return [*found[:start], *opening, *found[start:end], closing, *found[end:]]


def pivots_selected(found: list[Token]) -> list[Token]:
    """`PIVOT t ON c ORDER BY d` as `SELECT * FROM (PIVOT t ON c) ORDER BY d`, in brackets too."""
    if not any(token.token_type in _PIVOTS for token in found):
        return found
    parts: list[Token] = []
    at = 0
    while at < len(found):
        end = _closing(found, at) if _opens_query(found, at) else at
        if end > at:
            parts += [found[at], *pivots_selected(found[at + 1 : end])]
        parts.append(found[end])
        at = end + 1
    return _statement_selected(_join_selected(parts))


def _opens_query(found: list[Token], at: int) -> bool:
    """Whether a bracket holds a pivot that is a query by itself or a part of a set operation."""
    if found[at].token_type != TokenType.L_PAREN:
        return False
    while at < len(found) and found[at].token_type == TokenType.L_PAREN:
        at += 1
    return at < len(found) and found[at].token_type in _PIVOTS


def _closing(found: list[Token], at: int) -> int:
    """Place where a bracket is closed; its own place if it never is."""
    depth = 0
    for end in range(at, len(found)):
        depth += LEVELS.get(found[end].token_type, 0)
        if not depth:
            return end
    return at


def _outside(found: list[Token], start: int = 0) -> Iterator[tuple[int, Token]]:
    """The tokens outside of brackets, with their places."""
    depth = 0
    for at in range(start, len(found)):
        depth += LEVELS.get(found[at].token_type, 0)
        if not depth and found[at].token_type not in LEVELS:
            yield at, found[at]


def _statement_pivot(found: list[Token]) -> int | None:
    """Place of the word that makes the whole a pivot; None where a query comes before it."""
    words = ((at, token.token_type) for at, token in _outside(found))
    first = next((word for word in words if word[1] in _PIVOTS | _OTHER_QUERIES | _SET_OPERATORS), None)
    return first[0] if first is not None and first[1] in _PIVOTS else None


def _statement_selected(found: list[Token]) -> list[Token]:
    start = _statement_pivot(found)
    if start is None:
        return found
    ends = (at for at, token in _outside(found, start) if token.token_type in _AFTER_PIVOT)
    return selected(found, start, next(ends, len(found)))


def _join_selected(found: list[Token]) -> list[Token]:
    """`PIVOT a JOIN b ON x ON c` as `PIVOT (SELECT * FROM a JOIN b ON x) ON c`."""
    pivot = _statement_pivot(found)
    if pivot is None:
        return found
    joins = conditions = 0
    for at, token in _outside(found, pivot + 1):
        kind = token.token_type
        if kind == TokenType.JOIN:
            joins += 1
            conditions += found[at - 1].token_type not in _WITHOUT_ON
        elif kind in (TokenType.ON, TokenType.USING) and conditions:
            conditions -= 1
        elif kind in (TokenType.ON, TokenType.USING, TokenType.GROUP_BY, *_AFTER_PIVOT):
            return _bracketed(found, pivot + 1, at) if joins else found
    return found


def _bracketed(found: list[Token], start: int, end: int) -> list[Token]:
    """The tokens with `(SELECT * FROM ...)` around those from `start` to `end`."""
    opening = [as_token(found[start], kind, text) for kind, text in (_SELECT_ALL[3], *_SELECT_ALL[:3])]
    return [*found[:start], *opening, *found[start:end], as_token(found[end - 1], TokenType.R_PAREN, ")"), *found[end:]]
