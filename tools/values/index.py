"""Index of a database's cells by words of a question: "alabama" finds `head.born_state = 'Alabama'`.

A model that has not seen the data can't know its spelling. The index holds the distinct short texts
of every text column; matching looks up the question's phrases in it and needs no database.
"""

import asyncio
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rapidfuzz import fuzz, process
from sqlglot import exp

from route_sql.tools.database.engine import Database
from route_sql.tools.limits import Limits
from route_sql.tools.schema.quoting import is_numeric_type, literal, quote_name, quote_table, table_expression
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.schema.types import holds_several
from route_sql.tools.text import is_clean, singular, words
from route_sql.tools.values.phrases import STOP_WORDS, Phrase, phrases, stem, value_key

NAME_CHARS = 128
VALUE_CHARS = 80
SCANNED_ROWS = 20_000
DISTINCT_VALUES = 2_000

FUZZY_RATIO = 88.0
"""Ratio of rapidfuzz (0 to 100) from which two spellings count as the same."""

FUZZY_CHARS = 4
FUZZY_ORDINARY_CHARS = 7
"""Least letters of a single plain word that is looked up as misspelt."""

COLUMNS_A_PHRASE = 3
LEAST_SCORE = 0.8
COLUMN_SECONDS = 1.0

_NO_TEXT = re.compile(r"BLOB|BINARY|BYTEA|DATE|TIME|JSON", re.IGNORECASE)

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


def render_match(match: ValueMatch) -> str:
    """Write a match as a note for a prompt, such as `head.born_state = 'Alabama'`."""
    return f"{match.reference} = {literal(match.value)}"


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
        found = []
        for key in self._keys_by_stem.get(phrase.stem, ()):
            likeness = 1.0 if key == phrase.key else 0.9
            for column, value in self._cells[key]:
                how: How = "exact" if value in question else "case"
                found.append(_Found(column, value, how, likeness))
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


async def build_value_index(
    database: Database, schema: Schema, *, seconds: float = 10.0, before: ValueIndex | None = None
) -> ValueIndex:
    """Read the texts of a database into an index.

    Labels of enumerated types need no query. For each text column, one query reads the first 2,000 different values of
    the first 20,000 rows. Other values are never found. Columns that there was no time to read are left out and
    counted as `unread`.

    Args:
        database: Database to read.
        schema: Its schema, without the tables and columns that must not be read.
        seconds: Budget for all columns together.
        before: An index of the same schema; the columns that it holds are not read again.

    Raises:
        DatabaseUnavailable: the database can't be opened or read.
    """
    deadline, unread = time.monotonic() + seconds, 0
    read = {(each.table, each.column): each for each in before.columns} if before else {}
    texts = _labels(schema)
    for table, column in _text_columns(schema):
        found = read.get((table.key, column.name))
        if found is None:
            found = await _read(database, schema, (table, column), deadline - time.monotonic())
        if found is None:
            unread += 1
        else:
            texts.append(found)
    return await asyncio.to_thread(ValueIndex, texts, unread)


async def _read(database: Database, schema: Schema, place: tuple[Table, Column], seconds: float) -> Texts | None:
    """Different texts of a column; None if the time did not suffice."""
    if seconds <= 0:
        return None
    limits = Limits(seconds=min(seconds, COLUMN_SECONDS), rows=DISTINCT_VALUES, cell_chars=4 * VALUE_CHARS)
    outcome = await database.execute(distinct_values(*place, database.dialect), limits)
    if outcome["status"] == "timeout":
        return None
    # A column that can't be read, such as one of a broken view, has no rows here.
    return _texts(schema, *place, tuple(row[0] for row in outcome["rows"] if isinstance(row[0], str)))


def _labels(schema: Schema) -> list[Texts]:
    return [
        _texts(schema, table, column, column.labels[:DISTINCT_VALUES]) for table, column in _labelled_columns(schema)
    ]


def distinct_values(table: Table, column: Column, dialect: str) -> str:
    """Query for the different values of one column in the first rows of its table."""
    name = exp.column(exp.to_identifier(column.name, quoted=True))
    first = exp.select(name).from_(table_expression(table)).limit(SCANNED_ROWS).subquery("first_rows")
    return exp.select(name.copy()).distinct().from_(first).limit(DISTINCT_VALUES).sql(dialect=dialect)


def _texts(schema: Schema, table: Table, column: Column, values: tuple[str, ...]) -> Texts:
    reference = f"{quote_table(table, schema.dialect)}.{quote_name(column.name, schema.dialect)}"
    return Texts(table.key, column.name, reference, values)


def _labelled_columns(schema: Schema) -> Iterator[tuple[Table, Column]]:
    """Columns whose values are one label each; a value with several labels equals none of them."""
    for table, column in _nameable_columns(schema):
        if column.labels and not holds_several(column.type):
            yield table, column


def _text_columns(schema: Schema) -> Iterator[tuple[Table, Column]]:
    """Columns that may hold other texts than their labels."""
    for table, column in _nameable_columns(schema):
        has_letters = any(character.isalpha() for sample in column.samples for character in sample)
        is_text = has_letters or not (is_numeric_type(column.type) or _NO_TEXT.search(column.type))
        if is_text and (not column.labels or holds_several(column.type)):
            yield table, column


def _nameable_columns(schema: Schema) -> Iterator[tuple[Table, Column]]:
    """Columns whose names a prompt can show unchanged."""
    for table in schema.tables:
        for column in table.columns:
            if is_clean(table.key, NAME_CHARS) and is_clean(column.name, NAME_CHARS):
                yield table, column


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
