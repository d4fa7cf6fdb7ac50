"""Tables and columns that a question names, and where it names them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from route_sql.tools.schema.question.coverage import COMMON
from route_sql.tools.schema.records import Column, Schema, Table, references
from route_sql.tools.text import singular, words

LONGEST = 4
"""Words of a column's name that are looked for in a question at most."""
SILENT = (COMMON - {"name"}) | {"id", "s"}
"""Words that name no column by themselves; `s` comes from `customer's`."""
CONNECTING = frozenset("a all an and any each every for from in of or s the their this".split())
"""Words between a column and its table, as in "name of each customer"."""
PARTS = frozenset("first last middle full given family sur maiden".split())
"""Words for parts of a person's name: a question about the name means all of them."""

LISTING = frozenset("also among both but neither nor not to too well whether".split())
"""Further words between tables that a question lists, as in "patients but not doctors"."""
TITLES = {"dr": "doctor", "prof": "professor"}
"""Titles before the name of a person, and the table that holds such people."""
DETERMINERS = frozenset("a all an any each every me our the their those your".split())
"""Words that follow a verb: "Name the supervisor" asks for no column `name`."""

ColumnPlace = tuple[str, str]
"""Key of a table, and name of one of its columns."""


@dataclass(frozen=True)
class Mention:
    """Words of the question, from `start` to before `end`, and the columns that they name."""

    start: int
    end: int
    places: tuple[ColumnPlace, ...]


class AskedNames:
    """The words of a question, and the tables and columns that they name."""

    def __init__(self, question: str, schema: Schema, said: Collection[str] = ()) -> None:
        """Look for the names of a schema in a question; `said` are words that name values and therefore no columns."""
        self.tokens = singulars(question)
        self.question = question
        self.own = {(t.key, column.name): own_words(t, column) for t in schema.tables for column in t.columns}
        self.words_of = {t.key: {word for c in t.columns for word in own_words(t, c)} for t in schema.tables}
        self._whole: dict[tuple[str, ...], list[ColumnPlace]] = {}
        self._ending: dict[str, list[ColumnPlace]] = {}
        for place, name in self.own.items():
            self._whole.setdefault(tuple(name), []).append(place)
            self._ending.setdefault(name[-1] if name else "", []).append(place)
        self.parts = {place: {*singulars(place[0]), *singulars(place[1])} for place in self.own}
        self.known = {word for parts in self.parts.values() for word in parts}
        self.references = references(schema)
        self.joined = joined_columns(schema)
        self.views = {table.key for table in schema.tables if table.is_view}
        self.tables = {table.key: list(self._spans(singulars(table.name))) for table in schema.tables}
        self.silent = SILENT | {*said} | {token for token in self.tokens if token.isdigit()}
        self.mentions = list(self._mentions())

    @property
    def settled(self) -> set[str]:
        """Tables with a column that the question names and no other table has."""
        return {mention.places[0][0] for mention in self.mentions if len(mention.places) == 1}

    def is_joined_list(self, keys: Collection[str]) -> bool:
        """Whether the question names these tables side by side, as in "patients but not doctors"."""
        spans = sorted((span for key in keys for span in self.tables[key]), key=lambda span: span.start)
        between = [self.tokens[one.stop : other.start] for one, other in zip(spans, spans[1:], strict=False)]
        return all({"and", "or", "but"} & {*each} and {*each} <= CONNECTING | LISTING for each in between)

    def named_before(self, text: str) -> set[str]:
        """The tables that the question names right before a text, even by a title alone: "Dr. Castellan"."""
        before = singulars(self.question[: max(0, self.question.find(text))])
        before[-1:] = [TITLES.get(word, word) for word in before[-1:]]
        return {key for key in self.tables if (name := singulars(key)) and before[-len(name) :] == name}

    def _spans(self, name: Sequence[str]) -> Iterator[range]:
        """Places of a name's words in the question."""
        for at in range(len(self.tokens) - len(name) + 1):
            if name and self.tokens[at : at + len(name)] == [*name]:
                yield range(at, at + len(name))

    def _mentions(self) -> Iterator[Mention]:
        """The longest phrases that name columns, by their whole names or their last words, and no table."""
        taken = {at for spans in self.tables.values() for span in spans for at in span}
        for length in range(LONGEST, 0, -1):
            for start in range(len(self.tokens) - length + 1):
                span, phrase = {*range(start, start + length)}, self.tokens[start : start + length]
                if taken & span or {*phrase} <= self.silent or self._is_no_column(start, length):
                    continue
                if places := self.without_views(self._places(phrase)):
                    taken |= span
                    yield Mention(start, start + length, tuple(places))

    def without_views(self, places: Sequence[ColumnPlace]) -> list[ColumnPlace]:
        """The columns without those of views, which repeat columns of tables; all columns if only views have them."""
        return [place for place in places if place[0] not in self.views] or [*places]

    def _is_no_column(self, start: int, length: int) -> bool:
        """Whether words are a verb at the beginning, or are compared, as in "the same last name"."""
        is_verb = start == 0 and {*self.tokens[length : length + 1]} <= DETERMINERS and length < len(self.tokens)
        return is_verb or self.tokens[max(0, start - 1) : start] == ["same"]

    def _places(self, phrase: list[str]) -> list[ColumnPlace]:
        whole = self._whole.get(tuple(phrase), [])
        if len(phrase) > 1:
            return whole
        ending = {place: {*self.own[place]} for place in self._ending.get(phrase[0], [])}
        if whole:
            # A table that the question names may have the column under a longer name.
            named = {place: name for place, name in ending.items() if self.tables[place[0]]}
            if not named or any(place in named for place in whole):
                return whole
            ending = named
        best = max((len(name & {*self.tokens}) / len(name) for name in ending.values()), default=0)
        left = [place for place, name in ending.items() if len(name & {*self.tokens}) / len(name) == best]
        # If the question has all of their words, as in "names of winner and loser", it means all of these columns.
        is_all = best == 1 or any(ending[place] & PARTS for place in left)
        return list({place[0]: place for place in reversed(left)}.values()) if is_all else left


def joined_columns(schema: Schema) -> dict[ColumnPlace, ColumnPlace]:
    """The columns that foreign keys join, directly or through a common target; each with the first of its group."""
    groups: dict[ColumnPlace, set[ColumnPlace]] = {}
    for edge in references(schema):
        for source, target in zip(edge.source_columns, edge.target_columns, strict=False):
            pair = (edge.source, source), (edge.target, target)
            both = {place for end in pair for place in groups.get(end, {end})}
            groups.update(dict.fromkeys(both, both))
    return {place: min(group) for place, group in groups.items()}


def own_words(table: Table, column: Column) -> list[str]:
    """The words of a column's name without those of its table: `name` for `city.city_name`."""
    name, head = singulars(column.name), singulars(table.name)
    return name[len(head) :] if name[: len(head)] == head and len(name) > len(head) else name


def singulars(name: str) -> list[str]:
    """The words of a name, in the singular."""
    return [singular(word) for word in words(name)]
