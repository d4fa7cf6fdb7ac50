"""Rewriting of tokens that an engine accepts and sqlglot's parser does not.

Only the tokens for the parser change, never the text for the engine. A name or call is left out only if nothing else
uses it. Our own parser is not possible: sqlglot's compiled parsers can't be subclassed.
"""

from collections import Counter
from collections.abc import Iterator

from sqlglot import Token, TokenType

from route_sql.tools.sql.pivots import LEVELS, as_token, pivots_selected, selected

_AFFINITIES = (
    ("INT", TokenType.BIGINT),
    ("CHAR", TokenType.TEXT),
    ("CLOB", TokenType.TEXT),
    ("TEXT", TokenType.TEXT),
    ("BLOB", TokenType.VARBINARY),
    ("REAL", TokenType.DOUBLE),
    ("FLOA", TokenType.DOUBLE),
    ("DOUB", TokenType.DOUBLE),
)
MOST_WORDS = 8
"""Words in the name of a type."""
_NAMES = (TokenType.VAR, TokenType.IDENTIFIER)
_OPERANDS = {TokenType.NUMBER, TokenType.VAR, TokenType.IDENTIFIER, TokenType.L_PAREN, TokenType.DASH}


def readable(found: list[Token], dialect: str) -> list[Token]:
    """Rewrite the tokens of a text so that sqlglot's parser can read them."""
    if dialect == "sqlite":
        return list(_plain_casts(found))
    if dialect == "postgres":
        found = _without_join_aliases(found)
        return [
            as_token(token, TokenType.DASH, "-") if _is_absolute(found, at) else token for at, token in enumerate(found)
        ]
    if dialect == "mysql":
        found = _without_cycles(_without_escapes(found))
        sorting = _directions_of_groups(found)
        return _rows_selected(
            [token for at, token in enumerate(found) if at not in sorting and not _is_removable(found, at)]
        )
    return pivots_selected(found) if dialect == "duckdb" else found


def _words(found: list[Token], at: int, count: int) -> list[str]:
    return [token.text.upper() for token in found[max(at, 0) : at + count]]


# SQLite


def _plain_casts(found: list[Token]) -> Iterator[Token]:
    """Replace the words of an SQLite type in a cast by one type that sqlglot knows.

    Before: CAST(a AS UNSIGNED BIG INT)
    After:  CAST(a AS BIGINT)
    """
    at, brackets = 0, [False]
    while at < len(found):
        token = found[at]
        if token.token_type == TokenType.L_PAREN:
            brackets.append(at > 0 and found[at - 1].text.upper() == "CAST")
        elif token.token_type == TokenType.R_PAREN and len(brackets) > 1:
            brackets.pop()
        yield token
        at += 1
        if token.token_type == TokenType.ALIAS and brackets[-1]:
            end = _end_of_type(found, at)
            if end > at + 1:
                name = " ".join(part.text for part in found[at:end]).upper()
                kind = next((kind for part, kind in _AFFINITIES if part in name), TokenType.DECIMAL)
                yield as_token(found[at], kind, kind.name, found[end - 1])
                at = end


def _end_of_type(found: list[Token], at: int) -> int:
    """Index after the words of a type; `at` itself if no bracket follows them."""
    end = at
    while (
        end < min(len(found), at + MOST_WORDS)
        and found[end].text.isidentifier()
        and found[end].token_type != TokenType.STRING
    ):
        end += 1
    closes = end < len(found) and found[end].token_type in LEVELS
    return end if closes else at


# PostgreSQL


def _is_absolute(found: list[Token], at: int) -> bool:
    """Whether a token is the operator `@` (absolute value) in front of an operand, as in `@ -5`."""
    is_sign = found[at].token_type == TokenType.PARAMETER and found[at].text == "@"
    return is_sign and at + 1 < len(found) and found[at + 1].token_type in _OPERANDS


def _without_join_aliases(found: list[Token]) -> list[Token]:
    """`JOIN b USING (id) AS j` without the alias, where nothing else is called `j`, whose meaning might change."""
    used = Counter(token.text.casefold() for token in found)
    gone: set[int] = set()
    for at, token in enumerate(found):
        if token.token_type == TokenType.USING and _words(found, at + 1, 1) == ["("]:
            end = next((place for place in range(at, len(found)) if found[place].text == ")"), len(found))
            is_alias = _words(found, end + 1, 1) == ["AS"] and end + 2 < len(found)
            if is_alias and found[end + 2].token_type in _NAMES and used[found[end + 2].text.casefold()] == 1:
                gone |= {end + 1, end + 2}
    return [token for at, token in enumerate(found) if at not in gone]


