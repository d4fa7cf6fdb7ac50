"""Whether a question refers to the one before it, judged by its words alone.

The same question always gets the same result.

A question that is whole on its own is not a follow-up, even on a thread. In doubt it is whole: a model that is shown an
earlier question which has nothing to do with this one is misled, while a follow-up without it is only incomplete.
"""

import re
from collections.abc import Iterable, Sequence
from unicodedata import name

from route_sql.agents.asked_words import (
    AUXILIARY,
    CHANGE,
    CONNECTIVE,
    GENERIC,
    IMPERATIVE,
    NARROWING,
    PREPOSITION,
    RESTRICTION,
    WH,
    Asked,
    asked_words,
)
from route_sql.agents.pronouns import has_open_pronoun
from route_sql.tools.schema.records import Schema
from route_sql.tools.text import singular, words

_POINTING = frozenset("that this them they their theirs it its those these".split())
_OPENINGS = (
    ("what", "about"),
    ("how", "about"),
    ("what", "if"),
    ("the", "same"),
    ("same",),
    ("back", "to"),
    ("going", "back"),
    ("as", "before"),
)
_CONTEXT = frozenset("result results list answer query output above previous".split())
"""Nouns for something that the thread has shown."""
_SHOWN = frozenset("list answer output".split())
"""Those of them that stand for nothing else after `in the` or `from the`."""
_SUPERLATIVE_END = re.compile(r"most|least|\w{2,}est")
_WHOLE = 5
"""Number of words from which a question after `and` is complete, if it names a table."""
_FRAGMENT = 2
"""Number of words at most in a fragment such as `Oslo` or `the oldest`."""


def refers_back(question: str, schema: Schema, earlier: Iterable[str] = ()) -> bool:
    """Whether a question can only be understood after another one, such as `And by month?` or `Which of them?`.

    Args:
        question: The question, in words.
        schema: The schema: a question that names one of its tables is more likely whole.
        earlier: Keys of the tables that the earlier query reads. `Average age?` is about these, if they
            have an age.
    """
    asked = asked_words(question, schema, earlier)
    if not asked.words:
        return False
    return (
        _begins_as_follow_up(asked)
        or has_open_pronoun(asked)
        or _lacks_a_noun(asked)
        or _ends_as_follow_up(asked)
        or _names_the_result(asked)
        or _asks_for_its_columns(asked)
    )


def names_one_of(question: str, schema: Schema, tables: Iterable[str]) -> bool:
    """Whether a question has a word of the name of one of some tables, given by their keys."""
    keys = {*tables}
    known = {singular(word) for table in schema.tables if table.key in keys for word in words(table.name)}
    return any(singular(word) in known for word in asked_words(question, schema).words)


def _begins_as_follow_up(asked: Asked) -> bool:
    first, *rest = asked.words
    if any(tuple(asked.words[: len(opening)]) == opening for opening in _OPENINGS):
        return True
    if first in CONNECTIVE | RESTRICTION:
        return not _is_whole(_without_connectives(asked))
    if first == "where":
        return bool(rest) and not {*rest[:1]} & AUXILIARY
    if asked.is_request():
        return first in IMPERATIVE and bool({*rest[:2]} & RESTRICTION) and not asked.names_table()
    if first in PREPOSITION | NARROWING:
        return True
    if first in CHANGE:
        return bool({*rest[:1]} & (PREPOSITION | _POINTING)) or not asked.names_table()
    return _is_fragment(asked)


def _without_connectives(asked: Asked) -> Asked:
    skipped = CONNECTIVE | RESTRICTION
    return asked.from_word(next((i for i, word in enumerate(asked.words) if word not in skipped), len(asked.words)))


def _is_whole(asked: Asked) -> bool:
    """Whether the words after a connective are a complete question."""
    if not asked.words or not asked.names_table() or not asked.is_request() or has_open_pronoun(asked):
        return False
    return asked.words[0] in IMPERATIVE or len(asked.words) >= _WHOLE


def _is_fragment(asked: Asked) -> bool:
    """A value, a superlative or a number: `Oslo?`, `the oldest?`, `the top five`, `month by month`."""
    own = [place for place, word in enumerate(asked.words) if word != "the"]
    if asked.names_table() or not own:
        return False
    first, last = asked.words[own[0]], asked.words[own[-1]]
    is_first = first in GENERIC or asked.is_superlative(own[0])
    is_repeated = len(own) > 1 and first == last
    return is_first or is_repeated or (len(own) <= _FRAGMENT and all(map(_may_be_a_value, asked.words)))


