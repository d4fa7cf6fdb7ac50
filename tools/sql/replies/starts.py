"""Places in a model's text where SQL may begin."""

import re
from collections.abc import Iterator

STARTS = re.compile(
    r"\bSELECT\b|\bWITH\s+(?:RECURSIVE\s+)?[^\s(]+\s*(?:\([^()]*\)\s*)?AS\s*(?:(?:NOT\s+)?MATERIALIZED\s*)?\("
    r"|\bVALUES\s*\(|\bINSERT\s+(?:OR\s+\w+\s+)?INTO\b|\bREPLACE\s+INTO\b|\bDELETE\s+FROM\b|\bMERGE\s+INTO\b"
    r"|\bUPDATE\s+\S+\s+SET\b|\b(?:CREATE|DROP|ALTER)\s+(?:OR\s+REPLACE\s+)?(?:(?:TEMP|TEMPORARY|UNIQUE|VIRTUAL)\s+)*"
    r"(?:TABLE|VIEW|INDEX|TRIGGER|DATABASE|SCHEMA|USER|ROLE|FUNCTION)\b|\bTRUNCATE\s+(?:TABLE\s+)?\w|\bPRAGMA\s+\w"
    r"|\bATTACH\s+(?:DATABASE\b|')|\bDETACH\s+\w|\bVACUUM\b|\bCOPY\s+[\w(]|\bGRANT\s+\w|\bEXPLAIN\s+\w",
    re.IGNORECASE,
)
"""The first words of a statement, whatever it does."""
QUERY_WORDS = ("select", "with", "values")
_ARTICLES = frozenset("the an your these those this only which each a".split())


def starts(text: str, *, is_code: bool) -> Iterator[int]:
    """Places where SQL may begin: in code at its first statement, in prose at any, beginnings of lines first."""
    matches = [match for match in STARTS.finditer(text) if not _in_comment(text, match.start())]
    if is_code:
        yield from (_with_parentheses(text, match.start()) for match in matches[:1])
        return
    line = [match for match in matches if _begins_line(text, match.start())]
    places = {match.start() for match in line}
    inner = [m for m in matches if m.start() not in places and m[0].lower().startswith(QUERY_WORDS)]
    ranked = [m for m in line + inner if not is_english(text[m.start() :])]
    yield from (_with_parentheses(text, m.start()) for m in ranked or line + inner)


def _begins_line(text: str, start: int) -> bool:
    """Whether only brackets and a comment are between a place and the beginning of a line or the end of a label."""
    at = _before_comment(text, start)
    while at and text[at - 1] in " \t(":
        at -= 1
    return at == 0 or text[at - 1] in "\n:：`>" or text[at - 2 : at] == "**"


def _before_comment(text: str, start: int) -> int:
    """Beginning of the comment that ends at a place, or the place itself."""
    closing = len(text[:start].rstrip()) - 2
    opening = text.find("/*", 0, max(closing, 0))
    return opening if opening >= 0 and text.startswith("*/", closing) else start


def _in_comment(text: str, start: int) -> bool:
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return line.lstrip().startswith("--") or text.rfind("/*", 0, start) > text.rfind("*/", 0, start)


def _with_parentheses(text: str, start: int) -> int:
    """Places where parentheses begin that may hold a query."""
    at = start
    while at and (text[at - 1] == "(" or text[at - 1].isspace()):
        at -= 1
    opening = text.find("(", at, start)
    return start if opening < 0 else opening


def is_english(text: str) -> bool:
    """Whether SELECT opens a sentence, as in `Select the rows that ...`."""
    words = text.split(maxsplit=3)[1:3]
    return (
        len(words) == 2
        and words[0].lower() in _ARTICLES
        and words[1].strip(".,")[:1].isalpha()
        and (words[1].lower() not in ("from", "as", "in", "is"))
    )
