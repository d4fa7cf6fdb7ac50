"""Decisions of a person, and the points that a person is asked about, as the state keeps them."""

from typing import Literal

from typing_extensions import TypedDict

Decision = Literal["approved", "edited", "picked", "rejected"]
"""A person's decision about a candidate: `approved` if it may run, `edited` if the person wrote it, `picked` if the
person took it as the answer, `rejected` if it must not run."""

SAID = "A person said: "
"""Beginning of the note about what a person has said, which is evidence from then on."""


class Point(TypedDict):
    """Something unclear that a person is asked about."""

    ask: str
    """The question to the person."""
    words: str
    """The words of the question that are unclear; blank where it is not about words."""
    readings: list[str]
    """The meanings to choose from; empty for an answer in the person's own words."""
