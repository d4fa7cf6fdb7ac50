"""Selection of the answer among the candidates, and whether two candidates agree."""

from collections import Counter
from collections.abc import Sequence

from route_sql.graph.state import Attempt, State
from route_sql.tools.database.outcome import ran


def attempts(state: State) -> list[Attempt]:
    """Every executed candidate, in order."""
    return state.get("attempts", [])


def leading(state: State) -> Attempt | None:
    """The candidate that would be the answer now; None if there is none.

    A query that a person wrote or picked comes first. The published strategy answers with the newest that ran, every
    other with the best. Where none ran, the one that a person has just rejected says why.
    """
    if settled := settled_by_person(state):
        return settled
    rejected = newest_rejected(state)
    if rejected and not any(ran(attempt["outcome"]) for attempt in attempts(state)):
        return rejected
    published = state["choices"]["strategy"] == "paper"
    return newest_that_ran(attempts(state)) if published else best(attempts(state))


def settled_by_person(state: State) -> Attempt | None:
    """The newest candidate that a person wrote or picked; None if there is none."""
    tried = reversed(attempts(state))
    return next((attempt for attempt in tried if attempt.get("decision") in ("edited", "picked")), None)


def newest_rejected(state: State) -> Attempt | None:
    """The newest candidate, if a person rejected it."""
    newest = next(reversed(attempts(state)), None)
    return newest if newest and newest.get("decision") == "rejected" else None


def agreed(tried: Sequence[Attempt]) -> bool:
    """Whether two candidates of different wording or agent return the same rows and neither is doubted."""
    shared = Counter(attempt["outcome"]["digest"] for attempt in tried if attempt["complaint"] is None)
    return any(count > 1 for digest, count in shared.items() if digest is not None)


def is_repaired(attempt: Attempt) -> bool:
    """Whether a candidate is another one with repaired joins."""
    return attempt["agent"] == "complete_joins"


def best(tried: Sequence[Attempt]) -> Attempt | None:
    """The candidate to answer with.

    Running beats failing, no complaint beats a complaint, a result that more candidates share beats one that fewer
    share, SQL that the model wrote beats SQL with repaired joins; among equals the earliest, since a later agent only
    speaks where an earlier one was doubted.
    """
    shared = Counter(attempt["outcome"]["digest"] for attempt in tried if ran(attempt["outcome"]))

    def merit(attempt: Attempt) -> tuple[bool, bool, int, bool]:
        outcome = attempt["outcome"]
        count = shared[outcome["digest"]] if ran(outcome) else 0
        return ran(outcome), attempt["complaint"] is None, count, not is_repaired(attempt)

    return max(tried, key=merit, default=None)


def newest_that_ran(tried: Sequence[Attempt]) -> Attempt | None:
    """The last candidate that ran, or the last one if none did."""
    running = [attempt for attempt in tried if ran(attempt["outcome"])] or tried
    return running[-1] if running else None
