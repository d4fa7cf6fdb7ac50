"""Differences between two queries, word by word."""

import re
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

_WORDS = re.compile(r"\s+|'(?:[^']|'')*'|\w+|[^\w\s]")
MOST_CHARS = 8_000
"""Characters of a query beyond which nothing is marked: finding the differences takes quadratic time."""


class Piece(NamedTuple):
    """Adjoining words of a query: in both, only in the new one, or only in the old one."""

    kind: Literal["same", "new", "gone"]
    text: str


def changed_pieces(before: str | None, now: str) -> list[Piece]:
    """A query with the words that another one had in their place; white space and the case of names do not count."""
    if before is None or max(len(before), len(now)) > MOST_CHARS:
        return [Piece("same", now)]
    old, new = _WORDS.findall(before), _WORDS.findall(now)
    pieces: list[Piece] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, _keys(old), _keys(new), autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(new[j1:j2])))
            continue
        gone, came = "".join(old[i1:i2]), "".join(new[j1:j2])
        pieces += [Piece("gone", gone)] if gone.strip() else []
        pieces += [Piece("new" if came.strip() else "same", came)] if came else []
    return pieces


def _keys(words: list[str]) -> list[str]:
    """Words as they are compared; a literal counts as it is written."""
    return [" " if word.isspace() else word if word.startswith("'") else word.casefold() for word in words]