# MySQL and MariaDB


def _without_escapes(found: list[Token]) -> list[Token]:
    """`{d '2020-01-01'}`, `{t '...'}` and `{ts '...'}` as the strings in them."""
    kept, at = [], 0
    while at < len(found):
        words = _words(found, at, 2)
        is_text = at + 2 < len(found) and found[at + 2].token_type == TokenType.STRING
        if words[0] == "{" and words[1:] in (["D"], ["T"], ["TS"]) and is_text and _words(found, at + 3, 1) == ["}"]:
            kept.append(found[at + 2])
            at += 4
        else:
            kept.append(found[at])
            at += 1
    return kept


def _is_removable(found: list[Token], at: int) -> bool:
    """Whether a token can be left out: `INT` after UNSIGNED, EXISTS before PATH, DEFAULT 'x' ON EMPTY."""
    before, word = _words(found, at - 1, 1) if at else [], found[at].text.upper()
    if word in ("INT", "INTEGER"):
        return before in (["SIGNED"], ["UNSIGNED"])
    if word == "EXISTS":
        return _words(found, at + 1, 1) == ["PATH"]
    return any(_handling(found, at - back) > back for back in range(4) if at >= back)


def _directions_of_groups(found: list[Token]) -> set[int]:
    """Indices of ASC and DESC in GROUP BY clauses, as in `GROUP BY a DESC`."""
    clauses: list[TokenType | None] = [None]
    places = set()
    for at, token in enumerate(found):
        if token.token_type == TokenType.L_PAREN:
            clauses.append(None)
        elif token.token_type == TokenType.R_PAREN and len(clauses) > 1:
            clauses.pop()
        elif token.token_type in (TokenType.GROUP_BY, TokenType.ORDER_BY):
            clauses[-1] = token.token_type
        elif token.token_type in (TokenType.ASC, TokenType.DESC) and clauses[-1] == TokenType.GROUP_BY:
            places.add(at)
    return places


def _without_cycles(found: list[Token]) -> list[Token]:
    """`WITH RECURSIVE t AS (...) CYCLE a, b RESTRICT` without the clause: its names are columns of `t` alone."""
    kept, at = [], 0
    while at < len(found):
        at = _end_of_cycle(found, at)
        kept += found[at : at + 1]
        at += 1
    return kept


def _end_of_cycle(found: list[Token], at: int) -> int:
    """End of the clause that begins at a place; the place itself if none does."""
    is_behind = at > 0 and found[at - 1].token_type == TokenType.R_PAREN
    if not is_behind or _words(found, at, 1) != ["CYCLE"]:
        return at
    end = at + 2
    while _words(found, end, 1) == [","]:
        end += 2
    is_whole = _words(found, end, 1) == ["RESTRICT"] and all(
        token.token_type in _NAMES for token in found[at + 1 : end : 2]
    )
    is_followed = _words(found, end + 1, 1) in (["SELECT"], [","], ["("])
    return end + 1 if is_whole and is_followed else at


def _handling(found: list[Token], start: int) -> int:
    """Number of tokens of a `DEFAULT 'x' ON EMPTY` or `NULL ON ERROR` that starts here; its default is a literal."""
    words = _words(found, start, 5)
    is_literal = start + 1 < len(found) and found[start + 1].token_type in (TokenType.STRING, TokenType.NUMBER)
    count = 2 if words[0] == "DEFAULT" and is_literal else 1 if words[0] in ("NULL", "ERROR") else 0
    on, after = words[count : count + 2], words[count + 2 : count + 3]
    is_whole = on in (["ON", "EMPTY"], ["ON", "ERROR"]) and after[:1] in (
        [","],
        [")"],
        ["NULL"],
        ["ERROR"],
        ["DEFAULT"],
    )
    return count + 2 if count and is_whole else 0


def _rows_selected(found: list[Token]) -> list[Token]:
    """Wrap a VALUES statement in a query.

    Before: VALUES (1), (2)
    After:  SELECT * FROM (VALUES (1), (2))
    """
    if not found or found[0].token_type != TokenType.VALUES:
        return found
    end, depth = 1, 0
    while end < len(found) and (depth or found[end].token_type in (TokenType.L_PAREN, TokenType.COMMA)):
        depth += LEVELS.get(found[end].token_type, 0)
        end += 1
    return selected(found, 0, end)
