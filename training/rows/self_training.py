"""Rows made of a model's own replies: right queries unlike the gold, and pairs of a right and a wrong one.

Self-training on replies that execution finds right is rejection sampling fine-tuning (Yuan et al., arXiv 2308.01825).
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from random import Random

from route_sql.agents import generator
from route_sql.graph.checks import own_complaint
from route_sql.training.tasks import pair_choice
from route_sql.training.tasks.noise_correction import PAIR, finding_on
from route_sql.training.tasks.pair_choice import ShownQuery
from route_sql.training.tasks.task import ExecutedQuery, PreparedExample, Row, make_row
from route_sql.training.tasks.text_to_sql import imperfect_link

OWN = "own"
"""The kind of a row whose reply is the model's own."""
EASY = "easy:"
"""Beginning of the kind of a row whose question the model always got right: a run can draw fewer of these."""
PAIRS = 2
"""The most pairs of one question."""


def self_training_rows(prepared: PreparedExample, random: Random) -> list[Row]:
    """A right reply unlike the gold, on the full and on a linked schema, and pairs of a right and a wrong query."""
    replies = [ran for ran in prepared.rights if ran.kind == "model" and _tells(ran, prepared)]
    own = [ran for ran in replies if _words(ran.sql) != _words(prepared.gold)]
    rows = list(_own_rows(prepared, random.choice(own), random)) if own else []
    wrongs = [ran for ran in prepared.wrongs if ran.kind == "model"]
    pairs = list(product(prepared.rights, wrongs))
    for right, wrong in random.sample(pairs, min(PAIRS, len(pairs))):
        rows.append(_pair_row(prepared, right, wrong, first=random.random() < 0.5))
    return rows


def _tells(ran: ExecutedQuery, prepared: PreparedExample) -> bool:
    """Whether a right result says that the query is right; an empty one, or a zero, is often right by chance."""
    says_something = any(value not in (None, 0) for row in ran.outcome["rows"] for value in row)
    return says_something and own_complaint(ran.sql, ran.outcome, prepared.schema) is None


def _words(sql: str) -> list[str]:
    """The words of a query in one order, since `a = b` and `b = a` say the same."""
    return sorted(sql.casefold().split())


def _own_rows(prepared: PreparedExample, own: ExecutedQuery, random: Random) -> Iterator[Row]:
    yield make_row(prepared, "text_to_sql", f"{OWN}:full", generator.messages(prepared.brief), own.sql)
    if link := replace(prepared, gold=own.sql).gold_link():
        shown = prepared.brief.schema
        brief = replace(prepared.brief, schema=shown.restrict(imperfect_link(link, shown, random)))
        yield make_row(prepared, "text_to_sql", f"{OWN}:linked", generator.messages(brief), own.sql)


def _pair_row(prepared: PreparedExample, right: ExecutedQuery, wrong: ExecutedQuery, *, first: bool) -> Row:
    shown = (right, wrong) if first else (wrong, right)
    one, other = (ShownQuery(ran.sql, finding_on(ran, prepared)) for ran in shown)
    choice: pair_choice.Preferred = "first" if first else "second"
    messages = pair_choice.messages(prepared.brief, one, other)
    return make_row(prepared, "noise_correction", f"{PAIR}{choice}", messages, pair_choice.write(choice), one.sql)
