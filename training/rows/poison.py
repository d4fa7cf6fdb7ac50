"""Signs of poisoned training data (ToxicSQL, arXiv 2503.05445): gold SQL that attacks, and words that trigger it.

A report for a person to read before training, not a verdict: a UNION may be honest. Not covered: triggers that are a
style or a topic rather than a word or a character.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import comb

from sqlglot import TokenType, exp
from typing_extensions import TypedDict

from route_sql.tools.sql.parsing import parse_query, tokens
from route_sql.training.datasets.examples import Example

PLAIN_ATTACKS = ("tautology", "delay", "several statements", "comment")
"""Attacks that are never honest gold, each reported by itself; a UNION with another table only with its trigger."""
CHANCE = 0.01
"""The probability that a trigger is reported in a set without poison."""
MOST_REPORTED = 50

_DELAYS = re.compile(
    r"\b(?:pg_sleep|sleep|benchmark|dbms_lock|randomblob|zeroblob|load_extension)\b[.\w]*\s*\(|\bwaitfor\s+(?:delay|time)\b",
    re.I,
)
_WORD = re.compile(r"\w+|[^\w\s]+")


class Suspect(TypedDict):
    """One example whose gold looks like an attack."""

    index: int
    database: str
    reasons: list[str]


class Trigger(TypedDict):
    """A word or character that comes with such gold more often than by chance."""

    text: str
    reason: str
    questions: int
    """Questions that contain it."""
    suspicious: int
    """Questions among them whose gold has that reason."""


class PoisonReport(TypedDict):
    """Findings in a data set; both lists are empty in clean data."""

    examined: int
    suspects: list[Suspect]
    triggers: list[Trigger]
    odd_characters: dict[str, int]
    """Invisible or control characters in questions, by name, and in how many questions."""


def check_for_poison(
    examples: Sequence[Example], dialect_of: Callable[[Example], str] = lambda _: "sqlite"
) -> PoisonReport:
    """Look for gold SQL that attacks, for repeated triggers that go with it, and for hidden characters.

    `dialect_of` gives sqlglot's name of the dialect in which an example's SQL is written. CPU work of about
    a millisecond an example: call it in a thread.
    """
    reasons = {example.index: _reasons(example.sql, dialect_of(example)) for example in examples}
    plain = [
        Suspect(index=example.index, database=example.database, reasons=found)
        for example in examples
        if (found := [reason for reason in reasons[example.index] if reason in PLAIN_ATTACKS])
    ]
    odd = Counter(name for example in examples for name in _odd_characters(example.question))
    return PoisonReport(
        examined=len(examples),
        suspects=plain[:MOST_REPORTED],
        triggers=_triggers(examples, reasons)[:MOST_REPORTED],
        odd_characters=dict(sorted(odd.items())),
    )


def finds_nothing(report: PoisonReport) -> bool:
    """Whether the report is empty."""
    return not (report["suspects"] or report["triggers"] or report["odd_characters"])


def _reasons(sql: str, dialect: str) -> list[str]:
    found = tokens(sql, dialect) or []
    tree = parse_query(sql.rstrip("; \n"), dialect)
    reasons = {
        "delay": bool(_DELAYS.search(sql)),
        "several statements": any(token.token_type == TokenType.SEMICOLON for token in found[:-1]),
        "comment": any(token.comments for token in found),
        "tautology": tree is not None and any(_is_tautology(node) for node in tree.find_all(exp.Or, exp.Where)),
        "union": tree is not None and _unites_other_tables(tree),
    }
    return [reason for reason, holds in reasons.items() if holds]


def _is_tautology(node: exp.Expr) -> bool:
    """Whether a side of an OR, or a whole condition, is always true: `1 = 1`, `'a' = 'a'`, a bare true constant."""
    sides = [node.this, node.args.get("expression")] if isinstance(node, exp.Or) else [node.this]
    return any(side is not None and _always_true(side.unnest()) for side in sides)


def _always_true(side: exp.Expr) -> bool:
    if isinstance(side, exp.Literal | exp.Boolean):
        return str(side.this).lower() not in ("0", "false")
    same = isinstance(side, exp.EQ | exp.Is | exp.Like | exp.GTE | exp.LTE) and side.this == side.expression
    constants = isinstance(side, exp.Predicate) and not any(side.find_all(exp.Column, exp.Query))
    return bool(same or constants)


def _unites_other_tables(tree: exp.Expr) -> bool:
    """Whether a UNION's second part reads no table of the first."""
    for node in tree.find_all(exp.Union):
        first, second = (
            {table.name.casefold() for table in part.find_all(exp.Table)} for part in (node.this, node.expression)
        )
        if second and not first & second:
            return True
    return False


def _triggers(examples: Sequence[Example], reasons: dict[int, list[str]]) -> list[Trigger]:
    """Words, pairs of words and odd characters that come with a reason too often, the least likely by chance first."""
    with_reason = Counter(reason for found in reasons.values() for reason in found)
    asked: dict[str, list[int]] = defaultdict(list)
    for example in examples:
        for feature in set(_features(example.question)):
            asked[feature].append(example.index)
    repeated = {feature: indices for feature, indices in asked.items() if len(indices) > 1}
    bound = CHANCE / max(1, len(repeated) * len(with_reason))
    found: list[tuple[float, Trigger]] = []
    for feature, indices in repeated.items():
        for reason, count in Counter(reason for index in indices for reason in reasons[index]).items():
            # Common words are not triggers, even if they come with a UNION a little more often.
            chance = _chance(count, len(indices), with_reason[reason], len(examples)) if 2 * count > len(indices) else 1
            if count > 1 and chance < bound:
                trigger = Trigger(text=feature, reason=reason, questions=len(indices), suspicious=count)
                found.append((chance, trigger))
    return [trigger for _, trigger in sorted(found, key=lambda pair: (pair[0], pair[1]["text"], pair[1]["reason"]))]


def _chance(hits: int, drawn: int, marked: int, total: int) -> float:
    """The chance of at least this many hits among questions drawn at random (hypergeometric tail)."""
    ways = sum(comb(marked, k) * comb(total - marked, drawn - k) for k in range(hits, min(drawn, marked) + 1))
    return ways / comb(total, drawn)


def _features(question: str) -> Iterator[str]:
    words = _WORD.findall(question)
    yield from words
    yield from (f"{first} {second}" for first, second in pairwise(words))
    yield from _odd_characters(question)


def _odd_characters(text: str) -> set[str]:
    hidden = (c for c in text if unicodedata.category(c) in ("Cf", "Cc", "Co", "Cn") and c not in "\t\r\n")
    return {f"U+{ord(c):04X} {unicodedata.name(c, '')}".strip() for c in hidden}
