"""Whether the engine reads a text as the same words, strings and comments as the parser does.

The parser and the engine must agree on where a string or a comment ends: a comment to one that is code to the
other is the oldest way around a guard. The text is read a second time here, by the narrowest rules on which all
versions of an engine agree; any difference is refused. No account is taken of settings that
change the quoting itself (`standard_conforming_strings`, `ANSI_QUOTES`, `NO_BACKSLASH_ESCAPES`): an adapter must pin
them.

Sources: sqlite.org/lang.html (tokens, comments), postgresql.org/docs "Lexical Structure", dev.mysql.com/doc "Language
Structure", duckdb.org/docs "Keywords and Identifiers" and "Literal Types", learn.microsoft.com "Transact-SQL".
"""

import re

from sqlglot import Token

_SPACE = r"[ \t\r\n\f]+"
_BLOCK = r"/\*(?![!+]|M!)(?:(?!/\*|\*/).)*\*/"
"""A block comment: no executable comment of MySQL, no hint, none within another."""
_DASHES = r"--[^\r\n]*(?:\r?\n|\Z)"
_MYSQL_LINE = r"(?:--(?=[ \t\r\n]|\Z)|\#)[^\r\n]*(?:\r?\n|\Z)"
_SINGLE = r"'(?:[^']|'')*'"
_DOUBLE = r'"(?:[^"]|"")*"'
_BACKTICK = r"`(?:[^`]|``)*`"
_BRACKET = r"\[[^\[\]]*\]"
_ESCAPED = r"[eE]'(?:[^'\\]|''|\\.)*'"
_DOLLAR = r"\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$"
_MYSQL_SINGLE = r"'(?:[^'\\]|''|\\.)*'"
_MYSQL_DOUBLE = r'"(?:[^"\\]|""|\\.)*"'
_WORD = r"[^\W\d][\w$]*|\d\w*"
_OTHER = r"[^\s\x00-\x1f\x7f'\"`\w\ufeff\u200b-\u200f\u2028-\u202e\u2060]"


def _rules(blank: list[str], quoted: list[str], other: str = _OTHER) -> re.Pattern[str]:
    parts = [f"(?P<blank>{'|'.join([_SPACE, _BLOCK, *blank])})", f"(?P<quoted>{'|'.join(quoted)})"]
    return re.compile("|".join([*parts, _WORD, other]), re.DOTALL)


_POSTGRES = _rules([_DASHES], [_ESCAPED, _SINGLE, _DOUBLE, _DOLLAR])
_RULES = {
    "sqlite": _rules([_DASHES], [_SINGLE, _DOUBLE, _BACKTICK, _BRACKET]),
    "postgres": _POSTGRES,
    "duckdb": _POSTGRES,
    "mysql": _rules([_MYSQL_LINE], [_MYSQL_SINGLE, _MYSQL_DOUBLE, _BACKTICK]),
    "tsql": _rules([_DASHES], [_SINGLE, _DOUBLE, _BRACKET]),
}
_QUOTES = {
    "sqlite": frozenset("'\"`["),
    "postgres": frozenset("'\""),
    "duckdb": frozenset("'\""),
    "mysql": frozenset("'\"`"),
    "tsql": frozenset("'\"["),
}
_BLANK, _BARE, _OPEN, _QUOTED = b" ", b"b", b"(", b"q"
"""Marks of characters. The one that opens a quote has its own mark, so that two strings in a row differ from one."""


def disagreement(sql: str, found: list[Token], dialect: str) -> int | None:
    """The first character that an engine may read otherwise than the parser did; None if there is none."""
    narrow = bytearray(_BLANK * len(sql))
    end = 0
    rules = _RULES[dialect]
    while end < len(sql):
        match = rules.match(sql, end)
        if match is None:
            return end
        begin, end = end, match.end()
        if match.lastgroup != "blank":
            narrow[begin:end] = _marks(sql[begin:end], dialect, match.lastgroup == "quoted")
    parsed = _as_parsed(sql, found, dialect)
    return (
        next((place for place in range(len(sql)) if narrow[place] != parsed[place]), None) if narrow != parsed else None
    )


def _as_parsed(sql: str, found: list[Token], dialect: str) -> bytearray:
    marks = bytearray(_BLANK * len(sql))
    for token in found:
        raw = sql[token.start : token.end + 1]
        is_dollar = len(raw) > 1 and raw[0] == raw[-1] == "$" and dialect in ("postgres", "duckdb")
        is_quoted = is_dollar or (len(raw) > 1 and not _QUOTES[dialect].isdisjoint(raw))
        marks[token.start : token.end + 1] = _marks(raw, dialect, is_quoted)
    return marks


def _marks(raw: str, dialect: str, is_quoted: bool) -> bytes:
    """The marks of one token, the prefix of a string such as `x'ff'` being bare."""
    if not is_quoted and (raw.isalnum() or len(raw) == 1):
        return _BARE * len(raw)
    if not is_quoted:
        # sqlglot makes one token of `GROUP BY`
        return b"".join(_BLANK if character.isspace() else _BARE for character in raw)
    prefix = next((place for place, mark in enumerate(raw) if mark in _QUOTES[dialect]), 0) if raw[0] != "$" else 0
    return _BARE * prefix + _OPEN + _QUOTED * (len(raw) - prefix - 1)
