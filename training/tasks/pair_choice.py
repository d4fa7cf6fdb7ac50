"""The choice between two queries with different results: which of them answers the question.

The reply is one line, `verdict: first` or `verdict: second`. No agent of the graph asks this: `benchmarks/pairs.py`
measures whether a model that was tuned on it could judge where candidates disagree.
"""

import re
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import BaseMessage
from sqlglot import exp

from route_sql.agents.brief import Brief, conversation, fenced
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.comments import without_comments
from route_sql.tools.sql.parsing import parse_query
from route_sql.tools.text import clean

Preferred = Literal["first", "second"]

TASK = "{first}\n\n{second}\n\n{owners}Task: better of two queries"
FINDING_CHARS = 300
SQL_CHARS = 2_000
OWNER_CHARS = 600

_CHOICE = re.compile(r"^[^\w\n]*verdict\W+(first|second)\b", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class ShownQuery:
    """A candidate with its result, or with the complaint of a check."""

    sql: str
    finding: str


def messages(brief: Brief, first: ShownQuery, second: ShownQuery) -> list[BaseMessage]:
    """The conversation that asks which of two candidates is right."""
    hints = owner_hints([first.sql, second.sql], brief.schema)
    task = TASK.format(
        first=_shown("FIRST", first, brief),
        second=_shown("SECOND", second, brief),
        owners=fenced("OWNERS", clean("; ".join(hints), OWNER_CHARS)) + "\n\n" if hints else "",
    )
    return conversation(brief, task)


def parse(reply: str) -> Preferred | None:
    """The choice of a reply; None if it is not in the fixed form."""
    found = _CHOICE.search(reply)
    if found is None:
        return None
    return "first" if found[1].lower() == "first" else "second"


def write(choice: Preferred) -> str:
    """A choice as the reply that a tuned model should give; `parse` reads it back."""
    return f"verdict: {choice}"


def owner_hints(queries: list[str], schema: Schema) -> list[str]:
    """Sentences on the columns that the queries use and that several tables have."""
    names: dict[str, None] = {}
    for sql in queries:
        tree = parse_query(sql, schema.dialect)
        names |= {column.name.casefold(): None for column in tree.find_all(exp.Column)} if tree else {}
    owners = {name: [table.key for table in schema if table.column(name)] for name in names}
    return [f"{name}: {', '.join(tables)}" for name, tables in owners.items() if len(tables) > 1]


def _shown(name: str, query: ShownQuery, brief: Brief) -> str:
    sql = clean(without_comments(query.sql, brief.schema.dialect), SQL_CHARS)
    return fenced(name, f"{sql}\n-- {clean(query.finding, FINDING_CHARS)}")
