"""Parsing and tokenising that never raise: SQL written by a model may be anything."""

from functools import lru_cache

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError

Tree = exp.Query | exp.Values
"""A parsed query."""

UNENDED = "it has a string, a name or a comment that does not end"
NOT_A_QUERY = "it is not a query"


def tokens(sql: str, dialect: str) -> list[Token] | None:
    """The tokens of a text, comments left out; None if a string, a name or a comment in it does not end."""
    try:
        return list(Dialect.get_or_raise(dialect).tokenize(sql))
    except SqlglotError:
        return None


def written(sql: str, token: Token) -> str:
    """A token as the text spells it."""
    return sql[token.start : token.end + 1]


def is_word(token: Token) -> bool:
    """Whether a token is a bare word: no keyword of the dialect, quoted name, literal or punctuation."""
    return token.token_type == TokenType.VAR


def parse_query(sql: str, dialect: str) -> Tree | None:
    """The tree of a text that is exactly one query; None if it does not parse or is something else."""
    tree, _ = _parsed(sql, dialect)
    return tree.copy() if tree is not None else None


def parses(sql: str, dialect: str) -> str | None:
    """Why a text does not parse as exactly one query, with the place, in one short line; None if it does."""
    return _parsed(sql, dialect)[1]


@lru_cache(maxsize=256)
def _parsed(sql: str, dialect: str) -> tuple[Tree | None, str | None]:
    try:
        statements = [tree for tree in sqlglot.parse(sql, read=dialect) if tree is not None]
    except ParseError as error:
        return None, _place(error)
    except SqlglotError:
        return None, UNENDED
    except RecursionError:
        return None, "it is nested too deeply"
    except (TypeError, ValueError, AttributeError, KeyError, IndexError):
        # sqlglot builds nodes from half-read arguments and its constructors then fail in these ways
        return None, "it can't be read as SQL"
    if len(statements) != 1:
        return None, "it holds no statement" if not statements else "it holds more than one statement"
    query = statements[0]
    if isinstance(query, exp.Query | exp.Values) and not _is_fragment(query):
        return query, None
    return None, NOT_A_QUERY


def _is_fragment(query: Tree) -> bool:
    """Sqlglot takes a bare `SELECT`, which no engine runs."""
    return isinstance(query, exp.Select) and not query.expressions


def _place(error: ParseError) -> str:
    first = error.errors[0] if error.errors else {}
    near = str(first.get("highlight") or "").strip()
    if not near:
        return "syntax error"
    return f"syntax error near {near!r} (line {first.get('line')}, column {first.get('col')})"
