"""Decisions of a person, and the points that a person is asked about, as the state keeps them."""

from collections.abc import Sequence
from typing import Literal

from typing_extensions import TypedDict

Decision = Literal["approved", "edited", "picked", "rejected"]
"""A person's decision about a candidate: `approved` if it may run, `edited` if the person wrote it, `picked` if the
person took it as the answer, `rejected` if it must not run."""

SAID = "A person said: "
"""Beginning of the note about what a person has said, which is evidence from then on."""
_REFERS_TO = '" refers to '
_BETWEEN = "; "


class Point(TypedDict):
    """Something unclear that a person is asked about."""

    ask: str
    """The question to the person."""
    words: str
    """The words of the question that are unclear; blank where it is not about words."""
    readings: list[str]
    """The meanings to choose from; empty for an answer in the person's own words."""


def chosen_reading(words: str, reading: str) -> str:
    """The sentence on a reading of unclear words that a person has chosen."""
    return f'"{words}{_REFERS_TO}{reading}'


def with_said(said: str, evidence: str) -> str:
    """The evidence with what a person has said: first, since a prompt shows only the beginning of long evidence."""
    return _BETWEEN.join(each for each in (said, evidence) if each)


def without_readings(evidence: str, notes: Sequence[str]) -> str:
    """The evidence without the readings that a person has chosen: they name columns and values of the database.

    The caller's evidence and a person's own words are left. All of it is removed if it is not as `with_said` made it.

    Args:
        evidence: The evidence.
        notes: The run's notes, which hold each sentence that was added.
    """
    own = []
    for said in [note.removeprefix(SAID) for note in reversed(notes) if note.startswith(SAID)]:
        if not evidence.startswith(said):
            return ""
        evidence = evidence.removeprefix(said).removeprefix(_BETWEEN)
        own += [] if _REFERS_TO in said else [said]
    return _BETWEEN.join([*own, *([evidence] if evidence else [])])
