"""The first statement of a text, without the prose after it."""

import re
from itertools import islice

from sqlglot import TokenType

from route_sql.tools.sql.parsing import NOT_A_QUERY, is_word, written
from route_sql.tools.sql.replies.reading import Reading
from route_sql.tools.sql.replies.starts import QUERY_WORDS

_MOST_BORDERS = 40
_LONGEST_LINE = 1_000
"""Characters of a line that are read to tell prose from SQL."""
_LABEL = re.compile(r"^[\W\d]*[A-Za-z][A-Za-z ]{1,30}\**:(?!:)")
_PROSE = frozenset("the an your these those this each query we you that returns will it of are because".split())
_SENTENCE = re.compile(r"(?<=[\w)'\"`\]])[.:!?]\s+(?=[A-Z*])")
_REMARK = re.compile(r"\s\((?=[A-Za-z])")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_LINE_END = re.compile(r"\n")
_BORDERS = ((_BLANK_LINE, False), (_LINE_END, True), (_SENTENCE, True), (_REMARK, True))
"""Places where prose may begin after SQL, and whether the text there must read as prose."""


def first_statement(text: str, reading: Reading) -> str | None:
    """The first statement of a text that begins with SQL, or the first one that parses if that is broken."""
    pieces = _split(text, reading)
    for piece in pieces:
        complaint = reading.complaint(piece)
        if complaint is None:
            return piece
        if complaint == NOT_A_QUERY or not begins_query(piece):
            break
    return _without_prose(pieces[0], reading) if pieces else None


def begins_query(sql: str) -> bool:
    """Whether the first word is that of a query."""
    return sql.lstrip("( \n\t").lower().startswith(QUERY_WORDS)


def _split(text: str, reading: Reading) -> list[str]:
    """The statements of a text, by the tokeniser's semicolons; what it can't read belongs to the last."""
    found, readable = reading.tokens(text)
    ends = [token.start for token in found if token.token_type == TokenType.SEMICOLON]
    if ends and readable < len(text):
        return [piece for piece in _pieces(text, ends) if piece][:-1] or [text[: ends[0]].strip()]
    return [piece for piece in _pieces(text, ends) if piece]


def _pieces(text: str, ends: list[int]) -> list[str]:
    begins = [0, *(end + 1 for end in ends)]
    return [text[begin:end].strip() for begin, end in zip(begins, [*ends, len(text)], strict=True)]


def _without_prose(piece: str, reading: Reading) -> str:
    """A piece that does not parse, cut where prose follows SQL that parses; else the piece itself."""
    last = reading.last_end(piece)
    for borders, needs_prose in _BORDERS:
        for border in islice(borders.finditer(piece), _MOST_BORDERS):
            if needs_prose and border.start() > last:
                break
            head, rest = piece[: border.start()].strip(), piece[border.end() :].strip()
            if needs_prose and reads_as_prose(rest, reading) and reading.complaint(head) is None:
                return head
            if not needs_prose and not _continues(rest, reading):
                return head
    bare = piece.rstrip(".` \n")
    return bare if reading.complaint(bare) is None else piece


def reads_as_prose(text: str, reading: Reading) -> bool:
    """Whether the first line of a text is a sentence rather than SQL."""
    line = text.partition("\n")[0][:_LONGEST_LINE]
    if _LABEL.match(line):
        return True
    outside = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", " ", line)
    words = re.findall(r"[A-Za-z']+", outside.lower())
    return len(_PROSE.intersection(words)) >= 2 or _longest_run(line, reading) >= 3


def _longest_run(line: str, reading: Reading) -> int:
    """The longest run of bare words with nothing between them; in SQL it has fewer than three."""
    found, end = reading.tokens(line)
    longest = run = 0
    for token in found if end == len(line) else []:
        run = run + 1 if is_word(token) else 0
        longest = max(longest, run)
    return longest


def _continues(text: str, reading: Reading) -> bool:
    """Whether a text after a blank line begins like more SQL: with a keyword, an operator or a bracket."""
    if reading.is_over:
        return True
    if reads_as_prose(text, reading):
        return False
    found, _ = reading.tokens(text[:_LONGEST_LINE])
    if not found:
        return False
    first = written(text, found[0])
    return not is_word(found[0]) and not first.startswith(("*", "#", "-", ">")) and not first[0].isdigit()