def _may_be_a_value(word: str) -> bool:
    """Whether a word may be all of a question, as `Oslo?` is.

    The rules know no question words of other scripts, and some of these write a whole question as one word.
    """
    return word.isascii() or all(name(letter, "").startswith(("LATIN", "DIGIT")) for letter in word)


def _lacks_a_noun(asked: Asked) -> bool:
    """Whether it asks for a number or a superlative of nothing: `How many in May?`, `Which is the oldest?`."""
    if not asked.is_request():
        return False
    if (found := _after(asked.words, ("how", "many"))) is not None:
        following = found[:1]
        if not following or {*following} & (PREPOSITION - {"of"}):
            return True
        return bool({*following} & (AUXILIARY | {"of", "there"})) and not asked.names_table()
    if _chooses_from_nothing(asked):
        return True
    if asked.words[0] in WH and len(asked.words) == _FRAGMENT and not asked.names_table():
        return True
    return not asked.own_words() and not asked.names_table()


def _chooses_from_nothing(asked: Asked) -> bool:
    """`Which has more goals?`, `Which are female?`, `Any from Oslo?`: no noun says from what."""
    words = asked.words
    if words[0] == "which" and {*words[1:2]} & AUXILIARY:
        if words[1] in ("has", "have", "had", "do", "does", "did"):
            return not asked.names_table()
        end = next((place for place, word in enumerate(words) if word in PREPOSITION), None)
        return not {*words[2:3]} <= {"the", "a", "an"} and not asked.names_table(end)
    is_any = "any" in words[:3] and bool({*words[words.index("any") + 1 :][:1]} & PREPOSITION)
    return is_any and not asked.names_table()


def _ends_as_follow_up(asked: Asked) -> bool:
    last, before = asked.words[-1], asked.words[-2:-1]
    if (found := _after(asked.words, ("else",))) is not None and asked.words[-len(found) - 2] in WH:
        return True
    if last == "there":
        # `Which trains stop there?`: the only noun is not the place.
        is_short = asked.words[0] in WH and len(asked.words) <= _WHOLE
        return not {*before} & AUXILIARY and (is_short or not asked.names_table())
    if last == "instead" or asked.words[-2:] in (["the", "others"], ["the", "rest"]):
        return True
    # `Which course has the most?`
    if {*asked.words[-3:-2]} & {"has", "have", "had"} and _SUPERLATIVE_END.fullmatch(last):
        opening = max((place for place, word in enumerate(asked.words) if word in WH), default=0)
        return before == ["the"] and not asked.antecedents(opening)
    return (last in ("again", "too", "also") or asked.words[-2:] == ["as", "well"]) and not asked.names_table()


def _names_the_result(asked: Asked) -> bool:
    """`Sort the result`, `from the list`: words for the rows that were shown, unless the schema has such a name."""
    return any(_is_result(asked, place, word) for place, word in enumerate(asked.words))


def _is_result(asked: Asked, place: int, word: str) -> bool:
    after = {*asked.words[place + 1 : place + 2]}
    if word == "above" and after & AUXILIARY:
        return True
    points = {*asked.words[max(place - 1, 0) : place]} & {"the", "this", "that", "those", "these"}
    if word not in _CONTEXT or not points or singular(word) in asked.tables | asked.columns:
        return False
    if word in _SHOWN and {*asked.words[max(place - 2, 0) : place - 1]} & {"in", "from", "on"}:
        return not after & {"of", "for"}
    return after <= PREPOSITION - {"of", "for"} and not asked.antecedents(place)


def _asks_for_its_columns(asked: Asked) -> bool:
    """`Average age?` names nothing but columns of the tables that the earlier query reads."""
    own = [singular(word) for word in asked.own_words() if not word.endswith("ly") and word != "well"]
    return bool(own) and asked.is_request() and not asked.names_table() and {*own} <= asked.earlier


def _after(asked: Sequence[str], phrase: Iterable[str]) -> Sequence[str] | None:
    """The words after a phrase; None if it does not occur."""
    wanted = list(phrase)
    place = next((i for i in range(len(asked)) if list(asked[i : i + len(wanted)]) == wanted), None)
    return None if place is None else asked[place + len(wanted) :]
