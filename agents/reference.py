"""Whether a question refers to the one before it, by words alone: the same question always gives the same reply.

A question that is whole on its own is not a follow-up, even on a thread. In doubt it is whole: a model that is shown an
earlier question which has nothing to do with this one is misled, while a follow-up without it is only incomplete.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from route_sql.tools.schema.question.coverage import COMMON
from route_sql.tools.schema.records import Schema
from route_sql.tools.text import singular, words

_WH = frozenset("how what which who whose whom where when why".split())
_IMPERATIVE = frozenset("list show give find tell return display get print fetch provide report calculate name".split())
_AUXILIARY = frozenset("is are was were do does did has have had can could will would should be".split())
_AGGREGATE = frozenset("number total average sum maximum minimum mean median count percentage share names".split())
_NARROWING = frozenset("limit exclude include remove add drop break split restrict narrow reverse".split())
_CHANGE = _NARROWING | frozenset("sort sorted order ordered group grouped filter rank count".split())
_CONNECTIVE = frozenset("and but or also then now so ok okay instead again yes no".split())
_RESTRICTION = frozenset("only just except excluding including not without".split())
_FILLER = frozenset("please thanks thank you hi hello me us".split())
_PREPOSITION = frozenset(
    "by per for in from with of to between after before since until during on at each within under over above below "
    "as ascending descending among".split()
)
_PLURAL = frozenset("them they their theirs it its".split())
_SINGULAR = frozenset("he him his she her hers".split())
_CATAPHORIC = frozenset("who that which whose with having where whom".split())
_TIME = frozenset("year month week day quarter century decade morning evening season moment time".split())
_GENERIC = frozenset(
    "total top bottom first last next previous percent percentage ratio share ascending descending sum mean "
    "difference result one other rest remaining exactly altogether overall everything".split()
)
_SUPERLATIVE = re.compile(r"\w{2,}est|best|worst|\d+")
_WHOLE = 5
"""Words from which a question behind `and` is whole, if it names a table."""
_FRAGMENT = 2
"""Most words of an answer such as `Oslo` or `the oldest`."""


@dataclass(frozen=True)
class _Asked:
    """A question in words, and the words of the schema's names."""

    words: Sequence[str]
    tables: frozenset[str]
    columns: frozenset[str]

    def names_table(self, end: int | None = None) -> bool:
        return any(singular(word) in self.tables for word in self.words[:end])

    def has_antecedent(self, end: int) -> bool:
        """Whether a word before the place can be the noun of a pronoun there; an attribute such as `age` can't."""
        known = COMMON | _IMPERATIVE | _CHANGE | _RESTRICTION | _CONNECTIVE | _FILLER | _GENERIC | _PREPOSITION
        nouns = (singular(word) for word in self.words[:end] if word not in known)
        return any(noun in self.tables or noun not in self.columns for noun in nouns)


def refers_back(question: str, schema: Schema) -> bool:
    """Whether a question can only be understood after another one, such as `And by month?` or `Which of them?`.

    Args:
        question: The question, in words.
        schema: The schema: a question that names one of its tables is more likely whole.
    """
    asked = _asked(question, schema)
    if not asked.words:
        return False
    return _begins_as_follow_up(asked) or _has_open_pronoun(asked) or _lacks_a_noun(asked) or _ends_as_follow_up(asked)


def _asked(question: str, schema: Schema) -> _Asked:
    tables = frozenset(singular(word) for table in schema.tables for word in words(table.name))
    columns = frozenset(
        singular(word) for table in schema.tables for each in table.columns for word in words(each.name)
    )
    found = [word for word in re.findall(r"\w+", question.replace("'s", " is").casefold()) if word not in _FILLER]
    return _Asked(found, tables, columns)


def _begins_as_follow_up(asked: _Asked) -> bool:
    first, *rest = asked.words
    if (first, *rest[:1]) in {("what", "about"), ("how", "about"), ("what", "if"), ("the", "same")} or first == "same":
        return True
    if first in _CONNECTIVE | _RESTRICTION:
        after = _without_connectives(asked)
        return not _is_whole(after)
    if first == "where":
        return bool(rest) and not {*rest[:1]} & _AUXILIARY
    if _is_request(asked.words):
        return False
    if first in _PREPOSITION:
        return True
    if first in _NARROWING:
        return True
    if first in _CHANGE:
        return bool({*rest[:1]} & (_PREPOSITION | _PLURAL | {"that", "this"})) or not asked.names_table()
    return _is_fragment(asked)


