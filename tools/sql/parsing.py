"""Parser and tokeniser that never raise: SQL written by a model may be anything."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError

from route_sql.tools.sql.dialects import rewritten_tokens
from route_sql.tools.sql.join_aliases import loses_namespace

Tree = exp.Query | exp.Values
"""A parsed query."""

UNENDED = "it has a string, a name or a comment that does not end"
_OPENING = ("'", '"', "`", "[", "$", "/*", "{#")
"""Openings of strings, names and comments, which may be unterminated."""
_PATIENT_TRIES = 50
_PATIENT_CHARACTERS = 200_000
"""Tries, and characters of all tries, to tokenise a text before it is halved."""
MOST_NODES = 20_000
"""Bounds a parse to a tenth of a second: sqlglot's time doubles with every JOIN that no ON follows."""
_SET_OPERATORS = (TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT)
TOO_DEEP = "it is too large or nested too deeply"
NOT_A_QUERY = "it is not a query"


def tokens(sql: str, dialect: str) -> list[Token] | None:
    """Tokens of a text, without comments; None if a string, a name or a comment is unterminated."""
    found = _tokenized(sql, dialect)
    return list(found) if found is not None else None


@lru_cache(maxsize=8)
def _tokenized(sql: str, dialect: str) -> tuple[Token, ...] | None:
    """The guard and the parser ask for the tokens of one text in turn."""
    try:
        return tuple(Dialect.get_or_raise(dialect).tokenize(sql))
    except SqlglotError:
        return None


def readable_tokens(sql: str, dialect: str) -> tuple[list[Token], int]:
    """Tokens of the longest beginning of a text that can be tokenised, and the end of that beginning.

    An apostrophe in prose after the SQL, or a reply that was cut off, leaves an unterminated string.
    """
    found, end, _ = patient_tokens(sql, dialect)
    return found, end


def patient_tokens(sql: str, dialect: str) -> tuple[list[Token], int, int]:
    """`readable_tokens`, and how many characters were tokenised for them."""
    end, found = len(sql), tokens(sql, dialect)
    tries, work = 0, len(sql)
    while found is None:
        tries += 1
        last = max(sql.rfind(mark, 0, end) for mark in _OPENING)
        is_patient = tries < _PATIENT_TRIES and work < _PATIENT_CHARACTERS
        end = max(last if is_patient else min(last, end // 2), 0)
        work += end
        found = tokens(sql[:end], dialect)
    return found, end, work


def written(sql: str, token: Token) -> str:
    """Spelling of a token in its text."""
    return sql[token.start : token.end + 1]


def is_word(token: Token) -> bool:
    """Whether a token is a bare word: no keyword of the dialect, quoted name, literal or punctuation."""
    return token.token_type == TokenType.VAR


def parse_query(sql: str, dialect: str) -> Tree | None:
    """Parse exactly one query; None if the text does not parse or is something else."""
    tree = _parsed(sql, dialect).tree
    return tree.copy() if tree is not None else None


def shared_tree(sql: str, dialect: str) -> Tree | None:
    """Parse like `parse_query`, but share the tree with other callers: it must not be changed."""
    return _parsed(sql, dialect).tree


def parses(sql: str, dialect: str) -> str | None:
    """Reason why a text does not parse as exactly one query, with the place, in one line; None if it parses."""
    return _parsed(sql, dialect).complaint


def broken_at(sql: str, dialect: str) -> int | None:
    """Position of the syntax error, at the end of a token; None if the text parses or the position is unknown."""
    return _parsed(sql, dialect).place


def is_printable(sql: str, dialect: str) -> bool:
    """Whether a query that is printed from its tree means the same as the text.

    sqlglot reads some forms as others, and prints some as others: SQLite's `CAST(x AS DECIMAL)` as a cast to REAL.
    """
    parsed = _parsed(sql, dialect)
    if parsed.tree is None or not parsed.is_exact:
        return False
    again = shared_tree(parsed.tree.sql(dialect=dialect), dialect)
    return again is not None and _forms(again) == _forms(parsed.tree)


def _forms(tree: exp.Expr) -> list[object]:
    """The kinds of nodes and of types; not the literals, since the default separator of GROUP_CONCAT is printed."""
    kinds = (node for node in tree.walk() if not isinstance(node, exp.Literal))
    return [_kind_of_type(node) if isinstance(node, exp.DataType) else type(node) for node in kinds]


def _kind_of_type(node: exp.DataType) -> object:
    """A type; SQLite's integers are all one, and so are its texts."""
    groups = (exp.DataType.INTEGER_TYPES, exp.DataType.TEXT_TYPES)
    return next((group for group in groups if node.this in group), node.this)


class _Parsed(NamedTuple):
    tree: Tree | None
    complaint: str | None = None
    place: int | None = None
    is_exact: bool = False
    """Whether the tokens that were parsed mean the same as those of the text."""


@lru_cache(maxsize=256)
def _parsed(sql: str, dialect: str) -> _Parsed:
    found = tokens(sql, dialect)
    if found is None:
        return _Parsed(None, UNENDED)
    if _is_hopeless(found):
        return _Parsed(None, "a set operator follows a bracket")
    try:
        parser = Dialect.get_or_raise(dialect).parser(max_nodes=MOST_NODES)
        read, is_exact = rewritten_tokens(found, dialect)
        statements = [tree for tree in parser.parse(read, sql) if tree is not None]
    except ParseError as error:
        return _mistake(error, sql)
    except SqlglotError:
        return _Parsed(None, UNENDED)
    except RecursionError:
        return _Parsed(None, TOO_DEEP)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError):
        # sqlglot's constructors raise these on arguments that it parsed only in part
        return _Parsed(None, "it can't be read as SQL")
    parsed = _one_query(statements)._replace(is_exact=is_exact)
    is_other = dialect == "postgres" and parsed.tree is not None and loses_namespace(parsed.tree, found)
    return _Parsed(None, "an alias of USING is called like a schema") if is_other else parsed


def _one_query(statements: Sequence[exp.Expr]) -> _Parsed:
    if len(statements) != 1:
        return _Parsed(None, "it holds no statement" if not statements else "it holds more than one statement")
    query = statements[0]
    if isinstance(query, exp.Query | exp.Values) and not _is_fragment(query):
        return _Parsed(query)
    return _Parsed(None, NOT_A_QUERY)


def _is_hopeless(found: list[Token]) -> bool:
    """Whether a set operator follows an opening bracket: never SQL, and each one doubles sqlglot's time."""
    return any(
        before.token_type == TokenType.L_PAREN and token.token_type in _SET_OPERATORS
        for before, token in pairwise(found)
    )


def _is_fragment(query: Tree) -> bool:
    """Whether a query is a bare `SELECT`, which sqlglot accepts and no engine runs."""
    return isinstance(query, exp.Select) and not query.expressions


def _mistake(error: ParseError, sql: str) -> _Parsed:
    first = error.errors[0] if error.errors else {}
    if "AST nodes" in str(first.get("description")):
        return _Parsed(None, TOO_DEEP)
    near, line, column = str(first.get("highlight") or "").strip(), first.get("line"), first.get("col")
    if not near or line is None or column is None:
        return _Parsed(None, "syntax error")
    before = sum(len(text) for text in sql.splitlines(keepends=True)[: line - 1])
    return _Parsed(None, f"syntax error near {near!r} (line {line}, column {column})", before + column)
