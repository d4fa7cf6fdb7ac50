"""Rows made of an example in other situations: questions without an answer, and follow-ups on a thread."""

from dataclasses import replace
from random import Random

from route_sql.agents import generator, schema_linker
from route_sql.agents.follow_up import EarlierTurn, with_earlier_turn
from route_sql.training.datasets.examples import FOLLOW_UP, Example
from route_sql.training.errors import DatasetError
from route_sql.training.rows.follow_ups import follow_ups
from route_sql.training.rows.training_example import ExamplePreparer, UnusableExample
from route_sql.training.rows.unanswerable import foreign_rows, hidden_rows, small_talk, small_talk_rows
from route_sql.training.tasks.task import PreparedExample, Row, make_row

FOREIGN = 0.25
"""The share of questions that are asked of another database as well."""
SMALL_TALK = 0.05
"""The share of questions that are followed by small talk."""
FOLLOW_UPS = 0.6
"""The share of questions with a follow-up."""
UNRELATED = 0.25
"""The share of follow-ups that have nothing to do with the earlier question."""


class FurtherRows:
    """Makes the further rows of a data set's examples; other questions and databases come from the same split."""

    def __init__(
        self, preparer: ExamplePreparer, examples: dict[str, list[Example]], seed: int, *, every_hidden: bool = False
    ) -> None:
        """Make rows with `preparer`; `examples` are those of one split by database.

        `every_hidden` asks for a row on every schema that lacks a name of the gold, not on one of them.
        """
        self._preparer = preparer
        self._examples = examples
        self._seed = seed
        self._every_hidden = every_hidden

    async def rows(self, prepared: PreparedExample) -> list[Row]:
        """The further rows of an example.

        Raises:
            DatabaseUnavailable: a database can't be read.
        """
        random = Random(f"{self._seed}:{prepared.example.index}:further")
        rows = hidden_rows(prepared, self._seed, random, every=self._every_hidden)
        if random.random() < FOREIGN and len(self._examples) > 1:
            rows += await self._foreign(prepared, random)
        if random.random() < SMALL_TALK:
            sentence = replace(prepared.example, question=small_talk(random), evidence="")
            rows += small_talk_rows(sentence, prepared.schema, await self._preparer.brief(sentence))
        if random.random() < FOLLOW_UPS:
            rows += await self._following(prepared, random)
        return rows

    async def _foreign(self, prepared: PreparedExample, random: Random) -> list[Row]:
        others = [name for name in self._examples if name != prepared.example.database]
        elsewhere = replace(prepared.example, database=random.choice(others), evidence="")
        brief = await self._preparer.brief(elsewhere)
        return foreign_rows(elsewhere, brief.schema, brief, list(prepared.gold_link()))

    async def _following(self, prepared: PreparedExample, random: Random) -> list[Row]:
        """The rows of one follow-up, or of another question on the thread."""
        asked = prepared.example
        gold = next((ran for ran in prepared.rights if ran.kind == "gold"), None)
        if gold is None:
            return []
        others = [each for each in self._examples[asked.database] if each.sql != asked.sql]
        if others and random.random() < UNRELATED:
            kind, later = "unrelated", random.choice(others)
        else:
            found = follow_ups(prepared.gold, prepared.schema, random)
            if not found:
                return []
            kind, later = found[0].kind, replace(asked, question=found[0].question, sql=found[0].sql)
        earlier = EarlierTurn(asked.question, prepared.gold, gold.outcome["columns"])
        return await self._on_thread(replace(later, index=asked.index), earlier, f"{FOLLOW_UP}:{kind}")

    async def _on_thread(self, later: Example, earlier: EarlierTurn, kind: str) -> list[Row]:
        try:
            prepared = await self._preparer.prepare(later)
        except (UnusableExample, DatasetError):
            return []  # its SQL doesn't run: one follow-up less
        evidence = with_earlier_turn(later.evidence, earlier)
        brief = replace(prepared.brief, evidence=evidence)
        prepared = replace(prepared, brief=brief, example=replace(prepared.example, evidence=evidence))
        rows = [make_row(prepared, "text_to_sql", kind, generator.messages(brief), prepared.gold)]
        if link := prepared.gold_link():
            rows.append(
                make_row(prepared, "schema_linking", kind, schema_linker.messages(brief), schema_linker.write(link))
            )
        return rows