def _without_connectives(asked: _Asked) -> _Asked:
    place = next((i for i, word in enumerate(asked.words) if word not in _CONNECTIVE | _RESTRICTION), len(asked.words))
    return _Asked(asked.words[place:], asked.tables, asked.columns)


def _is_whole(asked: _Asked) -> bool:
    """Whether the words behind a connective are a question of their own."""
    if not asked.words or not asked.names_table() or not _is_request(asked.words) or _has_open_pronoun(asked):
        return False
    return asked.words[0] in _IMPERATIVE or len(asked.words) >= _WHOLE


def _is_request(asked: Sequence[str]) -> bool:
    """Whether the words ask for something: a question word, an order, an auxiliary in front, or an aggregate."""
    return bool({*asked} & (_WH | _IMPERATIVE)) or asked[0] in _AUXILIARY or bool({*asked[:2]} & _AGGREGATE)


def _is_fragment(asked: _Asked) -> bool:
    """A value, a superlative or a number: `Oslo?`, `the oldest?`, `the top five`, `month by month`."""
    own = [word for word in asked.words if word != "the"]
    if asked.names_table() or not own:
        return False
    is_first = own[0] in _GENERIC or bool(_SUPERLATIVE.fullmatch(own[0]))
    return len(own) <= _FRAGMENT or is_first or own[0] == own[-1]


def _has_open_pronoun(asked: _Asked) -> bool:
    """Whether a pronoun means something that the question itself does not name."""
    return any(_is_open(asked, place, word) for place, word in enumerate(asked.words))


def _is_open(asked: _Asked, place: int, word: str) -> bool:
    before, after = asked.words[place - 1 : place], asked.words[place + 1 : place + 2]
    if word in _PLURAL:
        # `it` in `Is it true that` means nothing, and `they` in `Where do they live who` is explained later.
        is_described = {*asked.words[place:]} & {"who", "whose", "whom"} and word not in ("it", "its")
        is_empty = word == "it" and {*before} & _AUXILIARY
        return not (is_described or is_empty or asked.has_antecedent(place))
    if word in _SINGULAR:
        return place <= len("many") and not asked.names_table(place)
    if word in ("those", "these"):
        is_described = {*after} <= _CATAPHORIC and bool(after)
        has_own = asked.names_table(place) if {*before} & _PREPOSITION else asked.has_antecedent(place)
        return not is_described and not has_own
    if word in ("that", "this"):
        points = word == "this" or bool({*before} & (_PREPOSITION | _AUXILIARY | _CHANGE | _IMPERATIVE))
        is_noun = not after or after[0] in _PREPOSITION | {"down", "again", "instead"} or {*before} <= _PREPOSITION
        return points and is_noun and not {*after} & _TIME and not asked.has_antecedent(place)
    if word in ("ones", "one"):
        return not asked.names_table() and bool({*before} & {"which", "the"} or word == "ones")
    return False


def _lacks_a_noun(asked: _Asked) -> bool:
    """Whether it asks for a number or a superlative of nothing: `How many in May?`, `Which is the oldest?`."""
    if not _is_request(asked.words):
        return False
    if (found := _after(asked.words, ("how", "many"))) is not None:
        following = found[:1]
        if not following or {*following} & (_PREPOSITION - {"of"}):
            return True
        return bool({*following} & (_AUXILIARY | {"of", "there"})) and not asked.names_table()
    known = COMMON | _IMPERATIVE | _CHANGE | _GENERIC | _PREPOSITION
    own = [word for word in asked.words if word not in known and not _SUPERLATIVE.fullmatch(word)]
    return not own and not asked.names_table()


def _ends_as_follow_up(asked: _Asked) -> bool:
    last, before = asked.words[-1], asked.words[-2:-1]
    if (found := _after(asked.words, ("else",))) is not None and asked.words[-len(found) - 2] in _WH:
        return True
    if last == "there":
        return not {*before} & _AUXILIARY and not asked.names_table()
    if last == "instead" or asked.words[-2:] in (["the", "others"], ["the", "rest"]):
        return True
    return (last in ("again", "too") or asked.words[-2:] == ["as", "well"]) and not asked.names_table()


def _after(asked: Sequence[str], phrase: Iterable[str]) -> Sequence[str] | None:
    """The words behind a phrase; None if it does not occur."""
    wanted = list(phrase)
    place = next((i for i in range(len(asked)) if list(asked[i : i + len(wanted)]) == wanted), None)
    return None if place is None else asked[place + len(wanted) :]
