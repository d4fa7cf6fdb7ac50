"""Prepares an example as the agents would see it: schema, notes, gold that runs, right and wrong queries."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from route_sql.agents.brief import Brief, Wording
from route_sql.agents.examples import worked_examples
from route_sql.graph.grounding import askable_schema, gather_notes
from route_sql.graph.state import State
from route_sql.tools.database.engine import Database
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.parsing import parses
from route_sql.tools.sql.replies.reply import extract_sql
from route_sql.tools.sql.usage import unknown_names
from route_sql.tools.values.find_values import make_find_values
from route_sql.training.datasets.data_set import OpenDataSet
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import DatasetError
from route_sql.training.evaluation.scores.execution_accuracy import SCORING_LIMITS, ExecutionAccuracy, metric_of
from route_sql.training.rows.gold_style import in_one_style, tidied
from route_sql.training.rows.wrong_queries import edited_queries, judged_replies, run_briefly
from route_sql.training.tasks.task import ExecutedQuery, Judge, PreparedExample

WORDING: Wording = "tuned"
SCORING_SECONDS = 10.0


class UnusableExample(Exception):
    """An example that can't be used; the text is the reason that the data card counts."""


class ExamplePreparer:
    """Prepares the examples of one data set, in the tuned wording."""

    def __init__(self, opened: OpenDataSet, seed: int, replies: Mapping[int, Sequence[str]]) -> None:
        """Prepare the examples of `opened`; `replies` are a model's, by the example's index."""
        self._opened = opened
        self._seed = seed
        self._replies = replies
        self._tools = [make_find_values(opened.catalog)]
        limits = replace(SCORING_LIMITS, seconds=SCORING_SECONDS)
        self._strict = ExecutionAccuracy(opened.catalog, keep_distinct=True, limits=limits)
        metric = metric_of(opened.data_set.layout)
        self._metric = ExecutionAccuracy(opened.catalog, metric=metric, limits=limits)

    @property
    def judge(self) -> Judge:
        """The scorer of replies to the rows."""
        return Judge(self._opened.catalog, self._metric)

    async def prepare(self, example: Example) -> PreparedExample:
        """Prepare an example.

        Raises:
            UnusableExample: the gold fails, or uses names that are not in the schema.
            DatasetError: the matching values can't be looked up.
            DatabaseUnavailable: the database can't be read.
        """
        schema = await askable_schema(self._opened.catalog, example.database)
        gold = tidied(example.sql, schema.dialect)
        if example.database in self._opened.schemas_only:
            return await asyncio.to_thread(_from_schema_only, example, gold, schema)
        database = self._opened.catalog.get(example.database)
        gold, outcome = await self._gold(gold, schema, database)
        prepared = PreparedExample(example, gold, schema, brief_of(example, schema, await self._notes(example)))
        return await self._with_queries(prepared, ExecutedQuery(gold, "gold", outcome), database)

    async def brief(self, example: Example) -> Brief:
        """The brief of a question, without its SQL.

        Raises:
            DatasetError: the matching values can't be looked up.
            DatabaseUnavailable: the database can't be read.
        """
        schema = await askable_schema(self._opened.catalog, example.database)
        return brief_of(example, schema, await self._notes(example))

    async def _gold(self, sql: str, schema: Schema, database: Database) -> tuple[str, Outcome]:
        """The gold with its outcome, in one style if that changes no row."""
        outcome = await run_briefly(database, sql, database.limits.seconds)
        if outcome["error"] is not None:
            raise UnusableExample(f"gold: {outcome['status']}")
        styled = in_one_style(sql, schema)
        if styled != sql:
            again = await run_briefly(database, styled, database.limits.seconds)
            if again["error"] is None and again["rows"] == outcome["rows"]:
                return styled, again
        return sql, outcome

    async def _notes(self, example: Example) -> tuple[str, ...]:
        question = State(question=example.question, database=example.database, evidence=example.evidence)
        notes, failures = await gather_notes(self._tools, question)
        if failures:
            raise DatasetError(f"question {example.index}: {failures[0]}")
        return tuple(notes)

    async def _with_queries(
        self, prepared: PreparedExample, gold: ExecutedQuery, database: Database
    ) -> PreparedExample:
        example = replace(prepared.example, sql=prepared.gold)
        replies = self._replies.get(example.index, ())
        rights, wrongs = await judged_replies(replies, example, database, self._strict, self._metric)
        random = Random(f"{self._seed}:{example.index}:edits")
        edits = await edited_queries(prepared.gold, example, prepared.schema, database, self._strict, random)
        others = tuple(ran for ran in rights if ran.sql != gold.sql)
        written = {extract_sql(reply, database.dialect) for reply in replies}
        always_right = bool(written) and written <= {ran.sql for ran in rights}
        return replace(prepared, rights=(*others, gold), wrongs=(*wrongs, *edits), always_right=always_right)


def brief_of(example: Example, schema: Schema, notes: tuple[str, ...]) -> Brief:
    """The brief of an example on its whole schema, as the graph makes it for a tuned model."""
    return Brief(
        question=example.question,
        schema=schema,
        evidence=example.evidence,
        notes=notes,
        wording=WORDING,
        examples=worked_examples(WORDING, schema.dialect),
    )


def _from_schema_only(example: Example, gold: str, schema: Schema) -> PreparedExample:
    if parses(gold, schema.dialect) is not None:
        raise UnusableExample("gold: can't be parsed, and there is no database to try it")
    if unknown_names(gold, schema):
        raise UnusableExample("gold: uses names that are not in the schema, and there is no database to try it")
    styled = in_one_style(gold, schema)
    gold = gold if unknown_names(styled, schema) else styled
    return PreparedExample(example, gold, schema, brief_of(example, schema, ()), executable=False)
