"""Extraction of SQL from a model's reply.

The first statement is taken, whatever it does: one that writes must reach the executor, which refuses it. Text after
the statement is dropped only if it reads as prose. A mistake in the SQL stays, so that the engine reports it.
"""

import re
from dataclasses import dataclass
from itertools import islice

from route_sql.tools.sql.parsing import NOT_A_QUERY
from route_sql.tools.sql.replies.first_statement import begins_query, first_statement
from route_sql.tools.sql.replies.reading import Reading
from route_sql.tools.sql.replies.starts import QUERY_WORDS, STARTS, is_english, starts
from route_sql.tools.sql.replies.thinking import turns, without_thinking
from route_sql.tools.sql.replies.wrapped import fields, tagged, until_closing_tick
from route_sql.tools.sql.statements import NOT_QUERIES

LONGEST = 20_000
"""Characters of a reply that are read; in a longer one the model repeats itself."""
MOST_STARTS = 10

_FENCE = re.compile(r"(?P<mark>```+|~~~+)[ \t]*(?P<tag>[\w+-]*)[ \t]*(?P<body>.*?)(?:(?P=mark)|\Z)", re.DOTALL)
_BEFORE = re.compile(r"[\s(]*(?:(?:--|/\*).*)?", re.DOTALL)


@dataclass(frozen=True)
class _Region:
    """Part of a reply, with the tag or field that marks it; if it `is_code`, as in a fence, all of it is SQL."""

    text: str
    is_code: bool = False
    mark: str = ""


def extract_sql(reply: str, dialect: str) -> str | None:
    """Extract the SQL of a reply, without a closing semicolon; None if no part of the reply looks like SQL.

    Handles fences (unclosed too), JSON, tags, inline code, prose before and after, labels, comments, semicolons in
    literals, thinking and chat markers. Among several statements, the first that parses as a query counts; if the
    first statement is not a query, it counts itself. Prose is searched only if nothing is marked as code. A reply that
    was cut off gives its unfinished SQL, unless it was cut off while thinking.

    Args:
        reply: The model's text.
        dialect: sqlglot's name of the dialect.
    """
    text, reading = strip_markers(reply), Reading(dialect)
    marked = [region for region in _marked(text) if STARTS.search(region.text)][:MOST_STARTS]
    for regions in (marked, [_Region(_FENCE.sub("\n", text))]):
        if found := [sql for region in regions for sql in _statements(region, reading)]:
            return _preferred(found, reading)
    return None


def strip_markers(reply: str) -> str:
    """Remove thinking and chat markers from a reply, and the text after the marker that ends it."""
    parts = turns(without_thinking(reply)[:LONGEST])
    return next((part for part in parts if STARTS.search(part)), parts[0] if parts else "")


def fenced_code(text: str) -> list[str]:
    """Bodies of fences, and of JSON and tags outside them; those marked as SQL come first."""
    return [region.text for region in _marked(text)]


def _marked(text: str) -> list[_Region]:
    fences = [(match["tag"], match["body"]) for match in _FENCE.finditer(text)]
    bodies = [_Region(body if _is_tag(tag) else f"{tag} {body}", True, tag) for tag, body in fences]
    found = [region for body in bodies for region in _unwrapped(body.text) or [body]]
    found += _unwrapped(_FENCE.sub("\n", text))
    return sorted(found, key=lambda region: "sql" not in region.mark.lower())


def _unwrapped(text: str) -> list[_Region]:
    """Values of JSON fields that begin with SQL, else the bodies of tags, which may hold prose too."""
    values = [_Region(value, True, name) for name, value in fields(text) if _begins_sql(value)]
    return values or [_Region(body, mark=tag) for tag, body in tagged(text)]


def _begins_sql(text: str) -> bool:
    begun = STARTS.search(text)
    if begun is None or is_english(text[begun.start() :]):
        return False
    return _BEFORE.fullmatch(text[: begun.start()]) is not None


def _is_tag(word: str) -> bool:
    """Whether the word after a fence is its tag and not the beginning of the SQL."""
    return word.upper() not in NOT_QUERIES and word.lower() not in QUERY_WORDS


def _statements(region: _Region, reading: Reading) -> list[str]:
    places = islice(starts(region.text, is_code=region.is_code), MOST_STARTS)
    texts = [_from(region, start) for start in places]
    return [sql for text in texts if (sql := first_statement(text, reading))]


def _from(region: _Region, start: int) -> str:
    """Text of a region from a start, up to the closing backtick of inline code."""
    text = region.text[start:]
    is_inline = not region.is_code and region.text[:start].endswith("`")
    return until_closing_tick(text) if is_inline else text


def _preferred(found: list[str], reading: Reading) -> str:
    """The first text that is whole, unless the very first is not a query."""
    if reading.complaint(found[0]) == NOT_A_QUERY or not begins_query(found[0]):
        return found[0]
    return next((sql for sql in found if reading.complaint(sql) is None), found[0])
