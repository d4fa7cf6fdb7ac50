"""Text to SQL (task TS; ROUTE, section 3.1): on the full schema, and on a linked one as the graph shows it."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from route_sql.agents import generator, no_answer
from route_sql.tools.schema.records import Link, Schema, Table
from route_sql.training.tasks.task import UNANSWERABLE, Judge, PreparedExample, Row, TaskName, make_row

EXTRA_TABLES = (0, 1, 1, 2)
"""Numbers of extra tables in a link; one of them is drawn."""
EXTRA_COLUMNS = (0, 0, 1, 2, 3)
"""Numbers of extra columns in each table of a link; one of them is drawn."""
NEIGHBOURS_SHARE = 0.7
"""The share of extra tables that foreign keys join to a table of the gold."""


class TextToSQL:
    """Question to SQL; a reply scores 1 if its SQL returns what the gold does."""

    name: TaskName = "text_to_sql"

    def rows(self, prepared: PreparedExample, random: Random) -> list[Row]:
        """One row on the full schema, and one on the linked schema if that differs."""
        full = generator.messages(prepared.brief)
        rows = [make_row(prepared, self.name, "full", full, prepared.gold)]
        shown = prepared.brief.schema
        if gold := prepared.gold_link():
            part = shown.restrict(imperfect_link(gold, shown, random))
            linked = generator.messages(replace(prepared.brief, schema=part))
            if linked != full:
                rows.append(make_row(prepared, self.name, "linked", linked, prepared.gold))
        return rows

    async def score(self, reply: str, row: Row, judge: Judge) -> float:
        """Execution accuracy of the reply's SQL; for a question without an answer, 1 if the reply gives none."""
        if row["kind"].startswith(UNANSWERABLE):
            return float(no_answer.parse(reply) is not None)
        dialect = judge.databases.get(row["database"]).dialect
        return await judge.right(row, generator.parse(reply, dialect))


def imperfect_link(gold: Link, schema: Schema, random: Random) -> Link:
    """The gold's link with extra tables and columns, as a linker and a draft together would give it."""
    link = {key: list(names) for key, names in gold.items()}
    for _ in range(random.choice(EXTRA_TABLES)):
        others = [table for table in schema if table.key not in link]
        near = [table for table in others if _joined(table, gold, schema)]
        if pool := (near if near and random.random() < NEIGHBOURS_SHARE else others):
            link[random.choice(pool).key] = []
    return {key: [*names, *_distractors(schema, key, names, random)] for key, names in link.items()}


def _distractors(schema: Schema, key: str, names: list[str], random: Random) -> Iterator[str]:
    table = schema.table(key)
    others = [column.name for column in table.columns if column.name not in names] if table else []
    yield from random.sample(others, min(random.choice(EXTRA_COLUMNS), len(others)))


def _joined(table: Table, link: Link, schema: Schema) -> bool:
    keys = {key.casefold() for key in link}
    refers = any(reference.target_table.casefold() in keys for reference in table.foreign_keys)
    return refers or any(
        reference.target_table.casefold() == table.key.casefold()
        for other in schema
        if other.key in link
        for reference in other.foreign_keys
    )
