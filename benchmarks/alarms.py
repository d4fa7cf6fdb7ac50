"""Alarms on right queries and clear questions, and finds where there is something to find.

Three deterministic rules: `double_counting` (a sum or an average over a join that repeats its rows), `misread_texts` (a
sum or an order of amounts or dates that are texts there) and `clarify` (a word of the question fits several columns,
values or rows). Gold queries are taken to be right and gold questions to be clear. The constructed cases come from the
schemas: sums of a parent's column over the join with its children, where the engine says that the join changes the sum,
and questions that name a column of several tables, or a value of several columns, and nothing else. No model is asked.

    python benchmarks/alarms.py --spider DIR --bird DIR

Writes `alarms.md` next to this script.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.heading import heading
from shared.held_out import CHOOSE, FIT
from sqlglot import exp

from route_sql.graph.person.clarifying import unclear_points
from route_sql.graph.state import Question
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.open_database import open_database
from route_sql.tools.schema.quoting import is_numeric_type
from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.schema.rights.visibility import EVERYTHING
from route_sql.tools.sql.joins.double_counting import double_counting
from route_sql.tools.sql.parsing import parse_query
from route_sql.tools.sql.text_values import misread_texts
from route_sql.tools.text import words
from route_sql.tools.values.find_values import ValueIndexes
from route_sql.training.datasets.examples import Example, PublishedLayout, load_examples

TABLE = Path(__file__).with_name("alarms.md")
SETS: dict[str, tuple[PublishedLayout, str, str]] = {
    "Spider train": ("spider", "train_spider.json", "database"),
    "Spider dev": ("spider", "dev.json", "database"),
    "BIRD train": ("bird", "train.json", "train_databases"),
    "BIRD dev": ("bird", "dev.json", "dev_databases"),
}
"""Layout, questions and databases; a set whose file is missing is left out."""
VALUES = 5
"""Values of each pair of columns that share some."""


@dataclass
class Count:
    """Cases, how many of them raised an alarm, and examples of the unexpected ones."""

    cases: int = 0
    alarms: int = 0
    seen: list[str] = field(default_factory=list)

    def add(self, has_alarm: bool, text: str, *, expected: bool) -> None:
        """One case more."""
        self.cases += 1
        self.alarms += has_alarm
        if has_alarm != expected:
            self.seen.append(text)

    def cells(self) -> str:
        """The cases, the alarms and their share as cells of a table."""
        share = f"{self.alarms / self.cases:.2%}" if self.cases else ""
        return f"{self.cases:,} | {self.alarms:,} | {share}"


async def main(arguments: argparse.Namespace) -> None:
    """Measure both rules and write the table."""
    folders = {"spider": arguments.spider, "bird": arguments.bird}
    doubled, read, asked, unexpected = [], [], [], {}
    for name, (layout, file, databases) in SETS.items():
        questions = folders[layout] / file
        if questions.exists():
            async with opened(load_examples(questions, layout), folders[layout] / databases) as source:
                count, joined, misread = await gold_queries(*source)
                doubled += [
                    f"| gold of {name} | {count.cells()} |",
                    f"| those that sum over a join | {joined.cells()} |",
                ]
                read.append(f"| gold of {name} | {misread.cells()} |")
                unexpected[f"Gold queries of {name} that misread a text"] = misread.seen
                unexpected[f"Gold queries of {name} that are doubted"] = count.seen
    examples = load_examples(arguments.spider / "train_spider.json", "spider")
    chosen = [example for example in examples if example.database in (*FIT, *CHOOSE)]
    async with opened(chosen, arguments.spider / "database") as (there, catalog):
        for title, count in (await constructed_sums(catalog)).items():
            doubled.append(f"| {title} | {count.cells()} |")
            unexpected[title] = count.seen
        for title, count in (await questions_back(there, catalog)).items():
            asked.append(f"| {title} | {count.cells()} |")
            unexpected[title] = count.seen
    parts = [
        heading("Alarms: double counting, misread texts and questions back"),
        section("Double counting", "queries", "doubted", doubled),
        section("Texts read as numbers or dates", "queries", "doubted", read),
        section("Questions back", "questions", "asked back", asked),
    ]
    text = "\n\n".join(parts)
    arguments.table.write_text(text + "\n", encoding="utf-8")
    for title, seen in unexpected.items():
        print(f"{title}: {len(seen)}", *seen[: arguments.shown], sep="\n  ")
    print(text)


def section(title: str, cases: str, alarms: str, rows: Sequence[str]) -> str:
    """A table with its title."""
    head = f"| {cases} | cases | {alarms} | share |\n| --- | --: | --: | --: |"
    return "\n".join([f"## {title}\n", head, *rows])


@asynccontextmanager
async def opened(examples: Sequence[Example], folder: Path) -> AsyncIterator[tuple[Sequence[Example], Catalog]]:
    """The examples whose databases are there, and a catalog of these."""
    names = {example.database for example in examples}
    files = {name: folder / name / f"{name}.sqlite" for name in names}
    databases = {name: open_database(name, str(file), Path()) for name, file in files.items() if file.exists()}
    async with Catalog(databases) as catalog:
        yield [example for example in examples if example.database in databases], catalog


async def gold_queries(examples: Sequence[Example], catalog: Catalog) -> tuple[Count, Count, Count]:
    """Alarms of double counting on different gold queries and on those that sum over a join, and of misread texts."""
    count, joined, misread = Count(), Count(), Count()
    for database, sql in dict.fromkeys((example.database, example.sql) for example in examples):
        schema = await catalog.get(database).schema()
        complaint = double_counting(sql, schema)
        count.add(complaint is not None, f"{database}: {sql}", expected=False)
        if _sums_over_join(sql, schema):
            joined.add(complaint is not None, sql, expected=False)
        misread.add(misread_texts(sql, schema) is not None, f"{database}: {sql}", expected=False)
    return count, joined, misread


def _sums_over_join(sql: str, schema: Schema) -> bool:
    tree = parse_query(sql, schema.dialect)
    return tree is not None and tree.find(exp.Sum, exp.Avg) is not None and tree.find(exp.Join) is not None


async def constructed_sums(catalog: Catalog) -> dict[str, Count]:
    """Sums along foreign keys: those that the join multiplies, by the engine, and those in the other direction."""
    found = {"a parent's sum that the join changes": Count(), "a child's sum, which the join leaves right": Count()}
    multiplied, sound = found.values()
    for name in catalog.names():
        database = catalog.get(name)
        schema = await database.schema()
        for child, parent, equation in _references(schema):
            source = f"{_quoted(parent.name)} AS p JOIN {_quoted(child.name)} AS c ON {equation}"
            for column in _numbers(parent):
                sql = f"SELECT SUM(p.{_quoted(column.name)}) FROM {source}"
                once = f"SELECT SUM({_quoted(column.name)}) FROM {_quoted(parent.name)}"
                once += f" AS p WHERE EXISTS (SELECT 1 FROM {_quoted(child.name)} AS c WHERE {equation})"
                joined, alone = [(await database.execute(each))["rows"] for each in (sql, once)]
                if joined and alone and joined != alone:
                    multiplied.add(double_counting(sql, schema) is not None, f"{name}: {sql}", expected=True)
            for column in _numbers(child):
                sql = f"SELECT AVG(c.{_quoted(column.name)}) FROM {source}"
                sound.add(double_counting(sql, schema) is not None, f"{name}: {sql}", expected=False)
    return found


def _references(schema: Schema) -> Iterator[tuple[Table, Table, str]]:
    """Tables that refer to another one by one column, with the equation of the join."""
    for child in schema.tables:
        for key in child.foreign_keys:
            parent = schema.table(key.target_table)
            targets = key.target_columns or (parent.primary_key if parent else ())
            if parent and parent is not child and len(key.columns) == len(targets) == 1:
                yield child, parent, f"c.{_quoted(key.columns[0])} = p.{_quoted(targets[0])}"


def _numbers(table: Table) -> list[Column]:
    """Columns of numbers that are not keys."""
    keys = {name for key in table.foreign_keys for name in key.columns} | {*table.primary_key}
    return [column for column in table.columns if is_numeric_type(column.type) and column.name not in keys]


async def questions_back(examples: Sequence[Example], catalog: Catalog) -> dict[str, Count]:
    """Questions that are asked back: gold ones, and constructed ones that fit several columns or values."""
    indexes = ValueIndexes()
    titles = (
        "clear questions of fit and choose (`docs/results.md`)",
        "a column of several tables",
        "the same with its table",
        "a value of several columns",
    )
    found = {title: Count() for title in titles}

    async def ask(title: str, database: str, question: str, *, expected: bool) -> None:
        asked = Question(question=question, database=database, evidence="")
        points = await unclear_points(asked, catalog, EVERYTHING, indexes)
        found[title].add(
            bool(points), f"{database}: {question} {[each['readings'] for each in points]}", expected=expected
        )

    for example in examples:
        await ask(titles[0], example.database, example.question, expected=False)
    for database in catalog.names():
        schema = await catalog.get(database).schema()
        for phrase, tables in _shared_columns(schema):
            await ask(titles[1], database, f"What is the {phrase}?", expected=True)
            for table in tables:
                await ask(titles[2], database, f"What is the {phrase} of each {_plain(table.name)}?", expected=False)
        for value in await _shared_values(catalog, database, schema):
            await ask(titles[3], database, f'What is known of "{value}"?', expected=True)
    return found


def _shared_columns(schema: Schema) -> Iterator[tuple[str, list[Table]]]:
    """Column names that two to six tables have and no foreign key joins, as words."""
    keys = {
        name for table in schema.tables for key in table.foreign_keys for name in (*key.columns, *key.target_columns)
    }
    owners: dict[str, list[Table]] = {}
    for table in schema.tables:
        for column in table.columns:
            if column.name not in {*keys, *table.primary_key}:
                owners.setdefault(_plain(column.name), []).append(table)
    yield from ((phrase, tables) for phrase, tables in owners.items() if 2 <= len(tables) <= 6)


async def _shared_values(catalog: Catalog, database: str, schema: Schema) -> list[str]:
    """Texts that columns of two tables have, a few of each pair."""
    keys = {
        name for table in schema.tables for key in table.foreign_keys for name in (*key.columns, *key.target_columns)
    }
    texts = [
        (table, column)
        for table in schema.tables
        for column in table.columns
        if column.samples and column.samples[0][:1].isalpha() and column.name not in keys
    ]
    values: dict[str, None] = {}
    for place, (table, column) in enumerate(texts):
        for other, its in texts[place + 1 :]:
            if other is not table:
                one = f"SELECT {_quoted(column.name)} FROM {_quoted(table.name)}"
                two = f"SELECT {_quoted(its.name)} FROM {_quoted(other.name)}"
                outcome = await catalog.get(database).execute(f"{one} INTERSECT {two} LIMIT {VALUES}")
                values.update({str(row[0]): None for row in outcome["rows"] if len(str(row[0])) > 2})
    return list(values)


def _plain(name: str) -> str:
    return " ".join(words(name))


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spider", type=Path, required=True, help="Spider's folder.")
    parser.add_argument("--bird", type=Path, required=True, help="BIRD's folder.")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--shown", type=int, default=10, help="Unexpected cases of each kind that are printed.")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(arguments()))
