"""The agents' prompts as arguments: each can be replaced by a function of the caller's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from langchain_core.messages import BaseMessage

from route_sql.agents import continuation_writer, generator, noise_corrector, schema_linker
from route_sql.agents.brief import Brief

BriefPrompt = Callable[[Brief], list[BaseMessage]]
"""Makes the messages of a task that needs the question and the schema only."""


class VerdictPrompt(Protocol):
    """Makes the messages that ask for a verdict."""

    def __call__(self, brief: Brief, sql: str, finding: str, *, failed: bool) -> list[BaseMessage]:
        """The messages; see `noise_corrector.messages`."""


@dataclass(frozen=True)
class Prompts:
    """Functions that make each agent's messages, ours where none is given. Replies are read in the same form as ours.

    `conversation(brief, task)` of `route_sql` puts a task of your own behind our schema, notes and question.
    """

    link_schema: BriefPrompt = schema_linker.messages
    """Asks for JSON: each table with its columns."""
    generate: BriefPrompt = generator.messages
    """Asks for SQL; for `draft` and `generate`."""
    correct_noise: VerdictPrompt = noise_corrector.messages
    """Asks for a line `verdict: right` or `verdict: wrong`, and then the SQL."""
    continue_writing: Callable[[Brief, str], list[BaseMessage]] = continuation_writer.messages
    """Asks for the whole query that begins with the given text."""
