"""Rows of questions that a database can't answer, made without labels of people.

The gold's column or table is hidden from the schema, the question is asked of another database, or it is small talk.
Questions that a reduced schema still answers are among the rows, so that a gap alone is not a sign.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from sqlglot import exp

from route_sql.agents import generator, no_answer, schema_linker
from route_sql.agents.brief import Brief
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.parsing import parse_query
from route_sql.tools.text import words
from route_sql.training.datasets.examples import NO_QUESTION, Example
from route_sql.training.rows.hidden_names import HiddenNames, hidden_variants
from route_sql.training.rows.small_talk import SMALL_TALK
from route_sql.training.tasks.task import UNANSWERABLE, PreparedExample, Row, make_row

STILL_ANSWERED = 0.5
"""The share of questions with a row on a reduced schema that answers them."""


def hidden_rows(prepared: PreparedExample, seed: int, random: Random, *, every: bool = False) -> list[Row]:
    """Rows on a schema that lacks a name of the gold, and on one that lacks only other names.

    `every` asks for a row on each such schema that lacks a name of the gold.
    """
    gold = prepared.gold_link()
    if not gold or _takes_everything(prepared):
        return []
    variants = hidden_variants(prepared.schema, seed, prepared.example.database)
    lacking = [each for each in variants if each.missing_columns(gold) or each.missing_tables(gold)]
    others = [each for each in variants if each not in lacking]
    chosen = lacking if every or not lacking else [random.choice(lacking)]
    rows = [row for each in chosen for row in _lacking(prepared, each)]
    if others and random.random() < STILL_ANSWERED:
        brief = _brief(prepared, random.choice(others))
        rows.append(make_row(prepared, "text_to_sql", "reduced", generator.messages(brief), prepared.gold))
    return rows


def foreign_rows(example: Example, schema: Schema, brief: Brief, tables: Sequence[str]) -> list[Row]:
    """Rows of a question that is asked of another database.

    Args:
        example: The question.
        schema: The other database's schema.
        brief: The question on that schema, with the notes that it gets there.
        tables: The tables that its gold needs.
    """
    known = {table.key.casefold() for table in schema}
    names = list(dict.fromkeys(" ".join(words(name)) for name in tables if name.casefold() not in known))
    if not names:
        return []
    elsewhere = PreparedExample(replace(example, sql=""), "", schema, brief)
    return list(_rows(elsewhere, brief, f"{UNANSWERABLE}:other_database", no_answer.missing("table", names)))


def small_talk(random: Random) -> str:
    """A sentence that is not a question about data."""
    return random.choice(SMALL_TALK)


def small_talk_rows(example: Example, schema: Schema, brief: Brief) -> list[Row]:
    """The row of a sentence that is not a question about data."""
    prepared = PreparedExample(replace(example, question=brief.question, evidence="", sql=""), "", schema, brief)
    return list(_rows(prepared, brief, NO_QUESTION, no_answer.NOT_A_QUESTION))


def _lacking(prepared: PreparedExample, hidden: HiddenNames) -> list[Row]:
    gold = prepared.gold_link()
    columns, tables = hidden.missing_columns(gold), hidden.missing_tables(gold)
    reason = no_answer.missing("table", tables) if tables else no_answer.missing("column", columns)
    without_gold = replace(prepared, gold="", example=replace(prepared.example, sql=""))
    kind = f"{UNANSWERABLE}:{'table' if tables else 'column'}"
    return list(_rows(without_gold, _brief(prepared, hidden), kind, reason))


def _takes_everything(prepared: PreparedExample) -> bool:
    """Whether the gold shows all columns, whatever they are: it answers on a schema without some of them too."""
    tree = parse_query(prepared.gold, prepared.schema.dialect)
    return tree is None or any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star))


def _brief(prepared: PreparedExample, hidden: HiddenNames) -> Brief:
    return replace(prepared.brief, schema=hidden.schema, notes=hidden.notes(prepared.brief.notes))


def _rows(prepared: PreparedExample, brief: Brief, kind: str, reason: str) -> Iterator[Row]:
    """The reason in place of SQL, and an empty link."""
    reply = no_answer.write(reason)
    yield make_row(prepared, "text_to_sql", kind, generator.messages(brief), reply)
    yield make_row(prepared, "schema_linking", kind, schema_linker.messages(brief), schema_linker.write({}))
