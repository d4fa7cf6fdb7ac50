"""The continuation writer: a beginning of a query in, the whole query out (task CW; ROUTE, section 3.1).

The beginning is the longest valid prefix of the leading candidate, or the bare `SELECT`. That candidate failed, or it
ran: `paper` also continues a query of three tables or more.
"""

from langchain_core.messages import BaseMessage

from route_sql.agents.brief import Brief, Wording, conversation, fenced
from route_sql.tools.sql.comments import without_comments
from route_sql.tools.sql.continuation import join_continuation
from route_sql.tools.text import clean

TASK: dict[Wording, str] = {
    "instruct": (
        "{prefix}\n\n"
        "Task: this is the beginning of the {dialect} SELECT statement that answers the question. Finish it with "
        "tables and columns of the schema. Reply with the whole statement, from its first word to its end, and "
        "nothing else."
    ),
    "tuned": "{prefix}\n\nTask: continuation writing",
}

PREFIX_CHARS = 4_000


def messages(brief: Brief, prefix: str) -> list[BaseMessage]:
    """The conversation that asks for the rest of a query that begins with `prefix`."""
    shown = clean(without_comments(prefix, brief.schema.dialect), PREFIX_CHARS)
    task = TASK[brief.wording].format(prefix=fenced("SQL", shown), dialect=brief.dialect)
    return conversation(brief, task)


def parse(reply: str, prefix: str, dialect: str) -> str | None:
    """The whole query: the reply joined to the prefix, whether it repeats the prefix or continues it."""
    return join_continuation(prefix, reply, dialect)
