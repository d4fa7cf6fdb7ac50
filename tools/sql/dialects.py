"""Rewriting of tokens that an engine accepts and sqlglot's parser does not.

Only the tokens for the parser change, never the text for the engine. A name or call is left out only if nothing else
uses it. Our own parser is not possible: sqlglot's compiled parsers can't be subclassed.
"""

from collections.abc import Iterator

from sqlglot import Token, TokenType

from route_sql.tools.sql.join_aliases import without_join_aliases
from route_sql.tools.sql.pivots import LEVELS, as_token, pivots_selected, selected
from route_sql.tools.sql.postgres_forms import plainer
from route_sql.tools.sql.table_queries import tables_selected

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


def rewritten_tokens(found: list[Token], dialect: str) -> tuple[list[Token], bool]:
    """Rewrite the tokens of a text so that sqlglot's parser can read them; and whether they still mean the same."""
    alike = _respelt(found, dialect)
    read = _simplified(alike, dialect)
    return read, read == alike


def _respelt(found: list[Token], dialect: str) -> list[Token]:
    """Rewrite what sqlglot knows in another spelling."""
    if dialect == "sqlite":
        return list(_plain_casts(found))
    found = tables_selected(found, dialect)
    if dialect == "mysql":
        return _rows_selected([token for at, token in enumerate(found) if not _is_repeated(found, at)])
    return pivots_selected(found) if dialect == "duckdb" else found


def _simplified(found: list[Token], dialect: str) -> list[Token]:
    """Replace or leave out what sqlglot does not know. The names are kept, but not all that is computed from them."""
    if dialect == "postgres":
        return plainer(without_join_aliases(found))
    if dialect != "mysql":
        return found
    found = _without_limits(_without_cycles(_without_escapes(found)))
    sorting = _directions_of_groups(found)
    return [token for at, token in enumerate(found) if at not in sorting and not _is_removable(found, at)]


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


# MySQL and MariaDB


def _without_escapes(found: list[Token]) -> list[Token]:
    """`{d '2020-01-01'}`, `{t '...'}` and `{ts '...'}` as the strings in them, `{OJ a JOIN b ON ...}` as the join."""
    kept, at, joins = [], 0, 0
    while at < len(found):
        words = _words(found, at, 2)
        if words == ["{", "OJ"] or (joins and words[:1] == ["}"]):
            joins += 1 if words[0] == "{" else -1
            at += 2 if words[0] == "{" else 1
            continue
        is_text = at + 2 < len(found) and found[at + 2].token_type == TokenType.STRING
        if words[0] == "{" and words[1:] in (["D"], ["T"], ["TS"]) and is_text and _words(found, at + 3, 1) == ["}"]:
            kept.append(found[at + 2])
            at += 4
        else:
            kept.append(found[at])
            at += 1
    return kept


def _without_limits(found: list[Token]) -> list[Token]:
    """MariaDB's `GROUP_CONCAT(a ORDER BY b LIMIT 1)` without the limit, which holds numbers only."""
    kept: list[Token] = []
    opened: list[bool] = []
    at = 0
    while at < len(found):
        token = found[at]
        if token.token_type == TokenType.L_PAREN:
            opened.append(at > 0 and found[at - 1].text.upper() in ("GROUP_CONCAT", "JSON_ARRAYAGG"))
        elif token.token_type == TokenType.R_PAREN and opened:
            opened.pop()
        is_limit = token.token_type == TokenType.LIMIT and bool(opened) and opened[-1]
        end = next((place for place in (at + 2, at + 4) if _words(found, place, 1) == [")"]), at) if is_limit else at
        numbers = found[at + 1 : end : 2]
        if end > at and all(number.token_type == TokenType.NUMBER for number in numbers):
            at = end
        else:
            kept.append(token)
            at += 1
    return kept


def _is_repeated(found: list[Token], at: int) -> bool:
    """Whether a token only repeats the one before it: `INT` after UNSIGNED."""
    return found[at].text.upper() in ("INT", "INTEGER") and _words(found, at - 1, 1) in (["SIGNED"], ["UNSIGNED"])


def _is_removable(found: list[Token], at: int) -> bool:
    """Whether a token can be left out for the parser: EXISTS before PATH, DEFAULT 'x' ON EMPTY."""
    if found[at].text.upper() == "EXISTS":
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
    """Wrap VALUES in a query, as a statement and as a common table.

    Before: VALUES (1), (2)
    After:  SELECT * FROM (VALUES (1), (2))
    """
    places = [at for at, token in enumerate(found) if token.token_type == TokenType.VALUES and _is_query(found, at)]
    for at in reversed(places):
        end, depth = at + 1, 0
        while end < len(found) and (depth or found[end].token_type in (TokenType.L_PAREN, TokenType.COMMA)):
            depth += LEVELS.get(found[end].token_type, 0)
            end += 1
        found = selected(found, at, end)
    return found


def _is_query(found: list[Token], at: int) -> bool:
    return at == 0 or (found[at - 1].token_type == TokenType.L_PAREN and _words(found, at - 2, 1) == ["AS"])
