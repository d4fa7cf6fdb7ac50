"""Names that a text has."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"\w+")


def mentions(text: str, names: frozenset[str]) -> Iterator[str]:
    """Names in a text: those of one word as whole words, those of several words anywhere.

    Args:
        text: Any text.
        names: Case-folded names.
    """
    if not names:
        return
    folded = text.casefold()
    yield from names.intersection(_WORD.findall(folded))
    yield from (name for name in names if not _WORD.fullmatch(name) and name in folded)
