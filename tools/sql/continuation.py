"""Continuation writing (ROUTE, section 3.1): the valid prefix of a query, joined with its continuation."""

from collections.abc import Iterator
from itertools import islice

from sqlglot import Token, TokenType

from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.parsing import TOO_DEEP, broken_at, parse_query, readable_tokens, tokens, written
from route_sql.tools.sql.replies.first_statement import first_statement, reads_as_prose
from route_sql.tools.sql.replies.reading import Reading
from route_sql.tools.sql.replies.reply import extract_sql, fenced_code, strip_markers
from route_sql.tools.sql.scopes import Resolver

NOTHING = "SELECT"
LONGEST_SQL = 3_000
"""Characters of a candidate that are read; in a longer one the model repeats itself."""
_NAME = "route_sql_filler"
_FILLERS = (
    "",
    f" {_NAME}",
    f" THEN {_NAME}",
    f" {_NAME} THEN {_NAME}",
    f" BY {_NAME}",
    f" JOIN {_NAME}",
    f" OUTER JOIN {_NAME}",
    f" (SELECT {_NAME})",
    f" SELECT {_NAME}",
    f" AND {_NAME}",
    f" {_NAME} AND {_NAME}",
    " NULL",
    " LIKE ''",
    f" AS (SELECT {_NAME})",
    f" {_NAME} AS (SELECT {_NAME})",
    " INTEGER",
    " AS INTEGER",
    " BETWEEN 1 AND 1",
    " ROW",
    " 1 PRECEDING",
    " PRECEDING",
)
"""Texts that may follow a prefix of a query; open brackets, CASE and WITH are closed after them."""

_NEAR = 8
"""Number of tokens, from a mistake of the parser on, that are tried one by one."""
_MOST_WORK = 1_000_000
"""Characters that are parsed to find where one candidate can be continued."""
_MOST_RESTS = 10
"""Number of ways in which a reply may repeat the end of the prefix."""
_UNFINISHED = (TokenType.ALIAS, TokenType.COMMA)
"""Last tokens of unfinished queries that sqlglot accepts anyway."""


def continuable_prefix(sql: str, schema: Schema) -> str:
    """Longest prefix of a query that a model can continue.

    The prefix ends with a whole token, some text completes it to a query, and it names only tables and columns that
    exist. The FROM clause of the whole text declares the aliases. In an unfinished text, a FROM clause may still
    follow, so a name before it only needs to exist in some table.

        Before: SELECT name FROM pet WHERE colour = 'red'        (no table has a column `colour`)
        After:  SELECT name FROM pet WHERE

    Returns:
        The prefix, or `SELECT` if no other is valid.
    """
    found = _first_tokens(sql, schema.dialect)
    whole = sql[: found[-1].end + 1] if found else ""
    reading = Reading(schema.dialect, _MOST_WORK)
    tree = parse_query(whole, schema.dialect)
    if tree is not None and found[-1].token_type not in _UNFINISHED:
        return _before_unknown_name(whole, whole, None if tree.args.get("from_") else len(whole), found, schema)
    count, completed = _longest(sql, found, reading)
    if not count:
        return NOTHING
    prefix = sql[: found[count - 1].end + 1]
    return _before_unknown_name(prefix, completed, len(prefix), found[:count], schema)


def join_continuation(prefix: str, reply: str, dialect: str) -> str | None:
    """Join a prefix with the model's reply to it.

    The reply may be the whole query, repeat the end of the prefix, or continue it directly; it may be in a fence.

    Returns:
        The query, or None if the reply adds no SQL.
    """
    bare = strip_markers(reply)
    text = next(iter(fenced_code(bare)), bare).strip()
    text = text.removeprefix("...").strip()
    if not text.strip("; \n"):
        return None
    whole = extract_sql(reply, dialect)
    if whole and (_begins_with(whole, prefix, dialect) or _is_new_query(text, prefix, dialect)):
        return whole
    reading = Reading(dialect)
    glued = [f"{prefix} {rest}" for rest in islice(_rests(prefix, text, dialect), _MOST_RESTS)]
    joined = [sql for text in glued if (sql := first_statement(text, reading))]
    if sound := next((sql for sql in joined if reading.complaint(sql) is None), None):
        return sound
    return None if reads_as_prose(text, Reading(dialect)) or not joined else joined[0]


