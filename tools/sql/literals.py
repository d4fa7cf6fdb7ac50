"""SQL text without its literals, for traces that must hold no values."""

from itertools import pairwise

from sqlglot import Token, TokenType

from route_sql.tools.sql.parsing import is_word, tokens, written

_LITERALS = {TokenType.NUMBER} | {kind for kind in TokenType if kind.name.endswith("STRING")}
"""Kinds of tokens that hold a value: numbers and texts, also in hexadecimal, raw, or between dollar signs."""


def without_literals(sql: str, dialect: str) -> str:
    """The text with a question mark for each literal, without comments; blank if it can't be read.

    Tokens are replaced, not nodes of the tree, since the tree has some texts elsewhere: in a key of JSON, or an alias.
    """
    found = tokens(sql, dialect)
    if not found:
        return ""
    shown = [_shown(sql, found[0], dialect)]
    for before, token in pairwise(found):
        touches = before.end + 1 == token.start
        if touches and before.token_type is TokenType.NUMBER and is_word(token):
            continue  # the rest of a number, as in 1_000
        shown.append(("" if touches else " ") + _shown(sql, token, dialect))
    return "".join(shown)


def _shown(sql: str, token: Token, dialect: str) -> str:
    # SQLite reads a name in double quotes as a text if no column has it.
    is_text = dialect == "sqlite" and sql[token.start] == '"'
    return "?" if is_text or token.token_type in _LITERALS else written(sql, token)
