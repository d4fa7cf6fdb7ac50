"""Removal of comments: a prompt shows SQL on one line, where a line comment would swallow the rest."""

from itertools import pairwise

from route_sql.tools.sql.parsing import readable_tokens

_MARKS = ("--", "/*", "//", "#")


def without_comments(sql: str, dialect: str) -> str:
    """Replace each comment by a space; SQL without comments is returned unchanged.

    Text after an unterminated string, name or comment is kept unchanged.

        Before: SELECT a -- the first
                FROM t
        After:  SELECT a FROM t

    Args:
        sql: Any text.
        dialect: The sqlglot name of the dialect.
    """
    if not any(mark in sql for mark in _MARKS):
        return sql
    found, readable = readable_tokens(sql, dialect)
    ends = [0, *(token.end + 1 for token in found)]
    starts = [*(token.start for token in found), readable]
    # Only spaces and comments are between two tokens.
    comments = [(end, start) for end, start in zip(ends, starts, strict=True) if sql[end:start].strip()]
    if not comments:
        return sql
    borders = [0, *(border for comment in comments for border in comment), len(sql)]
    return " ".join(sql[begin:end] for begin, end in list(pairwise(borders))[::2]).strip()
