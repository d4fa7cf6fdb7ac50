"""The agents' prompts as arguments: a caller's function can replace each of them."""

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
    """Functions that make each agent's messages; where none is given, ours. Replies need the form that ours ask for.

    `conversation(brief, task)` of `route_sql` puts your own task after our schema, notes and question.
    """

    link_schema: BriefPrompt = schema_linker.messages
    """Asks for JSON: each table with its columns."""
    generate: BriefPrompt = generator.messages
    """Asks for SQL; for `draft` and `generate`."""
    correct_noise: VerdictPrompt = noise_corrector.messages
    """Asks for a line `verdict: right` or `verdict: wrong`, and then the SQL."""
    continue_writing: Callable[[Brief, str], list[BaseMessage]] = continuation_writer.messages
    """Asks for the whole query that begins with the given text."""
