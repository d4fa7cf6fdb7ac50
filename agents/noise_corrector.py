"""The noise corrector: a verdict on a candidate, with a correction if it is wrong (task NC; ROUTE, section 3.1).

Its reply has a fixed form: a first line `verdict: right` or `verdict: wrong`, then, if wrong, the SQL. A reply in any
other form changes nothing: the worst that this agent can do is to make a right query wrong.
"""

import re
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import BaseMessage

from route_sql.agents.brief import Brief, Wording, conversation, fenced
from route_sql.tools.sql.comments import without_comments
from route_sql.tools.sql.replies.reply import extract_sql
from route_sql.tools.sql.replies.thinking import turns, without_thinking
from route_sql.tools.text import clean

TASK: dict[Wording, str] = {
    "instruct": (
        "{sql}\n\n{finding}\n\n"
        "Task: judge this SQL for the question. If it answers the question, reply with this line only:\n"
        "verdict: right\n"
        "If not, mend it with tables and columns of the schema, and reply with this line and then one {dialect} SELECT "
        "statement:\n"
        "verdict: wrong\n"
    ),
    "tuned": "{sql}\n\n{finding}\n\nTask: noise correction",
}

TASK_FAILED: dict[Wording, str] = {
    "instruct": (
        "{sql}\n\n{finding}\n\n"
        "Task: this SQL does not run. Mend it: each column must belong to the table that it is taken from, and each "
        "table must be joined. Reply with this line and then one {dialect} SELECT statement that answers the "
        "question:\n"
        "verdict: wrong\n"
    ),
    "tuned": TASK["tuned"],
}
"""A model that was not tuned calls any SQL `right`, so it is not asked about SQL that can't be right."""

FINDING_CHARS = 600
SQL_CHARS = 4_000

_VERDICT = re.compile(r"^[^\w\n]*verdict\W+(right|wrong)\b", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """Verdict of the noise corrector on a candidate; `sql` is its correction, None unless the verdict is `wrong`."""

    verdict: Literal["right", "wrong"]
    sql: str | None = None


def messages(brief: Brief, sql: str, finding: str, *, failed: bool) -> list[BaseMessage]:
    """The conversation that asks for a verdict.

    Args:
        brief: The question and the full schema.
        sql: The candidate.
        finding: Its result, or the complaint of a check: untrusted text, as it may quote rows.
        failed: Whether the candidate did not run.
    """
    task = (TASK_FAILED if failed else TASK)[brief.wording].format(
        sql=fenced("SQL", clean(without_comments(sql, brief.schema.dialect), SQL_CHARS)),
        finding=fenced("RESULT", clean(finding, FINDING_CHARS)),
        dialect=brief.dialect,
    )
    return conversation(brief, task)


def parse(reply: str, dialect: str) -> Verdict | None:
    """The verdict of a reply, the last one if there are several; None if it is not in the fixed form."""
    text = next((part for part in turns(without_thinking(reply)) if _VERDICT.search(part)), "")
    # After the first verdict, a line of SQL on a column named `verdict` could look like one.
    verdicts = [match for place, match in enumerate(_VERDICT.finditer(text)) if not place or ":" in match[0]]
    if not verdicts:
        return None
    if verdicts[-1][1].lower() == "right":
        return Verdict("right")
    return Verdict("wrong", _correction(text, verdicts, dialect))


def _correction(text: str, verdicts: list[re.Match[str]], dialect: str) -> str | None:
    """The SQL after the last verdict, or after an earlier one if the model only repeats that it is wrong."""
    end = len(text)
    for match in reversed(verdicts):
        if match[1].lower() == "right":
            break
        if sql := extract_sql(text[match.end() : end], dialect):
            return sql
        end = match.start()
    return None


def write(verdict: Verdict) -> str:
    """A verdict as the reply that a tuned model should give; `parse` reads it back."""
    return f"verdict: {verdict.verdict}" + (f"\n{verdict.sql}" if verdict.sql else "")
