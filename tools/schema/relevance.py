"""Reduction of a schema that no prompt can hold to its relevant part (BM25 over names, comments and samples)."""

from collections.abc import Sequence
from dataclasses import replace

from route_sql.tools.schema.records import Column, Link, Schema, Table
from route_sql.tools.schema.rendering import TYPE_CHARS, render
from route_sql.tools.schema.types import short_type
from route_sql.tools.text import singular, words

WIDEST_SHARE = 0.25
"""Share of the budget above which the columns of one table are cut too."""


def reduce_schema(schema: Schema, question: str, budget_chars: int, notes: Sequence[str] = ()) -> tuple[Schema, bool]:
    """Reduce a schema that exceeds the budget to the part that the question is most likely about.

    Tables are added by relevance, first without sample values and comments, so that as many as possible fit. The
    most relevant ones then get theirs back within the budget. A table that alone takes more than a quarter
    of the budget is cut to its keys and most relevant columns. Keys that join the remaining tables are kept
    (`Schema.restrict`), and so is at least one table. The same arguments always give the same result. Hundreds of
    tables take some tenths of a second: call it in a thread.

    Args:
        schema: The whole schema.
        question: The question.
        budget_chars: Characters of the rendered schema.
        notes: Matched values, evidence and other notes; their words count like those of the question.

    Returns:
        The schema, and whether it was reduced.
    """
    if len(render(schema)) <= budget_chars:
        return schema, False
    query = _terms(" ".join([question, *notes]))
    ranked = _ranked([_table_terms(table) for table in schema.tables], query)
    tables = [schema.tables[index] for index in ranked]
    link = {table.key: _columns_within(schema, table, query, WIDEST_SHARE * budget_chars) for table in tables}
    plain = replace(schema, tables=tuple(map(_without_text, schema.tables)))
    kept = _largest_fitting(plain, link, budget_chars)
    return _with_text_back(schema, kept, tables, budget_chars), True


def _terms(text: str) -> list[str]:
    return [singular(word) for word in words(text)]


def _column_terms(column: Column) -> list[str]:
    return _terms(" ".join([column.name, column.comment or "", *column.samples, *column.labels]))


def _table_terms(table: Table) -> list[str]:
    # The name of a table is more relevant than that of any one of its columns.
    own = _terms(" ".join([table.name, table.comment or ""]))
    return 2 * own + [term for column in table.columns for term in _column_terms(column)]


def _ranked(documents: list[list[str]], query: list[str]) -> list[int]:
    """Indices of the documents, most relevant first; equally relevant ones keep their order."""
    # Imported here because it takes 0.1 s and most schemas fit as they are.
    import bm25s

    vocabulary = {term for document in documents for term in document}
    known = [term for term in query if term in vocabulary]
    if not known:
        return list(range(len(documents)))
    retriever = bm25s.BM25()
    retriever.index(documents, show_progress=False)
    scores = retriever.get_scores(known)
    return sorted(range(len(documents)), key=lambda index: (-round(float(scores[index]), 6), index))


def _columns_within(schema: Schema, table: Table, query: list[str], budget: float) -> list[str]:
    """Columns of a table, most relevant first, as many as fit the budget without their samples."""
    names = [column.name for column in table.columns]
    if _size(schema, _without_text(table)) <= budget:
        return names
    order = _ranked([_column_terms(column) for column in table.columns], query)
    left = budget - len(table.name)
    kept = []
    for column in (table.columns[index] for index in order):
        left -= len(column.name) + len(short_type(column.type, TYPE_CHARS)) + len("  \n ,")
        if left >= 0:
            kept.append(column.name)
    return kept or [table.columns[order[0]].name]


def _largest_fitting(schema: Schema, link: Link, budget: int) -> Schema:
    """Restrict a schema to the first tables of a link, as many as fit the budget, at least one."""
    keys = list(link)
    fits, too_many = 1, len(keys) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if len(render(schema.restrict({key: link[key] for key in keys[:middle]}))) <= budget:
            fits = middle
        else:
            too_many = middle
    return schema.restrict({key: link[key] for key in keys[:fits]})


def _with_text_back(schema: Schema, kept: Schema, ranked: list[Table], budget: int) -> Schema:
    """Give the most relevant of the kept tables their samples and comments back, as far as the budget allows."""
    left = budget - len(render(kept))
    tables = {table.key: table for table in kept.tables}
    for original in ranked:
        if (bare := tables.get(original.key)) is None:
            continue
        names = {column.name for column in bare.columns}
        columns = tuple(column for column in original.columns if column.name in names)
        full = replace(bare, columns=columns, comment=original.comment)
        cost = _size(kept, full) - _size(kept, bare)
        if cost <= left:
            left -= cost
            tables[original.key] = full
    return replace(schema, tables=tuple(tables.values()))


def _without_text(table: Table) -> Table:
    columns = tuple(replace(column, comment=None, samples=(), labels=()) for column in table.columns)
    return replace(table, columns=columns, comment=None)


def _size(schema: Schema, table: Table) -> int:
    return len(render(Schema(schema.dialect, (table,))))
