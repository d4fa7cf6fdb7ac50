"""SQL text without its literals, for traces that must hold no values."""

from collections.abc import Collection
from itertools import pairwise

from sqlglot import Token, TokenType

from route_sql.tools.sql.parsing import is_word, tokens, written

_LITERALS = {TokenType.NUMBER} | {kind for kind in TokenType if kind.name.endswith("STRING")}
"""Kinds of tokens that hold a value: numbers and texts, also in hexadecimal, raw, or between dollar signs."""


def without_literals(sql: str, dialect: str, names: Collection[str] = ()) -> str:
    """The text with a question mark for each literal, without comments; blank if it can't be read.

    Tokens are replaced, not nodes of the tree, since the tree has some texts elsewhere: in a key of JSON, or an alias.

    Args:
        sql: The text.
        dialect: Its dialect.
        names: Names of the schema, in the form that `casefold` gives. Only these stay where a dialect may read a name
            in double quotes as a value.
    """
    found = tokens(sql, dialect)
    if not found:
        return ""
    shown = [_shown(sql, found[0], dialect, names)]
    for before, token in pairwise(found):
        touches = before.end + 1 == token.start
        if touches and before.token_type is TokenType.NUMBER and is_word(token):
            continue  # the rest of a number, as in 1_000
        shown.append(("" if touches else " ") + _shown(sql, token, dialect, names))
    return "".join(shown)


def plain_names(sql: str, dialect: str, names: Collection[str] = ()) -> set[str]:
    """The words of a text that name something and hold no value: plain identifiers that `without_literals` shows.

    A name with other characters, such as `"secret/report 1.csv"`, may be a file or a value that a model has quoted.
    """
    found = tokens(sql, dialect) or []
    return {token.text for token in found if token.text.isidentifier() and not _is_literal(sql, token, dialect, names)}


def _shown(sql: str, token: Token, dialect: str, names: Collection[str]) -> str:
    return "?" if _is_literal(sql, token, dialect, names) else written(sql, token)


def _is_literal(sql: str, token: Token, dialect: str, names: Collection[str]) -> bool:
    first = sql[token.start]
    if first == '"' and token.token_type is TokenType.IDENTIFIER and token.text.casefold() not in names:
        # SQLite reads a name in double quotes as a text if no column has it; DuckDB reads "a.csv" as a file.
        return dialect == "sqlite" or (dialect == "duckdb" and "." in token.text)
    # MySQL permits names such as 1a, but a model may have meant a value.
    return first.isdigit() or token.token_type in _LITERALS
