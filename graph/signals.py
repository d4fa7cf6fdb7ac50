"""Signals of an answer: numbers of a run that tell right answers from wrong ones."""

from math import log1p

from sqlglot import exp

from route_sql.graph.selection import attempts, count_votes, has_same_result, is_repaired, is_sampled, voted_for
from route_sql.graph.state import AnswerKind, Attempt, State
from route_sql.graph.threads.memory import evidence_in
from route_sql.tools.database.outcome import ran
from route_sql.tools.schema.question.coverage import covered_share, texts_of
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.parsing import shared_tree
from route_sql.tools.sql.usage import tables_and_columns

ANSWER_SIGNALS = frozenset(
    {"surprise", "weakest", "votes", "voted_results", "agreeing", "differing", "failing", "doubted", "repaired"}
    | {"empty", "tables", "covered", "unread"}
)
"""Names of the signals of an answer."""
NO_ANSWER_SIGNALS = frozenset({"declined", "unknown", "foreign", "missing", "doubt"})
"""Names of the signals that a database can't answer a question; see `graph/answerable.py`."""


def kind_of(state: State) -> AnswerKind:
    """The kind of an answer: `voted` by samples, else `compared` or `alone`, by the number of the model's candidates.

    A candidate with repaired joins is not a second opinion.
    """
    if voted_for(state):
        return "voted"
    written = [attempt for attempt in attempts(state) if not is_repaired(attempt)]
    return "compared" if len(written) > 1 else "alone"


def signals_of(first: Attempt, state: State, schema: Schema) -> dict[str, float]:
    """Numbers that tell right answers from wrong ones, of the leading candidate.

    `surprise` and `weakest` come from the log-probabilities of its tokens and are missing where the server gives none.
    Samples have their own signals, so that the others mean the same with and without samples.
    """
    tried = [attempt for attempt in attempts(state) if attempt is not first and not is_sampled(attempt)]
    same = [attempt for attempt in tried if has_same_result(attempt, first) and not is_repaired(attempt)]
    results = {attempt["outcome"]["digest"] for attempt in (*tried, first) if ran(attempt["outcome"])}
    return {
        **_token_signals(first),
        **_vote_signals(first, state),
        "agreeing": float(len({attempt["agent"] for attempt in same})),
        "differing": float(max(0, len(results) - 1)),
        "failing": float(sum(not ran(attempt["outcome"]) for attempt in tried)),
        "doubted": float(first["complaint"] is not None),
        "repaired": float(is_repaired(first)),
        "empty": float(first["outcome"]["status"] == "empty"),
        "tables": float(first["tables"]),
        **_text_signals(first["sql"], state, schema),
    }


def _token_signals(attempt: Attempt) -> dict[str, float]:
    scores = attempt.get("scores")
    return {"surprise": log1p(-scores["total"]), "weakest": -scores["lowest"]} if scores else {}


def _vote_signals(first: Attempt, state: State) -> dict[str, float]:
    """The share of samples with the candidate's result, and the number of different results; empty without samples."""
    samples, votes = state.get("samples"), voted_for(state)
    if samples is None or not votes:
        return {}
    results = {attempt["outcome"]["digest"] for attempt in votes}
    share = count_votes(first, state) / len(samples["drawn"])
    return {"votes": round(share, 4), "voted_results": float(len(results))}


def _text_signals(sql: str, state: State, schema: Schema) -> dict[str, float]:
    """Share of the question that the query covers, and number of its literals that no text in the prompt contains."""
    parsed = shared_tree(sql, schema.dialect)
    literals = [str(each.this) for each in parsed.find_all(exp.Literal) if each.is_string] if parsed else []
    turn = state.get("earlier_turn")
    asked, evidence = f"{turn['question'] if turn else ''} {state['question']}", evidence_in(state)
    read = " ".join([asked, evidence, *state.get("context_notes", [])]).casefold()
    unread = [literal for literal in literals if literal.strip("%").casefold() not in read]
    used = texts_of(schema, tables_and_columns(sql, schema))
    return {"covered": covered_share(asked, [*used, *literals]), "unread": float(len(unread))}
