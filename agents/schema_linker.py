"""The schema linker: a question and a schema in, the tables and columns it needs out (task SL; ROUTE, section 3.1).

It answers in JSON, `{table: [columns]}`. Models write it truncated, in single quotes, in another case, with invented
names, as a list, or nested in other ways; `parse` reads all of that and keeps only names that exist. An empty list of
columns means no column, as for COUNT(*). A list without an existing column means the whole table.
"""

import json
import re

from langchain_core.messages import BaseMessage

from route_sql.agents.brief import Brief, Wording, conversation
from route_sql.tools.schema.records import Link, Schema, Table
from route_sql.tools.sql.replies.thinking import turns, without_thinking

TASK: dict[Wording, str] = {
    "instruct": (
        "Task: name the tables and columns of the schema that the SQL for this question needs, keys of joins included. "
        'Reply with JSON only: table to list of columns, such as {{"pet": ["name", "owner_id"], "owner": ["id"]}}.'
    ),
    "tuned": "Task: schema linking",
}

_ALL = "*"
_STRING = re.compile(
    r'(?:"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|`([^`]*)`)(?P<key>\s*:)?(?P<empty>\s*(?:\[\s*\]|null\b))?'
)


def messages(brief: Brief) -> list[BaseMessage]:
    """The conversation that asks for a link."""
    return conversation(brief, TASK[brief.wording].format(dialect=brief.dialect))


def parse(reply: str, schema: Schema) -> Link:
    """The part of a reply that exists in the schema; empty if nothing does."""
    parts = turns(without_thinking(reply))
    links = (existing(_mapping(part, schema) or _pieces(part, schema), schema) for part in parts)
    return next((link for link in links if link), {})


def write(link: Link) -> str:
    """A link as the reply that a tuned model should give; `parse` reads it back."""
    return json.dumps(link, ensure_ascii=False)


def existing(link: Link, schema: Schema) -> Link:
    """The names of a link that exist, in the database's own spelling and order."""
    wanted: dict[str, set[str]] = {}
    for key, names in link.items():
        if table := schema.table(key):
            wanted.setdefault(table.key, set()).update(_existing_columns(names, table))
    return {t.key: [c.name for c in t.columns if c.name in wanted[t.key]] for t in schema if t.key in wanted}


def _existing_columns(names: list[str], table: Table) -> list[str]:
    """The columns that are named; all columns for `*`, or if no name exists."""
    bare = [name.rpartition(".")[2] for name in names]
    found = [table.column(last) or table.column(name) for last, name in zip(bare, names, strict=True)]
    columns = [column.name for column in found if column]
    is_whole = _ALL in bare or (names and not columns)
    return [column.name for column in table.columns] if is_whole else columns


def _mapping(reply: str, schema: Schema) -> Link:
    """The link of a reply that holds JSON of the form asked for; empty for any other."""
    start, end = reply.find("{"), reply.rfind("}")
    try:
        read = json.loads(reply[max(start, 0) : end + 1])
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, or brackets a thousand deep
        return {}
    link = {table: names for table, columns in read.items() if (names := _names(columns)) is not None}
    return link if len(link) == len(read) and any(schema.table(table) for table in link) else {}


def _names(columns: object) -> list[str] | None:
    """The columns of a table; None if they are not written as a list of names."""
    if isinstance(columns, str):
        return [columns]
    if columns is None or (isinstance(columns, list) and all(isinstance(name, str) for name in columns)):
        return columns or []
    return None


def _pieces(reply: str, schema: Schema) -> Link:
    """The link of any other reply: each quoted name is a table, or a column of the last table before it that has one.

    A name that is both counts as both, since one name too many costs less than one too few.
    """
    link: Link = {}
    tables: dict[str, Table] = {}
    for match in _STRING.finditer(reply):
        name = next(group for group in match.groups() if group is not None)
        head = name.rpartition(".")[0]
        newest = (table for table in reversed(tables.values()) if name == _ALL or table.column(name))
        owner = schema.table(head) or next(newest, None)
        if owner:
            link.setdefault(owner.key, []).append(name)
        if table := schema.table(name):
            # The empty name is not a column: the whole table, unless one of its columns is named too.
            link.setdefault(table.key, []).extend([] if match["empty"] else [""])
            if match["key"] or not owner:
                tables.pop(table.key, None)
                tables[table.key] = table
    return link
