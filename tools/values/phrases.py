"""Phrases of a question that may name a cell of a database."""

import re
import unicodedata
from dataclasses import dataclass

from route_sql.tools.text import singular

MAX_WORDS = 8
"""Words of the longest phrase that is looked up."""

_WORD = re.compile(r"[^\W_]+")
# An opening quote must precede a word and a closing one follow it: the apostrophes of "Ann's and Bob's" quote nothing.
_QUOTED = re.compile(
    r"""(?<!\w)(?:"([^"]+)"|'((?:[^']|(?<=\w)'(?=\w))+)'|“([^”]+)”|‘((?:[^’]|(?<=\w)’(?=\w))+)’|`([^`]+)`)(?!\w)"""
)

STOP_WORDS = frozenset(
    "a about above after all also among an and any are as ask at average be been before below between both but by "
    "can count did different do does each every except find first for from get give had has have he her his how i id "
    "if in information into is it its know last least less let list many maximum me minimum more most much my name "
    "need no not number of off on one only or order other our out over per please return same she should show since "
    "so some sort such sum tell than that the their them then there these they this those to total under up us use "
    "value was we were what when where whether which who whom whose why will with within without would you your".split()
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Neighbouring words of a question."""

    text: str
    """Spelling in the question."""
    key: str
    """Words of the phrase as `value_key` writes them."""
    start: int
    """Index of the first word in the question."""
    length: int
    """Number of words."""
    is_quoted: bool = False

    @property
    def stem(self) -> str:
        """Key without plural endings."""
        return stem(self.key)

    @property
    def is_capitalised(self) -> bool:
        """Whether it begins with a capital letter or digit and is not the question's first word."""
        return self.start > 0 and not self.text[:1].islower()


def value_key(text: str) -> str:
    """Lower-case words of a value without accents and punctuation: equal keys count as the same value."""
    return " ".join(_plain(word) for word in _WORD.findall(unicodedata.normalize("NFC", text)))


def stem(key: str) -> str:
    """Key with every word in the singular."""
    return " ".join(map(singular, key.split(" ")))


def phrases(question: str) -> list[Phrase]:
    """Split a question into phrases: quoted ones of any length first, then those of up to `MAX_WORDS` words.

    Longer phrases come first. A function word or a number alone is not a phrase, unless it is quoted.
    """
    question = unicodedata.normalize("NFC", question)
    spans = [(word.start(), word.end()) for word in _WORD.finditer(question)]
    found = _quoted(question, spans)
    for length in range(min(MAX_WORDS, len(spans)), 0, -1):
        for start in range(len(spans) - length + 1):
            text = question[spans[start][0] : spans[start + length - 1][1]]
            phrase = Phrase(text, value_key(text), start, length)
            if _names_something(phrase):
                found.append(phrase)
    return found


def _plain(word: str) -> str:
    folded = word.casefold()
    if folded.isascii():
        return folded
    decomposed = unicodedata.normalize("NFKD", folded)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _quoted(question: str, spans: list[tuple[int, int]]) -> list[Phrase]:
    found = []
    for quote in _QUOTED.finditer(question):
        text = next(part for part in quote.groups() if part)
        inside = [index for index, (start, end) in enumerate(spans) if quote.start() <= start and end <= quote.end()]
        if inside:
            found.append(Phrase(text, value_key(text), inside[0], len(inside), is_quoted=True))
    return found


def _names_something(phrase: Phrase) -> bool:
    split = phrase.key.split(" ")
    if len(split) > 1:
        return any(word not in STOP_WORDS for word in split)
    is_initial = len(phrase.key) == 1 and not phrase.is_capitalised
    # In capitals even a function word may be a code, such as the states IN and OR.
    is_code = len(phrase.text) == 2 and phrase.text.isupper() and phrase.text.isascii()
    return not phrase.key.isdigit() and not is_initial and (is_code or phrase.key not in STOP_WORDS)
