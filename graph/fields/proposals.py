"""SQL that agents have written and that waits to be run, as the state keeps it."""

from typing import Literal, NotRequired

from pydantic import FiniteFloat
from typing_extensions import TypedDict

PERSON = "person"
"""Agent of a query that a person wrote."""


class TokenScores(TypedDict):
    """Log-probabilities (natural logarithms) of the tokens of a reply."""

    total: FiniteFloat
    """Their sum: the log-probability of the whole reply."""
    lowest: FiniteFloat
    """That of the least likely token."""


class Proposal(TypedDict):
    """SQL that an agent has just written and that `execute` has not run yet."""

    agent: str
    sql: str
    scores: NotRequired[TokenScores | None]
    """Scores of the reply; None where the server gives none."""


class Sample(TypedDict):
    """One query that the generator wrote at a temperature."""

    number: int
    """Its number, from 1 on, which is its seed."""
    schema: Literal["full", "linked"]
    """The schema that its prompt showed."""
    sql: str | None
    """The SQL as it was written; None if the reply held none."""
    scores: TokenScores | None
    counts_for: NotRequired[str]
    """SQL of the attempt that it votes for: its own, or the same with repaired joins; missing if it was not run."""


class Samples(TypedDict):
    """The samples of a question in doubt."""

    drawn: list[Sample]
    seconds: FiniteFloat
    """Seconds that drawing them took."""
    counted: bool
    """Whether they were run and count as votes."""
