"""The part of the schema that a follow-up is about: tables of the earlier query, and what it uses of them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from route_sql.agents.brief import Brief
from route_sql.graph.state import State
from route_sql.tools.schema.links import union
from route_sql.tools.schema.question.coverage import COMMON, texts_of
from route_sql.tools.schema.records import Link, Schema, Table
from route_sql.tools.sql.usage import tables_and_columns
from route_sql.tools.text import singular, words

_NAME = "name"


def carried_tables(state: State, schema: Schema) -> Link:
    """All columns of the tables that the earlier query reads; empty if the follow-up may need another table.

    `And by month?` after a question about appointments is about their months, not about those of the invoices. It may
    need another table if a word of it names one, or a column that only others have, or if a matched value is
    in another one.
    """
    turn = state.get("earlier_turn")
    read = tables_and_columns(turn["sql"], schema) if turn else {}
    tables = [table for table in schema.tables if table.key in read]
    others = [table for table in schema.tables if table.key not in read]
    if not tables or _names_others(state["question"], tables, others, schema):
        return {}
    if not all(_is_in(note, tables) for note in state.get("context_notes", [])):
        return {}
    return {table.key: [column.name for column in table.columns] for table in tables}


def linked_part(state: State, schema: Schema) -> Link:
    """The union of the two links and of what the earlier query uses; empty where nothing is linked."""
    link = union(state.get("linked", {}), state.get("drafted", {}))
    turn = state.get("earlier_turn")
    return union(link, tables_and_columns(turn["sql"], schema)) if link and turn else link


def restricted(brief: Brief, link: Link) -> Brief:
    """The brief on a part of the schema; on all of it where the part is empty."""
    return replace(brief, schema=brief.schema.restrict(link)) if link else brief


def _names_others(question: str, tables: Sequence[Table], others: Sequence[Table], schema: Schema) -> bool:
    asked = {singular(word) for word in words(question)}
    named = _name_words(tables)
    if _NAME in asked and not any(word.endswith(_NAME) for word in named):
        return True
    every = {table.key: [column.name for column in table.columns] for table in tables}
    known = named | {singular(word) for text in texts_of(schema, every) for word in words(text)}
    read, titled = _title_words(tables), _title_words(others)
    return bool((asked - COMMON - known) & _name_words(others) or (asked - COMMON - read) & titled)


def _title_words(tables: Iterable[Table]) -> set[str]:
    """Words of the names of tables."""
    return {singular(word) for table in tables for word in words(table.name)}


def _name_words(tables: Iterable[Table]) -> set[str]:
    """Words of the names of tables and of their columns."""
    names = (name for table in tables for name in (table.name, *(column.name for column in table.columns)))
    return {singular(word) for name in names for word in words(name)}


def _is_in(note: str, tables: Iterable[Table]) -> bool:
    """Whether a note of a value (`patient.city = 'Oslo'`) is about one of the tables; other notes are about any."""
    return " = " not in note or any(f"{table.name}." in note or f'{table.name}".' in note for table in tables)
