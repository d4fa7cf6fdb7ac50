"""Type names of engines: the labels in them, and their short form for a prompt."""

import re

_QUOTED = r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\""
_LABELLED = re.compile(rf"\s*(ENUM|SET)\s*\(((?:{_QUOTED}|[^'\"()])*)\)((?:\s*\[\d*\])*)\s*", re.IGNORECASE)
_LABEL = re.compile(r"'((?:[^']|'')*)'")
_LENGTH = re.compile(
    rf"({_QUOTED})|\s*\(\s*(?:-?\d+|\*|max)(?:\s+(?:char|byte))?(?:\s*,\s*-?\d+)*\s*\)|\s*\(\s*\)", re.IGNORECASE
)
_PIECE = re.compile(rf"{_QUOTED}|.", re.DOTALL)
_CLOSING = {"(": ")", "[": "]"}


def without_labels(sql_type: str) -> tuple[str, tuple[str, ...]]:
    """Split a type into its name and its labels: `ENUM('new', 'it''s')[]` into `ENUM[]`, `new` and `it's`.

    Other types, even nested ones with labels inside, are returned unchanged.
    """
    found = _LABELLED.fullmatch(sql_type)
    if found is None:
        return sql_type, ()
    labels = tuple(label.replace("''", "'") for label in _LABEL.findall(found[2]))
    return found[1].upper() + found[3], labels


def holds_several(sql_type: str) -> bool:
    """Whether a value of a type with labels may have several labels."""
    return sql_type.endswith("]") or sql_type.upper() == "SET"


def short_type(sql_type: str, limit: int) -> str:
    """Shorten a type to about `limit` characters: first without lengths, then cut between two of its parts.

    `STRUCT(a DECIMAL(9, 2), b VARCHAR)` becomes `STRUCT(a DECIMAL, b VARCHAR)`, or `STRUCT(a DECIMAL, ...)` if that
    is too long.
    """
    text = _LENGTH.sub(lambda found: found[1] or "", sql_type)
    return text if len(text) <= limit else _cut(text, limit)


def _cut(text: str, limit: int) -> str:
    """Cut a text at the last comma within the limit and close the open brackets."""
    still_open: list[str] = []
    best = ""
    for piece in _PIECE.finditer(text[: 4 * limit]):
        if piece.end() > limit:
            break
        mark = piece[0]
        if mark in _CLOSING:
            still_open.append(_CLOSING[mark])
        elif still_open and mark == still_open[-1]:
            still_open.pop()
        if mark == "," and still_open or mark == "(":
            best = text[: piece.end()].rstrip("(") + ("(" if mark == "(" else " ") + "..." + "".join(still_open[::-1])
    return best or text
