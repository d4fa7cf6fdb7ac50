"""Index of a database's cells by words of a question: "alabama" finds `head.born_state = 'Alabama'`.

A model that has not seen the data can't know its spelling. The index holds the distinct short texts
of every text column; matching looks up the question's phrases in it and needs no database.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from rapidfuzz import fuzz, process

from route_sql.tools.schema.quoting import literal
from route_sql.tools.text import is_clean, singular, words
from route_sql.tools.values.phrases import STOP_WORDS, Phrase, phrases, stem, value_key

VALUE_CHARS = 80

FUZZY_RATIO = 88.0
"""Ratio of rapidfuzz (0 to 100) from which two spellings count as the same."""

FUZZY_CHARS = 4
FUZZY_ORDINARY_CHARS = 7
"""Least letters of a single plain word that is looked up as misspelt."""

COLUMNS_A_PHRASE = 3
LEAST_SCORE = 0.8

_MARKS = " .,;:?!'\"`()[]‘’“”"

How = Literal["exact", "case", "fuzzy"]


@dataclass(frozen=True, slots=True)
class ValueMatch:
    """A cell that matches a phrase of the question."""

    table: str
    """Key of the table."""
    column: str
    value: str
    """Spelling of the cell in the database."""
    how: How
    """`exact`: spelt like the question; `case`: in another case, number or punctuation; `fuzzy`: misspelt."""
    score: float
    """Likelihood that the question means the cell; comparable within one question only."""
    reference: str
    """Table and column in SQL, such as `head.born_state`."""


def render_match(match: ValueMatch, dialect: str) -> str:
    """Write a match as a note for a prompt, such as `head.born_state = 'Alabama'`."""
    return f"{match.reference} = {literal(match.value, dialect)}"


@dataclass(frozen=True, slots=True)
class Texts:
    """Distinct texts of one column."""

    table: str
    column: str
    reference: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """Text of the index that a phrase may mean."""

    column: Texts
    value: str
    how: How
    likeness: float


class ValueIndex:
    """Texts of a database, looked up by phrase. Immutable: share it between questions and threads."""

    def __init__(self, columns: Iterable[Texts], unread: int = 0) -> None:
        """Index the texts of columns, except long ones and those that a prompt can't show unchanged.

        Args:
            columns: The columns that were read.
            unread: Number of columns that there was no time to read.
        """
        self.columns, self.unread = tuple(columns), unread
        self._cells: dict[str, list[tuple[Texts, str]]] = {}
        self._keys_by_stem: dict[str, list[str]] = {}
        self._keys_by_look: dict[tuple[str, int], list[str]] = {}
        self._schema_words: set[str] = set()
        for column in self.columns:
            self._schema_words |= _singulars(f"{column.table} {column.column}")
            for value in column.values:
                if (key := value_key(value)) and is_clean(value, VALUE_CHARS):
                    self._cells.setdefault(key, []).append((column, value))
        for key in self._cells:
            self._keys_by_stem.setdefault(stem(key), []).append(key)
            if len(key) >= FUZZY_CHARS:
                self._keys_by_look.setdefault((key[0], len(key)), []).append(key)

    def __len__(self) -> int:
        """Number of different texts."""
        return len(self._cells)

    def match(self, question: str, limit: int = 8) -> list[ValueMatch]:
        """Find the cells that phrases of the question name, the most likely first.

        A phrase inside a longer one that matched is skipped, unless it is in quotation marks. Function words and
        numbers never match alone. Where nothing matched, misspelt phrases are compared with the texts of the same
        first letter. Takes some milliseconds for 50,000 texts.

        Args:
            question: The question without its evidence, whose formulas and codes match cells by chance.
            limit: Maximum number of matches.
        """
        matches: dict[tuple[str, str], ValueMatch] = {}
        for _, found in self.by_phrase(question):
            for match in found[:COLUMNS_A_PHRASE]:
                matches.setdefault((match.reference, match.value), match)
        return sorted(matches.values(), key=lambda match: -match.score)[:limit]

    def by_phrase(self, question: str) -> Iterator[tuple[Phrase, list[ValueMatch]]]:
        """Each phrase of a question that names cells, and these cells, the most likely first."""
        asked = _singulars(question)
        matched: set[int] = set()
        known: set[str] = set()
        for phrase, is_alike in [(p, way) for way in (False, True) for p in phrases(question)]:
            places = set(range(phrase.start, phrase.start + phrase.length))
            is_open = not places & matched if is_alike else not places <= matched
            if phrase.key in known or not (is_open or phrase.is_quoted):
                continue
            if found := self._alike(phrase) if is_alike else self._same(phrase, question):
                matched |= places
                known.add(phrase.key)
                yield phrase, self._likeliest(phrase, found, asked)

    def containing(self, phrase: Phrase) -> Iterator[tuple[Texts, str]]:
        """The texts of which the phrase is some of the words, such as "John Smith" for "Smith"."""
        inner = f" {phrase.key} "
        return (cell for key, cells in self._cells.items() if inner in f" {key} " for cell in cells)

    def _same(self, phrase: Phrase, question: str) -> list[_Found]:
        """Find texts that differ from the phrase only in case, accents, punctuation or number."""
        found: list[_Found] = []
        for key in self._keys_by_stem.get(phrase.stem, ()):
            likeness = 1.0 if key == phrase.key else 0.9
            for _, cells in groupby(self._cells[key], key=lambda cell: id(cell[0])):
                column = [*cells]
                exact = _spelt_in(question, [value for _, value in column])
                found += [_Found(*cell, "exact" if cell[1] in exact else "case", likeness) for cell in column]
        return found

    def _alike(self, phrase: Phrase) -> list[_Found]:
        """Find texts that are spelt similarly and have the same digits."""
        if not self._may_be_misspelt(phrase):
            return []
        size = len(phrase.key)
        # Two texts that reach the ratio differ in length by this at most.
        reach = int(size * 2 * (100 - FUZZY_RATIO) / FUZZY_RATIO)
        near = (self._keys_by_look.get((phrase.key[0], size + d), ()) for d in range(-reach, reach + 1))
        keys = [key for group in near for key in group]
        alike = process.extract(phrase.key, keys, scorer=fuzz.ratio, score_cutoff=FUZZY_RATIO, limit=3)
        return [
            _Found(column, value, "fuzzy", 0.8 * ratio / 100)
            for key, ratio, _ in alike
            if _digits(key) == _digits(phrase.key)
            for column, value in self._cells[key]
        ]

    def _may_be_misspelt(self, phrase: Phrase) -> bool:
        """Whether the phrase may be a name; ordinary words are always one letter away from some text."""
        ends = {phrase.key.split(" ")[0], phrase.key.split(" ")[-1]}
        if phrase.is_quoted or ends & STOP_WORDS:
            return phrase.is_quoted and len(phrase.key) >= FUZZY_CHARS
        if phrase.length > 1 or phrase.is_capitalised:
            return len(phrase.key) >= FUZZY_CHARS
        return len(phrase.key) >= FUZZY_ORDINARY_CHARS and not _singulars(phrase.key) & self._schema_words

    def _likeliest(self, phrase: Phrase, found: list[_Found], asked: set[str]) -> list[ValueMatch]:
        scored = [_match(one, self._score(phrase, one, asked)) for one in found]
        kept = [match for match in scored if match.score >= LEAST_SCORE or phrase.is_quoted]
        return sorted(kept, key=lambda match: -match.score)

    def _score(self, phrase: Phrase, found: _Found, asked: set[str]) -> float:
        """Score a match; the weights were tuned on the training questions of Spider."""
        names_schema = phrase.length == 1 and bool(_singulars(phrase.key) & self._schema_words)
        return (
            found.likeness
            + (0.1 if found.how == "exact" else 0.0)
            + (1.0 if phrase.is_quoted else 0.0)
            + 0.3 * min(phrase.length - 1, 3)
            + (0.4 if phrase.is_capitalised else 0.0)
            + 0.4 * _share_named(found.column.column, asked)
            + 0.2 * _share_named(found.column.table, asked)
            - (0.8 if names_schema and not phrase.is_capitalised else 0.0)
        )


def _spelt_in(question: str, values: list[str]) -> set[str]:
    """Those of a column's texts with one key that a question has; "C" is not one if it is only the "C" of "C#"."""
    found = sorted({value for value in values if value in question}, key=len, reverse=True)
    return {value for value in found if _is_apart(value, question, [text for text in found if _extends(text, value)])}


def _extends(text: str, value: str) -> bool:
    """Whether a text is another one with more punctuation, but for marks that end or quote a part of a sentence."""
    return value in text and value.strip(_MARKS) != text.strip(_MARKS)


def _is_apart(value: str, question: str, longer: list[str]) -> bool:
    """Whether a text is in the question outside of the longer ones, or there are none."""
    for text in longer:
        question = question.replace(text, " ")
    return not longer or re.search(rf"(?<!\w){re.escape(value)}(?!\w)", question) is not None


def _singulars(text: str) -> set[str]:
    return {singular(word) for word in words(text)}


def _digits(key: str) -> str:
    return "".join(filter(str.isdigit, key))


def _share_named(name: str, asked: set[str]) -> float:
    """Share of a name's words that the question mentions."""
    parts = _singulars(name) - STOP_WORDS
    return len(parts & asked) / len(parts) if parts else 0.0


def _match(found: _Found, score: float) -> ValueMatch:
    column = found.column
    return ValueMatch(column.table, column.column, found.value, found.how, round(score, 4), column.reference)
