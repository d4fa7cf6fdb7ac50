"""Extraction of SQL from a model's reply.

The first statement is taken, whatever it does: one that writes must reach the executor, which refuses it. Text after
the statement is dropped only if it reads as prose. A mistake in the SQL stays, so that the engine reports it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sqlglot import TokenType

from route_sql.tools.sql.parsing import NOT_A_QUERY, is_word, parses, readable_tokens, tokens, written
from route_sql.tools.sql.replies.thinking import turns, without_thinking
from route_sql.tools.sql.replies.wrapped import fields, tagged, until_closing_tick
from route_sql.tools.sql.statements import NOT_QUERIES

LONGEST = 20_000
"""Characters of a reply that are read; in a longer one the model repeats itself."""
MOST_STARTS = 10
_MOST_BORDERS = 40

_FENCE = re.compile(r"(?P<mark>```+|~~~+)[ \t]*(?P<tag>[\w+-]*)[ \t]*(?P<body>.*?)(?:(?P=mark)|\Z)", re.DOTALL)
_START = re.compile(
    r"\bSELECT\b|\bWITH\s+(?:RECURSIVE\s+)?[^\s(]+\s*(?:\([^()]*\)\s*)?AS\s*(?:(?:NOT\s+)?MATERIALIZED\s*)?\("
    r"|\bVALUES\s*\(|\bINSERT\s+(?:OR\s+\w+\s+)?INTO\b|\bREPLACE\s+INTO\b|\bDELETE\s+FROM\b|\bMERGE\s+INTO\b"
    r"|\bUPDATE\s+\S+\s+SET\b|\b(?:CREATE|DROP|ALTER)\s+(?:OR\s+REPLACE\s+)?(?:(?:TEMP|TEMPORARY|UNIQUE|VIRTUAL)\s+)*"
    r"(?:TABLE|VIEW|INDEX|TRIGGER|DATABASE|SCHEMA|USER|ROLE|FUNCTION)\b|\bTRUNCATE\s+(?:TABLE\s+)?\w|\bPRAGMA\s+\w"
    r"|\bATTACH\s+(?:DATABASE\b|')|\bDETACH\s+\w|\bVACUUM\b|\bCOPY\s+[\w(]|\bGRANT\s+\w|\bEXPLAIN\s+\w",
    re.IGNORECASE,
)
_QUERY_WORDS = ("select", "with", "values")
_OPENED = re.compile(r"\((?:\s*\()*\s*\Z")
_BEFORE = re.compile(r"[\s(]*(?:(?:--|/\*).*)?", re.DOTALL)
_LINE_BEGINS = re.compile(r"(?:^|\n|[:：`>]|\*\*)[ \t(]*\Z")
_LABEL = re.compile(r"^[\W\d]*[A-Za-z][A-Za-z ]{1,30}\**:(?!:)")
_ARTICLES = frozenset("the an your these those this only which each a".split())
_PROSE = frozenset("the an your these those this each query we you that returns will it of are because".split())
_SENTENCE = re.compile(r"(?<=[\w)'\"`\]])[.:!?]\s+(?=[A-Z*])")
_REMARK = re.compile(r"\s\((?=[A-Za-z])")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_LINE_END = re.compile(r"\n")
_BORDERS = ((_BLANK_LINE, False), (_LINE_END, True), (_SENTENCE, True), (_REMARK, True))
"""Borders where prose may begin after SQL, and whether the text after them must read as prose."""


@dataclass(frozen=True)
class _Region:
    """Part of a reply, with the tag or field that marks it; all of it is SQL where it `is_code`, as in a fence."""

    text: str
    is_code: bool = False
    mark: str = ""


def extract_sql(reply: str, dialect: str) -> str | None:
    """Extract the SQL of a reply, without a closing semicolon; None if no part of the reply looks like SQL.

    Handles fences (unclosed too), JSON, tags, inline code, prose before and after, labels, comments, semicolons in
    literals, thinking and chat markers. Among several statements, the first that parses as a query counts; if the
    first statement is no query, it counts itself. Prose is searched only if nothing is marked as code. A reply that
    was cut off gives its unfinished SQL, unless it was cut off while thinking.

    Args:
        reply: The model's text.
        dialect: sqlglot's name of the dialect.
    """
    text = strip_markers(reply)
    marked = [region for region in _marked(text) if _START.search(region.text)][:MOST_STARTS]
    for regions in (marked, [_Region(_FENCE.sub("\n", text))]):
        if found := [sql for region in regions for sql in _statements(region, dialect)]:
            return _preferred(found, dialect)
    return None


def strip_markers(reply: str) -> str:
    """Remove thinking and chat markers from a reply, and the text after the marker that ends it."""
    parts = turns(without_thinking(reply)[:LONGEST])
    return next((part for part in parts if _START.search(part)), parts[0] if parts else "")


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
    begun = _START.search(text)
    if begun is None or _is_english(text[begun.start() :]):
        return False
    return _BEFORE.fullmatch(text[: begun.start()]) is not None


def _is_tag(word: str) -> bool:
    """Whether the word after a fence is its tag, not the first word of the SQL."""
    return word.upper() not in NOT_QUERIES and word.lower() not in _QUERY_WORDS


def _statements(region: _Region, dialect: str) -> list[str]:
    texts = [_from(region, start) for start in islice(_starts(region), MOST_STARTS)]
    return [sql for text in texts if (sql := first_statement(text, dialect))]


def _from(region: _Region, start: int) -> str:
    """Text of a region from a start, up to the closing backtick of inline code."""
    text = region.text[start:]
    is_inline = not region.is_code and region.text[:start].endswith("`")
    return until_closing_tick(text) if is_inline else text


def _starts(region: _Region) -> Iterator[int]:
    """Positions where SQL may begin: the first statement of a fence, any in prose, those at line starts first."""
    matches = [match for match in _START.finditer(region.text) if not _in_comment(region.text, match.start())]
    if region.is_code:
        yield from (_with_parentheses(region.text, match.start()) for match in matches[:1])
        return
    line = [m for m in matches if _LINE_BEGINS.search(_uncommented(region.text[: m.start()]))]
    inner = [m for m in matches if m not in line and m[0].lower().startswith(_QUERY_WORDS)]
    ranked = [m for m in line + inner if not _is_english(region.text[m.start() :])]
    yield from (_with_parentheses(region.text, m.start()) for m in ranked or line + inner)


def _uncommented(text: str) -> str:
    return re.sub(r"/\*.*?\*/\s*\Z", "", text, flags=re.DOTALL)


def _in_comment(text: str, start: int) -> bool:
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return line.lstrip().startswith("--") or text.rfind("/*", 0, start) > text.rfind("*/", 0, start)


def _with_parentheses(text: str, start: int) -> int:
    """Position of the parentheses around a query, or of the query itself."""
    before = _OPENED.search(text[:start])
    return before.start() if before else start


def _is_english(text: str) -> bool:
    """Whether SELECT begins an English sentence, as in `Select the rows that ...`."""
    words = text.split(maxsplit=3)[1:3]
    return (
        len(words) == 2
        and words[0].lower() in _ARTICLES
        and words[1].strip(".,")[:1].isalpha()
        and (words[1].lower() not in ("from", "as", "in", "is"))
    )


def _preferred(found: list[str], dialect: str) -> str:
    """First statement that parses, unless the very first is no query."""
    if parses(found[0], dialect) == NOT_A_QUERY or not _begins_query(found[0]):
        return found[0]
    return next((sql for sql in found if parses(sql, dialect) is None), found[0])


def _begins_query(sql: str) -> bool:
    return sql.lstrip("( \n\t").lower().startswith(_QUERY_WORDS)


def first_statement(text: str, dialect: str) -> str | None:
    """First statement of a text that begins with SQL; if that is broken, the first query that parses."""
    pieces = _split(text, dialect)
    for piece in pieces:
        if parses(piece, dialect) is None:
            return piece
        if parses(piece, dialect) == NOT_A_QUERY or not _begins_query(piece):
            break
    return _without_prose(pieces[0], dialect) if pieces else None


def _split(text: str, dialect: str) -> list[str]:
    """Split a text at the semicolons that the tokeniser finds; unreadable text belongs to the last statement."""
    found, readable = readable_tokens(text, dialect)
    ends = [token.start for token in found if token.token_type == TokenType.SEMICOLON]
    if ends and readable < len(text):
        return [piece for piece in _pieces(text, ends) if piece][:-1] or [text[: ends[0]].strip()]
    return [piece for piece in _pieces(text, ends) if piece]


def _pieces(text: str, ends: list[int]) -> list[str]:
    begins = [0, *(end + 1 for end in ends)]
    return [text[begin:end].strip() for begin, end in zip(begins, [*ends, len(text)], strict=True)]


def _without_prose(piece: str, dialect: str) -> str:
    """Cut a broken piece where prose follows its SQL; without prose it is returned unchanged."""
    for borders, needs_prose in _BORDERS:
        for border in islice(borders.finditer(piece), _MOST_BORDERS):
            head, rest = piece[: border.start()].strip(), piece[border.end() :].strip()
            is_prose = reads_as_prose(rest, dialect) or (not needs_prose and not _continues_sql(rest, dialect))
            if is_prose and (parses(head, dialect) is None or not needs_prose):
                return head
    bare = piece.rstrip(".` \n")
    return bare if parses(bare, dialect) is None else piece


def reads_as_prose(text: str, dialect: str) -> bool:
    """Whether the first line of a text is a sentence, not SQL."""
    line = text.partition("\n")[0]
    if _LABEL.match(line):
        return True
    outside = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", " ", line)
    words = re.findall(r"[A-Za-z']+", outside.lower())
    return len(_PROSE.intersection(words)) >= 2 or _longest_run(line, dialect) >= 3


def _longest_run(line: str, dialect: str) -> int:
    """Length of the longest run of bare words; SQL has none of three."""
    longest = run = 0
    for token in tokens(line, dialect) or []:
        run = run + 1 if is_word(token) else 0
        longest = max(longest, run)
    return longest


def _continues_sql(text: str, dialect: str) -> bool:
    """Whether the text after a blank line continues the SQL: it begins with a keyword, an operator or a bracket."""
    found, _ = readable_tokens(text, dialect)
    if not found:
        return False
    first = written(text, found[0])
    return not is_word(found[0]) and not first.startswith(("*", "#", "-", ">")) and not first[0].isdigit()
