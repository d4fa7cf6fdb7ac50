"""The interface of the four tasks: training rows made of the agents' own messages, and scores of replies.

Fine-tuning, evaluation and reward use this one interface. Prompts are those that the graph sends to a tuned model; a
test compares them byte for byte.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, Protocol

from langchain_core.messages import BaseMessage
from typing_extensions import TypedDict

from route_sql.agents.brief import Brief
from route_sql.graph.grounding import shown_part
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.schema.links import union
from route_sql.tools.schema.records import Link, Schema
from route_sql.tools.sql.usage import tables_and_columns
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import DatasetError
from route_sql.training.evaluation.scores.execution_accuracy import DatabaseLookup, ExecutionAccuracy

TaskName = Literal["text_to_sql", "schema_linking", "noise_correction", "continuation_writing"]
Role = Literal["system", "user", "assistant"]

UNANSWERABLE = "unanswerable"
"""Beginning of `kind` in rows whose question the database can't answer."""

_ROLES: dict[str, Role] = {"system": "system", "human": "user", "ai": "assistant"}


class ChatTurn(TypedDict):
    """One message of a conversation."""

    role: Role
    content: str


class Row(TypedDict):
    """One training conversation, in TRL's prompt-completion form, with the fields that scoring a reply needs."""

    task: TaskName
    kind: str
    """The kind of row: `full`, `linked`, `right`, `edit:wrong_column`, `model`, `clause`, ..."""
    index: int
    """The example's place in the questions file."""
    database: str
    question: str
    evidence: str
    gold: str
    given: str
    """The SQL in the prompt: a candidate (noise correction), a beginning (continuation writing), or none."""
    executable: bool
    """Whether the database is there; without it only a schema link can be scored."""
    tokens: int
    """Tokens of prompt and completion; 0 until they are counted."""
    prompt: list[ChatTurn]
    completion: list[ChatTurn]


@dataclass(frozen=True)
class ExecutedQuery:
    """A query with its outcome; `kind` is its origin: `gold`, `model`, `edit:...`."""

    sql: str
    kind: str
    outcome: Outcome


@dataclass(frozen=True)
class PreparedExample:
    """An example as the agents would see it.

    `schema` is the whole schema; `brief` may show a part of it. `rights` and `wrongs` are queries that do and don't
    answer the question; both are empty where the database is not there. `always_right` says that every given reply of
    a model was right.
    """

    example: Example
    gold: str
    schema: Schema
    brief: Brief
    rights: tuple[ExecutedQuery, ...] = ()
    wrongs: tuple[ExecutedQuery, ...] = ()
    executable: bool = True
    always_right: bool = False

    def gold_link(self) -> Link:
        """Tables and columns of the gold query, keys of joins included; empty if its scopes can't be resolved."""
        return tables_and_columns(self.gold, self.schema)

    def narrowed(self, schema_chars: int) -> "PreparedExample":
        """The example with the part of the schema that the graph shows under that budget, and the gold's tables."""
        known = [*self.brief.notes, self.example.evidence]
        shown, _ = shown_part(self.schema, self.example.question, known, schema_chars)
        part = self.schema.restrict(union(shown, self.gold_link())) if shown else self.schema
        return replace(self, brief=replace(self.brief, schema=part))


@dataclass(frozen=True)
class Judge:
    """Scores replies on the databases."""

    databases: DatabaseLookup
    accuracy: ExecutionAccuracy

    async def right(self, row: Row, sql: str | None) -> float:
        """1.0 if the SQL returns what the row's gold does, else 0.0.

        Raises:
            DatasetError: the row's database is not there.
            DatabaseUnavailable: it can't be read.
        """
        if not row["executable"]:
            raise DatasetError(
                f"a reply to question {row['index']} can't be scored, as the database {row['database']} is not there; "
                "score executable rows only"
            )
        return float((await self.accuracy.score(example_of(row), sql)).correct)


class Task(Protocol):
    """One task: rows for fine-tuning, and the score of a reply for evaluation and reward."""

    @property
    def name(self) -> TaskName:
        """The task's name, which is part of its files' names."""

    def rows(self, prepared: PreparedExample, random: Random) -> list[Row]:
        """The conversations on one example; the same state of `random` gives the same rows. CPU work, no waiting."""

    async def score(self, reply: str, row: Row, judge: Judge) -> float:
        """The score of a reply to the row's prompt, 0 to 1; the agent's own `parse` reads the reply.

        Raises:
            DatasetError: the row can't be scored, as its database is not there.
            DatabaseUnavailable: the database can't be read.
        """


def make_row(
    prepared: PreparedExample,
    task: TaskName,
    kind: str,
    messages: Sequence[BaseMessage],
    completion: str,
    given: str = "",
) -> Row:
    """Make a row of an agent's messages and the reply that it should give."""
    example = prepared.example
    return Row(
        task=task,
        kind=kind,
        index=example.index,
        database=example.database,
        question=example.question,
        evidence=example.evidence,
        gold=prepared.gold,
        given=given,
        executable=prepared.executable,
        tokens=0,
        prompt=[ChatTurn(role=_ROLES[message.type], content=str(message.content)) for message in messages],
        completion=[ChatTurn(role="assistant", content=completion)],
    )


def example_of(row: Row) -> Example:
    """The example that a row was made from, with the row's gold SQL."""
    return Example(row["index"], row["database"], row["question"], row["evidence"], row["gold"])


TokenCounter = Callable[[str], int]
"""Counts the tokens of a text."""