def _first_tokens(sql: str, dialect: str) -> list[Token]:
    """Tokens of the first statement, up to an unterminated string, name or comment."""
    found, _ = readable_tokens(sql[:LONGEST_SQL], dialect)
    stops = (index for index, token in enumerate(found) if token.token_type == TokenType.SEMICOLON)
    return found[: next(stops, len(found))]


def _longest(sql: str, found: list[Token], reading: Reading) -> tuple[int, str]:
    """Length in tokens of the longest beginning of a query, and a query that begins so; (0, "") if there is none.

    The error is usually where the parser reports it or a few tokens before. Else a binary search finds it, because
    every prefix of a valid prefix is valid.
    """
    place = broken_at(sql[: found[-1].end + 1], reading.dialect) if found else None
    last = len(found) if place is None else min(sum(token.start < place for token in found) + 1, len(found))
    low, high, best = 0, last, (0, "")
    while low < high and not reading.is_over:
        count = high if high > last - _NEAR else (low + high + 1) // 2
        prefix = sql[: found[count - 1].end + 1]
        if completed := _completed(prefix, found[:count], reading):
            low, best = count, (count, completed)
        else:
            high = count - 1
    return best


def _completed(prefix: str, found: list[Token], reading: Reading) -> str | None:
    """A query that begins with the prefix; None if there seems to be none."""
    is_too_deep = reading.complaint(prefix) == TOO_DEEP
    place = broken_at(prefix, reading.dialect)
    if is_too_deep or (place is not None and place <= found[-1].start):
        return None
    closing = _closing(prefix, found)
    begun = prefix if prefix.lstrip("( \n").lower().startswith(("select", "with", "values")) else ""
    for filler in _FILLERS if begun else ():
        for ending in (closing, f"{closing} AND {_NAME}", f"{closing} SELECT {_NAME}"):
            complaint = reading.complaint(f"{prefix}{filler}{ending}")
            if complaint is None:
                return f"{prefix}{filler}{ending}"
            if complaint == TOO_DEEP:
                return None
    return None


def _closing(prefix: str, found: list[Token]) -> str:
    """Closing brackets and ENDs for the brackets and CASEs that a prefix leaves open."""
    open_: list[str] = []
    for token in found:
        word = written(prefix, token).upper()
        if word == "(":
            open_.append(")")
        elif word == "CASE":
            open_.append(" END")
        elif open_ and word == open_[-1].strip():
            open_.pop()
    return "".join(reversed(open_))


def _before_unknown_name(text: str, whole: str, open_end: int | None, found: list[Token], schema: Schema) -> str:
    """Cut a text before its first unknown name; `whole` is the text completed to a query."""
    tree = parse_query(whole, schema.dialect)
    names = Resolver(tree, whole, schema, open_end).names() if tree is not None else []
    unknown = (name.start for name in names if not name.found)
    first = min((start for start in unknown if open_end is None or start < open_end), default=None)
    if first is None:
        return text.strip()
    kept = [token for token in found if token.end < first]
    return text[: kept[-1].end + 1].strip() if kept else NOTHING


def _begins_with(sql: str, prefix: str, dialect: str) -> bool:
    """Whether a query begins with the tokens of a prefix, whatever its case and spacing."""
    whole, begun = _words(sql, dialect), _words(prefix, dialect)
    return whole[: len(begun)] == begun


def _is_new_query(text: str, prefix: str, dialect: str) -> bool:
    """Whether a reply is a query of its own, not a subquery or part of a set operation that the prefix needs."""
    begins = text.lower().startswith(("select", "with"))
    last = (_words(prefix, dialect) or [""])[-1]
    return begins and last not in ("(", "union", "all", "except", "intersect", "as")


def _rests(prefix: str, reply: str, dialect: str) -> Iterator[str]:
    """Possible continuations in a reply: without an end of the prefix that it repeats, longest first, then whole."""
    begun, added = _words(prefix, dialect), _words(reply, dialect)
    places = tokens(reply, dialect) or []
    for length in range(min(len(begun), len(added), len(places)), 0, -1):
        if begun[-length:] == added[:length]:
            yield reply[places[length - 1].end + 1 :].lstrip()
    yield reply


def _words(sql: str, dialect: str) -> list[str]:
    """Token texts in lower case, except strings, so that equal SQL has equal words."""
    found = _first_tokens(sql, dialect)
    return [token.text if token.token_type == TokenType.STRING else token.text.casefold() for token in found]
