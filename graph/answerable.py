"""Whether the database can answer a question, by the model's reply, its SQL, and the words that the schema knows.

A tuned model replies with a reason in place of SQL, or writes a column that no table has. For other models a question
is irrelevant if no word of it or of its evidence names anything in the database.
"""

from collections.abc import Sequence
from math import exp

from route_sql.agents import no_answer
from route_sql.agents.call import Reply
from route_sql.graph.calls.ledger import calls_of
from route_sql.graph.confidence import Calibration
from route_sql.graph.selection import agreed, attempts
from route_sql.graph.state import NoAnswer, State
from route_sql.graph.threads.memory import as_evidence
from route_sql.tools.schema.question.coverage import COMMON, content_words, texts_of, uncovered_words
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.usage import UnknownName, unknown_names
from route_sql.tools.text import words

NAMED_WORDS = 3
"""Unknown words of a question that a reason names."""
FEWEST_WORDS = 4
"""Number of content words from which a question is called irrelevant if the schema knows none of them."""


def judge_answerable(
    reply: Reply, sql: str | None, state: State, schema: Schema, calibration: Calibration | None
) -> NoAnswer:
    """Probability that the database can't answer. CPU work.

    Args:
        reply: The generator's reply.
        sql: The SQL in it; None if there is none.
        state: The state.
        schema: The whole schema.
        calibration: The model's calibration, if it has one.
    """
    earlier = as_evidence("", state.get("earlier_turn"))
    known = [*texts_of(schema), *state.get("context_notes", []), earlier]
    unknown = uncovered_words(state["question"], known)
    reason, evidence = no_answer.parse(reply.text), state.get("question_evidence", "")
    missing = missing_names(sql, schema) if sql else []
    signals = _signals(reply, state["question"], unknown, declined=reason is not None, missing=bool(missing))
    logistic = calibration.unanswerable if calibration else None
    if logistic is not None and logistic.weights.keys() <= signals.keys():
        probability = logistic.probability(signals)
    else:
        probability = float(reason is not None)
    return NoAnswer(
        declined=reason is not None,
        irrelevant=logistic is None and is_irrelevant(state["question"], unknown) and not _names(evidence, known),
        reason=reason or _missing(missing) or _unknown(unknown),
        signals=signals,
        probability=round(probability, 4),
    )


def missing_names(sql: str, schema: Schema) -> list[UnknownName]:
    """Tables and columns of a query that the database has nowhere.

    A column that another table has is not missing: its query can be repaired.
    """
    return [name for name in unknown_names(sql, schema) if not name.owners]


def is_withheld(state: State) -> bool:
    """Whether the run gives no SQL, since the database can't answer the question.

    A question that only seems irrelevant still has an answer if two candidates agree on it.
    """
    judged, from_probability = state.get("no_answer"), state["choices"].get("withhold")
    if judged is None or from_probability is None or state["choices"]["strategy"] != "adaptive":
        return False
    return judged["probability"] >= from_probability or (judged["irrelevant"] and _is_settled(state))


def _is_settled(state: State) -> bool:
    """Whether the second opinion is there and differs."""
    return bool(calls_of("generate", state)) and state.get("proposal") is None and not agreed(attempts(state))


def is_irrelevant(question: str, unknown: Sequence[str]) -> bool:
    """Whether no word of an English question names anything in the database.

    A question in another language than the schema's names nothing either, so it is not judged.
    """
    asked = content_words(question)
    is_english = bool(COMMON & set(words(question)))
    return is_english and len(unknown) == len(asked) >= FEWEST_WORDS


def _names(evidence: str, known: Sequence[str]) -> bool:
    """Whether evidence names something in the database, and so may say what a question's unknown words mean."""
    return len(uncovered_words(evidence, known)) < len(content_words(evidence))


def _signals(reply: Reply, question: str, unknown: Sequence[str], *, declined: bool, missing: bool) -> dict[str, float]:
    """Numbers that tell questions without an answer from others; without log-probabilities there is no `doubt`."""
    asked = content_words(question)
    signals = {
        "declined": float(declined),
        "unknown": len(unknown) / len(asked) if asked else 0.0,
        "foreign": float(bool(asked) and len(unknown) == len(asked)),
        "missing": float(missing),
    }
    if reply.logprobs:
        first = exp(reply.logprobs[0])
        signals["doubt"] = first if declined else 1.0 - first
    return signals


def _missing(missing: Sequence[UnknownName]) -> str:
    if not missing:
        return ""
    name = missing[0]
    return no_answer.missing(name.kind, [name.name.rpartition(".")[2]])


def _unknown(unknown: Sequence[str]) -> str:
    named = ", ".join(unknown[:NAMED_WORDS])
    return f"nothing in the database is named like {named}" if named else "the model was not sure of any table"
