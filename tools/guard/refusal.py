"""The guard's refusals, and its policy."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from route_sql.tools.errors import RouteError

Code = Literal[
    "too_large",
    "unparsable",
    "ambiguous_text",
    "statement",
    "several_statements",
    "clause",
    "function",
    "system_catalog",
    "table",
    "column",
    "file",
    "type",
    "unknown_name",
]
"""Reason for the refusal of a text.

`too_large`, `unparsable`: it can't be judged. `ambiguous_text`: comments, quotes or characters that an engine may
read in another way than the guard. `statement`, `several_statements`: it is not one query. `clause`: a part of the
query is not on the list. `function`, `table`, `file`, `system_catalog`: it names one that may not be used. `column`: it
might show columns that the caller may not see. `type`: it names a type that shows the
catalog. `unknown_name`: a name means nothing, which is a mistake and not an attack.
"""


class UnknownDialect(RouteError):
    """The guard has no lists for that dialect."""


class Place(NamedTuple):
    """Place in the text, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Refusal of a text, with its reason.

    `node` is what was met: a name as written, or the kind of clause. `place` is None where the parser lost it.
    `message` is one sentence from which a model can repair the query.
    """

    code: Code
    node: str
    message: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Names that a user allows beyond the lists, or forbids within them.

    Args:
        system_catalogs: The engine's own tables (`sqlite_master`, `pg_catalog`, `information_schema`) may be read.
        functions: Further functions that may be called, in lower case, with `*` for any characters. One in a schema is
            listed with it (`gis.st_*`). Each must be free of side effects.
        only_shown: A table that the schema does not show is refused, not left to the engine.
        partial: The keys of the schema's tables that have further columns, which the caller may not see.
    """

    system_catalogs: bool = False
    functions: frozenset[str] = frozenset()
    only_shown: bool = False
    partial: frozenset[str] = frozenset()


DEFAULT_POLICY = Policy()


def place_of(sql: str, offset: int | None) -> Place | None:
    """Line and column of a character."""
    if offset is None or not 0 <= offset <= len(sql):
        return None
    before = sql[:offset]
    return Place(before.count("\n") + 1, offset - before.rfind("\n"))
