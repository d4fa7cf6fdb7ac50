"""Reasons to doubt an answer, in short sentences for the person who reads it."""

from collections.abc import Sequence

from route_sql.graph.selection import attempts, count_votes, has_same_result, is_repaired, leading, voted_for
from route_sql.graph.state import Attempt, State
from route_sql.tools.database.outcome import Outcome, ran

AGENTS = {
    "draft": "the draft",
    "generate": "the second opinion",
    "complete_joins": "the query with repaired joins",
    "correct_noise": "the correction",
    "continue_writing": "the continuation",
    "sample": "a sample",
    "person": "the person's query",
}
"""Names of candidates in these sentences, by the agent that wrote them."""
LIKELY = 0.5
"""Probability that the database can't answer, from which on an answer that is given anyway says so."""


def doubts_of(state: State) -> list[str]:
    """The doubts about the leading candidate, the gravest first."""
    first = leading(state)
    if first is None:
        return []
    assessment = state.get("assessment")
    # After a person has picked another candidate, the assessment is still that of the one that led before.
    signals = assessment["signals"] if assessment and assessment["sql"] == first["sql"] else {}
    found = [
        first["complaint"],
        _no_answer(state),
        _vote(first, state) or _disagreement(first, attempts(state)),
        "The joins were repaired by a rule, not written by the model." if is_repaired(first) else None,
        "The schema was cut, so a table or column may be missing." if state.get("shown_schema") else None,
        "The query names a value that is neither in the question nor in its notes." if signals.get("unread") else None,
        "No word of the question names a table, column or value of the query." if signals.get("covered") == 0 else None,
    ]
    return [doubt for doubt in found if doubt]


def _no_answer(state: State) -> str | None:
    """Sentence on the database, which likely lacks something that the question needs."""
    judged = state.get("no_answer")
    if judged is None or judged["probability"] < LIKELY:
        return None
    return f"The database may not hold the answer: {judged['reason']}."


def _vote(first: Attempt, state: State) -> str | None:
    """Sentence on the samples that returned something else; None if there are none."""
    samples = state.get("samples")
    if samples is None or not voted_for(state):
        return None
    same, drawn = count_votes(first, state), len(samples["drawn"])
    return f"Only {same} of {drawn} samples returned the answer's rows." if same < drawn else None


def _disagreement(first: Attempt, tried: Sequence[Attempt]) -> str | None:
    """The first candidate that returned something else."""
    if not ran(first["outcome"]):
        return None
    other = next((each for each in tried if ran(each["outcome"]) and not has_same_result(each, first)), None)
    if other is None or other["agent"] == first["agent"]:
        return None
    names = f"{_name(first)} and {_name(other)}"
    return f"{names[0].upper()}{names[1:]} disagree: {_rows(first['outcome'])} against {_rows(other['outcome'])}."


def _name(attempt: Attempt) -> str:
    return AGENTS.get(attempt["agent"], attempt["agent"])


def _rows(outcome: Outcome) -> str:
    count = outcome["row_count"]
    more = "more than " if outcome["truncated"] else ""
    return f"{more}{count} row{'' if count == 1 else 's'}"
