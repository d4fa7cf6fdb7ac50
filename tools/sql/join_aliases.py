"""PostgreSQL's `JOIN b USING (id) AS j`, which sqlglot can't parse.

Its alias has the columns of USING alone, so that `j.id` is the column `id` of the join. Only where every `j` is such a
column, or `j.*`, is the alias left out of what the parser reads.
"""

from itertools import pairwise
from typing import NamedTuple

from sqlglot import Token, TokenType, exp

from route_sql.tools.sql.pivots import as_token

_NAMES = (TokenType.VAR, TokenType.IDENTIFIER)
_BEFORE_VALUE = frozenset(
    {
        TokenType.SELECT,
        TokenType.DISTINCT,
        TokenType.COMMA,
        TokenType.L_PAREN,
        TokenType.ON,
        TokenType.WHERE,
        TokenType.HAVING,
        TokenType.AND,
        TokenType.OR,
        TokenType.NOT,
        TokenType.GROUP_BY,
        TokenType.ORDER_BY,
        TokenType.PARTITION_BY,
        TokenType.CASE,
        TokenType.WHEN,
        TokenType.THEN,
        TokenType.ELSE,
        TokenType.BETWEEN,
        TokenType.EQ,
        TokenType.NEQ,
        TokenType.LT,
        TokenType.LTE,
        TokenType.GT,
        TokenType.GTE,
        TokenType.PLUS,
        TokenType.DASH,
        TokenType.SLASH,
        TokenType.DPIPE,
    }
)
"""Tokens in front of a column, but never in front of a type or a function of a schema with the alias's name."""


class _Alias(NamedTuple):
    at: int
    """The index of AS."""
    name: str
    columns: dict[str, Token]


def without_join_aliases(found: list[Token]) -> list[Token]:
    """Leave out the aliases of USING clauses.

    Before: SELECT j.id, j.* FROM a JOIN b USING (id) AS j
    After:  SELECT id, id FROM a JOIN b USING (id)
    """
    gone: set[int] = set()
    stars: dict[int, list[Token]] = {}
    for alias in _aliases(found):
        uses = [at for at, token in enumerate(found) if _key(token) == alias.name and at != alias.at + 1]
        if not all(_is_column(found, at, alias.columns) for at in uses):
            continue
        gone |= {alias.at, alias.at + 1, *uses, *(at + 1 for at in uses)}
        stars |= {at + 2: list(alias.columns.values()) for at in uses if found[at + 2].token_type == TokenType.STAR}
    kept: list[Token] = []
    for at, token in enumerate(found):
        kept += _listed(stars[at], token) if at in stars else [] if at in gone else [token]
    return kept


def loses_namespace(tree: exp.Expr, found: list[Token]) -> bool:
    """Whether a table lost the schema before its dot, so that the engine means another one."""
    behind = {after.start for before, after in pairwise(found) if before.token_type == TokenType.DOT}
    return any(table.parts and table.parts[0].meta.get("start") in behind for table in tree.find_all(exp.Table))


def _aliases(found: list[Token]) -> list[_Alias]:
    every = []
    for at, token in enumerate(found):
        if token.token_type == TokenType.USING and found[at + 1 : at + 2] and found[at + 1].text == "(":
            end = next((place for place in range(at, len(found)) if found[place].text == ")"), len(found))
            is_alias = end + 2 < len(found) and found[end + 1].token_type == TokenType.ALIAS
            if is_alias and found[end + 2].token_type in _NAMES:
                columns = {_key(name): name for name in found[at + 2 : end : 2]}
                every.append(_Alias(end + 1, _key(found[end + 2]), columns))
    return every


def _is_column(found: list[Token], at: int, columns: dict[str, Token]) -> bool:
    """Whether the name at a place has one of the columns, or a star, after its dot."""
    if at + 2 >= len(found) or found[at + 1].token_type != TokenType.DOT or not at:
        return False
    column, after = found[at + 2], found[at + 3].token_type if at + 3 < len(found) else None
    is_known = column.token_type == TokenType.STAR or (_key(column) in columns and column.token_type in _NAMES)
    is_value = found[at - 1].token_type in _BEFORE_VALUE
    return is_known and is_value and after not in (TokenType.L_PAREN, TokenType.STRING, TokenType.DOT)


def _listed(columns: list[Token], star: Token) -> list[Token]:
    kept: list[Token] = []
    for column in columns:
        kept += [as_token(star, TokenType.COMMA, ",")] if kept else []
        kept.append(as_token(star, column.token_type, column.text))
    return kept


def _key(token: Token) -> str:
    """A name as PostgreSQL compares it: quoted names keep their case, others are lower case."""
    return token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()
