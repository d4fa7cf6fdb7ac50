"""The schema linker: which tables and columns does the question need (task SL; ROUTE, section 3.1)?

It answers in JSON, `{table: [columns]}`. Models write it truncated, in single quotes, in another case, with invented
names, or as a list; `parse` takes all of that and keeps only what exists.
"""

import json
import re
from collections.abc import Iterator

from langchain_core.messages import BaseMessage

from route_sql.agents.brief import Brief, Wording, conversation
from route_sql.tools.schema.records import Link, Schema

TASK: dict[Wording, str] = {
    "instruct": (
        "Task: name the tables and columns of the schema that the SQL for this question needs, keys of joins included. "
        'Reply with JSON only: table to list of columns, such as {{"pet": ["name", "owner_id"], "owner": ["id"]}}.'
    ),
    "tuned": "Task: schema linking",
}

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|`([^`]*)`')


def messages(brief: Brief) -> list[BaseMessage]:
    """The conversation that asks for a link."""
    return conversation(brief, TASK[brief.wording].format(dialect=brief.dialect))


def parse(reply: str, schema: Schema) -> Link:
    """The part of a reply that exists in the schema; empty if nothing does."""
    return existing(_whole(reply) or _pieces(reply, schema), schema)


def write(link: Link) -> str:
    """A link as the reply that a tuned model should give; `parse` reads it back."""
    return json.dumps(link, ensure_ascii=False)


def existing(link: Link, schema: Schema) -> Link:
    """The names of a link that exist, in the database's own spelling and order."""
    wanted: dict[str, set[str]] = {}
    for key, names in link.items():
        if table := schema.table(key):
            found = (table.column(name.rpartition(".")[2]) or table.column(name) for name in names)
            wanted.setdefault(table.key, set()).update(column.name for column in found if column)
    return {t.key: [c.name for c in t.columns if c.name in wanted[t.key]] for t in schema if t.key in wanted}


def _whole(reply: str) -> Link | None:
    """The link of a reply that holds well-formed JSON."""
    start, end = reply.find("{"), reply.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        read = json.loads(reply[start : end + 1])
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, or brackets a thousand deep
        return None
    return {str(table): _names(columns) for table, columns in read.items()}


def _names(columns: object) -> list[str]:
    if isinstance(columns, str):
        return [columns]
    if isinstance(columns, dict):
        return [str(name) for name in columns]
    return [str(name) for name in columns] if isinstance(columns, list) else []


def _pieces(reply: str, schema: Schema) -> Link:
    """The link of a reply that is not JSON: each quoted name is a table, or a column of the table named before it."""
    link: Link = {}
    table = None
    for name in _quoted(reply):
        head, dot, tail = name.rpartition(".")
        if dot and (owner := schema.table(head)):
            link.setdefault(owner.key, []).append(tail)
        elif table and table.column(name):
            link[table.key].append(name)
        elif found := schema.table(name):
            table = found
            link.setdefault(table.key, [])
    return link


def _quoted(reply: str) -> Iterator[str]:
    return (next(group for group in match.groups() if group is not None) for match in _STRING.finditer(reply))
