"""Which candidate is the answer, and whether there is still a reason to ask another agent."""

from collections import Counter
from typing import NamedTuple

from route_sql.graph.state import Candidate, State
from route_sql.tools.database.outcome import Outcome


class Attempt(NamedTuple):
    """A candidate with its outcome and the reason to doubt it, if there is one."""

    candidate: Candidate
    outcome: Outcome
    complaint: str | None


def attempts(state: State) -> list[Attempt]:
    """Every executed candidate, in order."""
    rows = zip(state.get("candidates", []), state.get("outcomes", []), state.get("complaints", []), strict=True)
    return [Attempt(*row) for row in rows]


def agreed(tried: list[Attempt]) -> bool:
    """Whether two candidates of different wording or agent return the same rows and nobody complains of either."""
    shared = Counter(attempt.outcome["digest"] for attempt in tried if attempt.complaint is None)
    return any(count > 1 for digest, count in shared.items() if digest is not None)


def mended(attempt: Attempt) -> bool:
    """Whether a candidate is another one whose joins were mended."""
    return attempt.candidate["agent"] == "complete_joins"


def best(tried: list[Attempt]) -> Attempt | None:
    """The candidate to answer with.

    Running beats failing, no complaint beats a complaint, a result that more candidates share beats one that fewer
    share, what the model wrote beats what was mended; among equals the earliest, since a later agent only speaks where
    an earlier one was doubted.
    """
    shared = Counter(attempt.outcome["digest"] for attempt in tried if attempt.outcome["digest"] is not None)

    def merit(attempt: Attempt) -> tuple[bool, bool, int, bool]:
        digest = attempt.outcome["digest"]
        return digest is not None, attempt.complaint is None, shared[digest] if digest else 0, not mended(attempt)

    return max(tried, key=merit, default=None)


def newest(tried: list[Attempt]) -> Attempt | None:
    """The last candidate that ran, or the last one: what the published strategy answers with."""
    ran = [attempt for attempt in tried if attempt.outcome["digest"] is not None] or tried
    return ran[-1] if ran else None
