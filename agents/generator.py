"""The generator: a question and a schema in, one SQL out (task TS, text to SQL; ROUTE, section 3.1).

It writes the draft on the full schema and the query on the linked schema.
"""

from langchain_core.messages import BaseMessage

from route_sql.agents.brief import Brief, Wording, conversation
from route_sql.tools.sql.replies.reply import extract_sql

TASK: dict[Wording, str] = {
    "instruct": (
        "Task: write one {dialect} SELECT statement that answers the question. Use only tables and columns of the "
        "schema, return only the columns that are asked for, in the order in which they are asked for, and join only "
        "the tables you need. Reply with the SQL only."
    ),
    "tuned": "Task: text to SQL",
}


def messages(brief: Brief) -> list[BaseMessage]:
    """The conversation that asks for SQL."""
    return conversation(brief, TASK[brief.wording].format(dialect=brief.dialect))


def parse(reply: str, dialect: str) -> str | None:
    """The SQL of a reply; None if there is none."""
    return extract_sql(reply, dialect)
