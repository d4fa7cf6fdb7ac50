"""The cost of a big schema: its length as a prompt, and the time to cut it to the part a question is about.

    python benchmarks/big_schema.py

The schemas are made in memory, the same in every run: tables named by two words, of 21 columns each, three of which
refer to other tables, the rest with sample values. Each question names one table in plain words, which share a word
with some of the other tables' names and columns. Measured: the characters of the whole schema and of the remaining part
within the default `schema_chars`, the tables left, whether the table named is among them, and medians of the processor
time. Left out: reflection (see `reflection.md`), the model, and questions that name no table. The graph cuts a schema
once for each question; each agent cuts only the remaining part. Writes `big_schema.md` next to this script.
"""

from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path
from random import Random
from statistics import median
from time import process_time
from typing import NamedTuple

from shared.heading import heading

from route_sql import Context
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.schema.relevance import reduce_schema
from route_sql.tools.schema.rendering import render

SIZES = (50, 200, 600)
QUESTIONS = 20
RUNS = 5
BUDGET = Context().schema_chars
THINGS = (
    "account actor airport book branch category city claim contract country course customer department device driver "
    "employee hotel insurance invoice language match movie order patient payment player product region review shipment "
    "store student supplier team ticket vehicle"
).split()
FACTS = {"amount": "REAL", "code": "TEXT", "comment": "TEXT", "date": "DATE", "name": "TEXT", "status": "TEXT"}
SAMPLES = {
    "amount": ("12.5", "99.0", "0.75"),
    "code": ("A-113", "B-207", "C-950"),
    "comment": ("as agreed by telephone", "none", "to be checked"),
    "date": ("2024-02-29", "2025-07-01", "2023-11-30"),
    "name": ("Lindgren", "Okafor", "Tanaka"),
    "status": ("open", "closed", "pending"),
}
REFERENCES = 3
COLUMNS = 21
HEAD = """\
| tables | whole, characters | render it, ms | cut it, ms | tables left | characters left | named table kept |
| --: | --: | --: | --: | --: | --: | --: |"""


class Cut(NamedTuple):
    """One question's cut."""

    milliseconds: float
    tables: int
    characters: int
    is_named_kept: bool


def main() -> None:
    """Measure and write the table."""
    lines = [heading(f"Schemas of many tables, cut to {BUDGET:,} characters", "bm25s"), ""]
    lines += [f"Processor time; medians of {RUNS} renderings and {QUESTIONS} cuts.", "", HEAD]
    lines += [row(size) for size in SIZES]
    text = "\n".join(lines) + "\n"
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


def row(size: int) -> str:
    """The line of the table for a schema of this size."""
    schema = big_schema(size)
    asked = Random(size).sample(schema.tables, QUESTIONS)
    reduce_schema(schema, question_about(asked[0]), BUDGET)  # the first one imports what ranks
    rendering = median(milliseconds(lambda: render(schema)) for _ in range(RUNS))
    cuts = [cut_for(schema, table) for table in asked]
    kept = sum(cut.is_named_kept for cut in cuts)
    cells = [size, len(render(schema)), rendering, median(cut.milliseconds for cut in cuts)]
    cells += [median(cut.tables for cut in cuts), median(cut.characters for cut in cuts)]
    return "| " + " | ".join(f"{cell:,.0f}" for cell in cells) + f" | {kept} of {QUESTIONS} |"


def cut_for(schema: Schema, table: Table) -> Cut:
    """The part of a schema that is left for a question about one of its tables."""
    left: list[Schema] = []
    took = milliseconds(lambda: left.append(reduce_schema(schema, question_about(table), BUDGET)[0]))
    return Cut(took, len(left[0].tables), len(render(left[0])), left[0].table(table.key) is not None)


def question_about(table: Table) -> str:
    """A question that names the table as one says it."""
    return f"Show every {table.name.replace('_', ' ')} whose status is open."


def milliseconds(work: Callable[[], object]) -> float:
    """Processor time of one call, which the load of the machine changes little."""
    began = process_time()
    work()
    return (process_time() - began) * 1000


def big_schema(size: int) -> Schema:
    """A schema with this many tables; the same size gives the same schema."""
    random = Random(size)
    names = ["_".join(pair) for pair in random.sample(list(combinations(THINGS, 2)), size)]
    return Schema("sqlite", tuple(made_table(name, names, random) for name in names))


def made_table(name: str, names: list[str], random: Random) -> Table:
    """A table of two words that refers to some of the others."""
    parents = random.sample([other for other in names if other != name], REFERENCES)
    own = random.sample(list(product(THINGS, FACTS)), COLUMNS - 1 - REFERENCES)
    columns = [Column("id", "INTEGER", nullable=False)]
    columns += [Column(f"{parent}_id", "INTEGER") for parent in parents]
    columns += [Column(f"{thing}_{fact}", FACTS[fact], samples=SAMPLES[fact]) for thing, fact in own]
    keys = tuple(ForeignKey((f"{parent}_id",), parent, ("id",)) for parent in parents)
    return Table(name, tuple(columns), primary_key=("id",), foreign_keys=keys)


if __name__ == "__main__":
    main()
