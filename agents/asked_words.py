"""A question in words, and what its words can be: names of the schema, orders, connectives, things to refer to."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from route_sql.tools.schema.question.coverage import COMMON
from route_sql.tools.schema.records import Schema, Table
from route_sql.tools.text import singular, words

WH = frozenset("how what which who whose whom where when why".split())
IMPERATIVE = frozenset("list show give find tell return display get print fetch provide report calculate name".split())
AUXILIARY = frozenset("is are was were do does did has have had can could will would should be".split())
AGGREGATE = frozenset("number total average sum maximum minimum mean median count percentage share names".split())
NARROWING = frozenset("limit exclude include remove add drop break split restrict narrow reverse".split())
ALTERING = frozenset("make change use replace keep repeat redo turn convert".split())
CHANGE = NARROWING | ALTERING | frozenset("sort sorted order ordered group grouped filter rank count".split())
CONNECTIVE = frozenset("and but or also then now so ok okay instead again yes no".split())
RESTRICTION = frozenset("only just except excluding including not without".split())
PREPOSITION = frozenset(
    "by per for in from with of to between after before since until during on at each within under over above below "
    "as ascending descending among".split()
)
GENERIC = frozenset(
    "total top bottom first last next previous percent percentage ratio share ascending descending sum mean "
    "difference result one other rest remaining exactly altogether overall everything".split()
)
_FILLER = frozenset("please thanks thank you hi hello me us".split())
_POLITE = re.compile(
    r"^\W*(?:(?:can|could|would|will) you |let me (?:see|know) "
    r"|i (?:also |just |now )?(?:want|need|would like|'d like) (?:to (?:see|know) )?)",
    re.I,
)
_PRAISE = re.compile(
    r"^\W*(?:(?:that|this|it)(?:'s| is| was) )?(?:very |really )?"
    r"(?:great|good|nice|perfect|cool|fine|excellent|awesome|wonderful|interesting|helpful)(?: job| work)?"
    r"\s*[,.!;-]+\s*",
    re.I,
)
"""`That's great, but order it by age.`"""
_SENTENCE_END = re.compile(r"[.?!]\s+")
_NAMES = frozenset(("IT", "US"))
"""Names that in lower case would be pronouns."""
_SUPERLATIVE = re.compile(r"\w{2,}est|best|worst|\d+")
_DEGREE = frozenset(("most", "least"))
_NOT_NOUNS = COMMON | IMPERATIVE | CHANGE | RESTRICTION | CONNECTIVE | _FILLER | GENERIC | PREPOSITION


@dataclass(frozen=True)
class Asked:
    """A question in words, with the words in the names of tables, of columns, and of the earlier query's columns."""

    words: Sequence[str]
    tables: frozenset[str]
    columns: frozenset[str]
    earlier: frozenset[str] = frozenset()
    sentences: frozenset[int] = frozenset()
    """Places of the words that begin a further sentence."""

    def from_word(self, place: int) -> "Asked":
        """The question from a word to its end."""
        return replace(self, words=self.words[place:], sentences=frozenset(at - place for at in self.sentences))

    def names_table(self, end: int | None = None) -> bool:
        """Whether a word of a table's name is among the words before the place."""
        return any(singular(word) in self.tables for word in self.words[:end])

    def is_table(self, place: int) -> bool:
        """Whether a word belongs to a table's name."""
        return self.noun(place) in self.tables

    def is_name(self, place: int) -> bool:
        """Whether a word belongs to the name of a table or a column."""
        return self.is_noun(place) and self.noun(place) in self.tables | self.columns

    def antecedents(self, end: int) -> list[int]:
        """Places before `end` of words that a pronoun there can stand for; an attribute such as `age` can't."""
        places = [place for place in range(end) if self.is_noun(place)]
        return [place for place in places if (noun := self.noun(place)) in self.tables or noun not in self.columns]

    def is_later_clause(self, place: int) -> bool:
        """Whether an earlier clause or sentence has a noun, which a pronoun at this place can mean."""
        breaks = [at for at in range(place) if at in self.sentences or self.words[at] in ("and", "or", "but")]
        return any(self.is_noun(earlier) for at in breaks[-1:] for earlier in range(at))

    def own_words(self) -> list[str]:
        """Words that say what the question is about, without question words, orders, aggregates and superlatives."""
        known = COMMON | IMPERATIVE | CHANGE | GENERIC | PREPOSITION | AGGREGATE - {"names"}
        places = [place for place, word in enumerate(self.words) if word not in known]
        return [self.words[place] for place in places if not self.is_superlative(place)]

    def is_superlative(self, place: int) -> bool:
        """Whether a word is a superlative or a number: `oldest`, and `expensive` after `most`, unless it is a name."""
        word = self.words[place]
        is_behind = {*self.words[place - 1 : place]} <= _DEGREE and place > 0
        return bool(_SUPERLATIVE.fullmatch(word)) or (is_behind and self.noun(place) not in self.tables | self.columns)

    def is_request(self) -> bool:
        """Whether the words ask for something: by a question word, an order, an aggregate, or an auxiliary in front."""
        asked = self.words
        return bool({*asked} & (WH | IMPERATIVE)) or asked[0] in AUXILIARY or bool({*asked[:2]} & AGGREGATE)

    def noun(self, place: int) -> str:
        """The word at a place, in the singular."""
        return singular(self.words[place])

    def is_noun(self, place: int) -> bool:
        """Whether a word may be a noun; False behind the end."""
        if place >= len(self.words):
            return False
        # `How old are they?`: the word after `how` is not a noun.
        return self.words[place] not in _NOT_NOUNS and "how" not in self.words[max(place - 1, 0) : place]


def asked_words(question: str, schema: Schema, earlier: Iterable[str] = ()) -> Asked:
    """A question in words.

    Args:
        question: The question.
        schema: The schema, which has the names.
        earlier: Keys of the tables that the query before it reads.
    """
    parts = _SENTENCE_END.split(_POLITE.sub("", _PRAISE.sub("", question)).replace("'s", " is"))
    plain = [re.findall(r"\w+", part) for part in parts]
    lowered = [[word if word in _NAMES else word.casefold() for word in part] for part in plain]
    said = [[word for word in part if word not in _FILLER] for part in lowered]
    known = {*earlier}
    return Asked(
        [word for part in said for word in part],
        frozenset(singular(word) for table in schema.tables for word in words(table.name)),
        _column_words(schema.tables),
        _column_words(table for table in schema.tables if table.key in known),
        frozenset(accumulate(len(part) for part in said[:-1])),
    )


def _column_words(tables: Iterable[Table]) -> frozenset[str]:
    return frozenset(singular(word) for table in tables for each in table.columns for word in words(each.name))
