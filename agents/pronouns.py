"""Pronouns that stand for something which the question itself does not name."""

from route_sql.agents.asked_words import AUXILIARY, CHANGE, IMPERATIVE, PREPOSITION, WH, Asked

_PLURAL = frozenset("them they their theirs it its".split())
_SINGULAR = frozenset("he him his she her hers".split())
_DESCRIBING = frozenset("who that which whose with having where whom when".split())
_TIME = frozenset("year month week day quarter century decade morning evening season moment time".split())
_CLAUSE = frozenset("who that which whose where whom when and or but".split())
_STATED = frozenset("true correct possible necessary right case known take takes took".split())
_NEAR = len("many")
"""Place up to which `he` or `her` can't stand for a word of the question."""
_DESCRIBED = 3
"""Number of words after `those` in which a description such as `those employees who` begins."""


def has_open_pronoun(asked: Asked) -> bool:
    """Whether a pronoun stands for something that the question itself does not name."""
    return any(_is_open(asked, place, word) for place, word in enumerate(asked.words))


def _is_open(asked: Asked, place: int, word: str) -> bool:
    if word in _PLURAL:
        return _is_open_plural(asked, place, word)
    if word in _SINGULAR:
        return place <= _NEAR and not asked.names_table(place)
    if word in ("those", "these"):
        return _is_open_plural_demonstrative(asked, place)
    if word in ("that", "this"):
        return _is_open_demonstrative(asked, place, word)
    return word in ("one", "ones") and _is_open_one(asked, place, word)


def _is_open_plural(asked: Asked, place: int, word: str) -> bool:
    """`them`, `their`, `it`: open without an antecedent, and where the only one can't be meant."""
    before, after = asked.words[place - 1 : place], asked.words[place + 1 : place + 2]
    is_it = word in ("it", "its")
    # `Where do they live who have no insurer?` is described later, and the `it` of `Is it true that` means nothing.
    if {*asked.words[place:]} & {"who", "whose", "whom"} and not is_it:
        return False
    if word == "it" and {*after} & _STATED:
        return False
    if not (found := asked.antecedents(place)):
        return True
    if word in ("they", "it") and {*before} & AUXILIARY:
        return _asks_about_subject(asked, place)
    named = [noun for noun in found if asked.is_table(noun)] or found
    return word in ("them", "it") and len(named) == 1 and _is_object_of_one_clause(asked, named[0], place)


def _asks_about_subject(asked: Asked, place: int) -> bool:
    """`What colour is it?`: the pronoun can't stand for the words after `what`."""
    start = asked.words[: place - 1]
    opens = bool({*start[:2]} & WH) and (start[0] in WH or start[0] in PREPOSITION)
    return opens and not {*start} & (AUXILIARY | _CLAUSE - WH)


def _is_object_of_one_clause(asked: Asked, noun: int, place: int) -> bool:
    """`How many doctors work in them?`: an object does not stand for the subject of its own clause."""
    between = {*asked.words[noun + 1 : place]}
    before = {*asked.words[:noun]}
    opens = bool(before & (WH | {"do", "does", "did", "is", "are"})) and not before & {"each", "every", "per"}
    return opens and not between & _CLAUSE


def _is_open_plural_demonstrative(asked: Asked, place: int) -> bool:
    """`those`: open without an antecedent, unless it is described: `those who`, `those employees who`."""
    before, after = asked.words[place - 1 : place], asked.words[place + 1 : place + 2]
    if {*after} <= _DESCRIBING and after:
        return False
    if after and {*asked.words[place + 2 : place + 1 + _DESCRIBED]} & _DESCRIBING and not {*before} & {"of", "which"}:
        return False
    return not (asked.names_table(place) if {*before} & PREPOSITION else asked.antecedents(place))


def _is_open_demonstrative(asked: Asked, place: int, word: str) -> bool:
    """`that` and `this` as a pronoun, or before a noun; `the doctor that` and `this year` are neither."""
    before, after = asked.words[place - 1 : place], asked.words[place + 1 : place + 2]
    points = word == "this" or bool({*before} & (PREPOSITION | AUXILIARY | CHANGE | IMPERATIVE))
    is_noun = not after or after[0] in PREPOSITION | {"down", "again", "instead"} or {*before} <= PREPOSITION
    return points and is_noun and not {*after} & _TIME and not asked.antecedents(place)


def _is_open_one(asked: Asked, place: int, word: str) -> bool:
    """`which one`, `that one`, `the ones`: open unless the question says of what."""
    before, after = asked.words[place - 1 : place], asked.words[place + 1 : place + 2]
    if {*before} & {"which", "that", "this", "these", "those"}:
        return not {*after} & {"of", "among"} and not asked.names_table(place)
    return not asked.names_table() and (bool({*before} & {"the"}) or word == "ones")
