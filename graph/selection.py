"""Selection of the answer among the candidates, and whether two candidates agree."""

from collections import Counter
from collections.abc import Callable, Sequence

from route_sql.graph.fields.proposals import PERSON
from route_sql.graph.state import Attempt, State
from route_sql.tools.database.outcome import ran


def attempts(state: State) -> list[Attempt]:
    """Every executed candidate, in order."""
    return state.get("attempts", [])


def leading(state: State) -> Attempt | None:
    """The candidate that would be the answer now; None if there is none.

    A query that a person wrote or picked comes first. Otherwise the published strategy answers with the newest that
    ran, and every other strategy with the one that samples have voted for, or else with the best. Where none ran, a
    candidate that a person has just rejected leads, since its error says why.
    """
    if settled := settled_by_person(state):
        return settled
    rejected = newest_rejected(state)
    if rejected and not any(ran(attempt["outcome"]) for attempt in attempts(state)):
        return rejected
    published = state["choices"]["strategy"] == "paper"
    return newest_that_ran(attempts(state)) if published else elected(state) or best(attempts(state))


def settled_by_person(state: State) -> Attempt | None:
    """The newest candidate that a person wrote or picked; None if there is none."""
    tried = reversed(attempts(state))
    return next((attempt for attempt in tried if is_a_persons(attempt)), None)


def is_a_persons(attempt: Attempt) -> bool:
    """Whether a person wrote or picked a candidate."""
    return attempt["agent"] == PERSON or attempt.get("decision") in ("edited", "picked")


def newest_rejected(state: State) -> Attempt | None:
    """The newest candidate, if a person rejected it."""
    newest = next(reversed(attempts(state)), None)
    return newest if newest and newest.get("decision") == "rejected" else None


def agreed(tried: Sequence[Attempt]) -> bool:
    """Whether two candidates that differ in wording or agent return the same rows, and neither is doubted."""
    shared = Counter(attempt["outcome"]["digest"] for attempt in tried if attempt["complaint"] is None)
    return any(count > 1 for digest, count in shared.items() if digest is not None)


def is_repaired(attempt: Attempt) -> bool:
    """Whether a candidate is another one with repaired joins."""
    return attempt["agent"] == "complete_joins"


def has_rows(attempt: Attempt) -> bool:
    """Whether a candidate is a query that the model wrote itself, and returned rows."""
    return attempt["outcome"]["status"] == "ok" and not is_repaired(attempt)


def best(tried: Sequence[Attempt]) -> Attempt | None:
    """The candidate to answer with.

    A query that ran beats one that failed, and that beats one that a person rejected. No complaint beats a complaint, a
    result that more candidates share beats one that fewer share, and SQL of the model beats SQL with repaired joins.
    Among equals the earliest is taken, since a later agent is asked only where an earlier one was doubted.
    """
    shared = Counter(attempt["outcome"]["digest"] for attempt in tried if ran(attempt["outcome"]))

    def merit(attempt: Attempt) -> tuple[bool, bool, bool, int, bool]:
        outcome, is_allowed = attempt["outcome"], attempt.get("decision") != "rejected"
        count = shared[outcome["digest"]] if ran(outcome) else 0
        return ran(outcome), is_allowed, attempt["complaint"] is None, count, not is_repaired(attempt)

    return max(tried, key=merit, default=None)


def newest_that_ran(tried: Sequence[Attempt]) -> Attempt | None:
    """The last candidate that ran, or the last one if none did."""
    running = [attempt for attempt in tried if ran(attempt["outcome"])] or tried
    return running[-1] if running else None


def voted_for(state: State) -> list[Attempt]:
    """The candidate of each sample that ran, one entry for each vote; empty before the samples were counted."""
    samples = state.get("samples")
    if not samples or not samples["counted"]:
        return []
    ran_by_sql = {each["sql"]: each for each in reversed(attempts(state)) if ran(each["outcome"])}
    voted = [sample.get("counts_for", "") for sample in samples["drawn"]]
    return [ran_by_sql[sql] for sql in voted if sql in ran_by_sql]


def has_same_result(attempt: Attempt, other: Attempt) -> bool:
    """Whether two candidates ran and returned the same."""
    return ran(attempt["outcome"]) and attempt["outcome"]["digest"] == other["outcome"]["digest"]


def count_votes(attempt: Attempt, state: State) -> int:
    """Number of samples that returned a candidate's result."""
    return sum(has_same_result(vote, attempt) for vote in voted_for(state))


def elected(state: State) -> Attempt | None:
    """The candidate whose result most samples return; None without samples that ran.

    Where there are others, results that are empty or only zeros don't count, and then those of doubted queries. Among
    results with the same number of votes, the one that more other candidates share wins, then the first. The best of
    the candidates with that result is elected.
    """
    votes = _counting_or_all(_counting_or_all(voted_for(state), _says_something), _is_undoubted)
    if not votes:
        return None
    counts = Counter(attempt["outcome"]["digest"] for attempt in votes)
    others = Counter(each["outcome"]["digest"] for each in attempts(state) if not is_sampled(each))
    digest = max(counts, key=lambda each: (counts[each], others[each]))
    return best([each for each in attempts(state) if each["outcome"]["digest"] == digest])


def is_sampled(attempt: Attempt) -> bool:
    """Whether a candidate is a sample, or one with repaired joins."""
    return attempt.get("sampled", False)


def _counting_or_all(votes: list[Attempt], counts: Callable[[Attempt], bool]) -> list[Attempt]:
    """The votes that count, or all of them if none does."""
    return [attempt for attempt in votes if counts(attempt)] or votes


def _says_something(attempt: Attempt) -> bool:
    return attempt["outcome"]["status"] != "empty" and not attempt.get("all_zero", False)


def _is_undoubted(attempt: Attempt) -> bool:
    return attempt["complaint"] is None
