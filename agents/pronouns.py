"""Pronouns that stand for something which the question itself does not name."""

from route_sql.agents.asked_words import AUXILIARY, CHANGE, IMPERATIVE, PREPOSITION, WH, Asked

_PLURAL = frozenset("them they their theirs it its".split())
_SINGULAR = frozenset("he him his she her hers".split())
_DESCRIBING = frozenset("who that which whose with having where whom when".split())
_TIME = frozenset("year month week day quarter century decade morning evening season moment time".split())
_CLAUSE = frozenset("who that which whose where whom when and or but".split())
_STATED = frozenset("true correct possible necessary right case known take takes took".split())
_HERE = frozenset("database data dataset table system record question query".split())
"""Things that `this` points at without an earlier question."""
_AFTER_EACH = frozenset("one have has had get gets".split())
"""Words before which `each` is a pronoun."""
_NEAR = 4
"""Place up to which `he` or `her` has no word before it that it can stand for, as in `How many votes did he get`."""
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
    if word == "each":
        return _is_open_each(asked, place)
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
    if word in ("its", "their"):
        return bool(after) and _belongs_to_another(asked, named, place)
    return word in ("them", "it") and len(named) == 1 and _is_object_of_one_clause(asked, named[0], place)


def _belongs_to_another(asked: Asked, named: list[int], place: int) -> bool:
    """`the numbers of its flights`: flights don't belong to flights, and nothing else is named."""
    is_alone = not asked.is_noun(place + 2) and not asked.is_later_clause(place)
    return is_alone and {asked.noun(noun) for noun in named} == {asked.noun(place + 1)}


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
    is_opening = place == 1 and {*before} <= PREPOSITION  # `Of these, which were sold?`
    if {*after} <= _DESCRIBING and after and not is_opening:
        return False
    if after and {*asked.words[place + 2 : place + 1 + _DESCRIBED]} & _DESCRIBING and not {*before} & {"of", "which"}:
        return False
    if _is_new_noun(asked, place + 1) or ({*before} & AUXILIARY and not after):
        return True
    if not after and not _names_several(asked, place):
        return True
    return not (asked.names_table(place) if {*before} & PREPOSITION else asked.antecedents(place))


def _is_open_demonstrative(asked: Asked, place: int, word: str) -> bool:
    """`that` and `this` as a pronoun, or before a noun; `the doctor that` and `this year` are neither."""
    before, after = asked.words[place - 1 : place], asked.words[place + 1 : place + 2]
    is_object = place + 2 == len(asked.words)
    points = word == "this" or is_object or bool({*before} & (PREPOSITION | AUXILIARY | CHANGE | IMPERATIVE))
    is_noun = not after or after[0] in PREPOSITION | {"down", "again", "instead"} or {*before} <= PREPOSITION
    is_new = _is_new_noun(asked, place + 1) and not {*before} & CHANGE
    if points and is_new and not {*after} & (_TIME | _HERE):
        return True
    return points and is_noun and not {*after} & _TIME and not asked.antecedents(place)


def _is_open_one(asked: Asked, place: int, word: str) -> bool:
    """`which one`, `that one`, `the ones`, `the largest one`: open unless the question says of what."""
    before, after = asked.words[place - 1 : place], asked.words[place + 1 : place + 2]
    if {*before} & {"which", "that", "this", "these", "those"}:
        return not {*after} & {"of", "among"} and not asked.names_table(place)
    if before != ["the"] and "the" in asked.words[max(place - 3, 0) : place]:
        return not after and not _names_what_one_is(asked, place)
    return not asked.names_table() and (bool({*before} & {"the"}) or word == "ones")


def _names_what_one_is(asked: Asked, place: int) -> bool:
    """Whether a noun before `the largest one` says of what; in `the size of the largest one`, `size` does not."""
    begin = max(at for at in range(place) if asked.words[at] == "the")
    is_of = asked.words[begin - 1 : begin] == ["of"]
    return bool(asked.antecedents(begin - 2 if is_of else begin))


def _is_open_each(asked: Asked, place: int) -> bool:
    """`How many votes did each get?`: the pronoun can't stand for the words after `how many`."""
    before, after = asked.words[place - 1 : place], asked.words[place + 1 : place + 2]
    return {*after} <= _AFTER_EACH and bool({*before} & AUXILIARY) and _asks_about_subject(asked, place)


def _is_new_noun(asked: Asked, place: int) -> bool:
    """Whether the word at a place is a name of the schema that nothing before it names or describes."""
    is_described = bool({*asked.words[place + 1 : place + 2]} & _DESCRIBING)
    if not asked.is_name(place) or is_described or asked.is_later_clause(place):
        return False
    return asked.noun(place) not in map(asked.noun, range(place))


def _names_several(asked: Asked, end: int) -> bool:
    """Whether `those` can stand for a noun before it: one in the plural, or each of something."""
    is_plural = any(asked.is_noun(place) and asked.noun(place) != asked.words[place] for place in range(end))
    return is_plural or bool({*asked.words[:end]} & {"each", "every", "all", "any", "and"})
