"""Schemas without some of their columns or tables: questions about these can't be answered.

The same few variants serve all questions on a database, so that their rows share a schema.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from route_sql.tools.schema.quoting import quote_name, quote_table
from route_sql.tools.schema.records import Link, Schema
from route_sql.tools.text import words

VARIANTS = 3
"""Variants of each database: the last one lacks tables, the others columns."""
HIDDEN_COLUMNS = 0.2
"""The share of the names of columns that a variant hides."""
HIDDEN_TABLES = 0.25
"""The share of the tables that a variant hides."""


@dataclass(frozen=True)
class HiddenNames:
    """A schema without some names, and the names."""

    schema: Schema
    columns: frozenset[str]
    """Names of the hidden columns, in lower case; a hidden name is hidden in every table."""
    tables: frozenset[str]
    """Keys of the hidden tables."""

    def missing_columns(self, link: Link) -> list[str]:
        """Hidden columns of a link, in plain words."""
        names = [name for table, columns in link.items() if table not in self.tables for name in columns]
        return _plain([name for name in names if name.casefold() in self.columns])

    def missing_tables(self, link: Link) -> list[str]:
        """Hidden tables of a link, in plain words."""
        return _plain([table for table in link if table in self.tables])

    def notes(self, notes: Sequence[str]) -> tuple[str, ...]:
        """The notes about columns that are still there."""
        known = tuple(
            f"{quote_table(table, self.schema.dialect)}.{quote_name(column.name, self.schema.dialect)} = "
            for table in self.schema
            for column in table.columns
        )
        return tuple(note for note in notes if note.startswith(known))


def hidden_variants(schema: Schema, seed: int, database: str) -> list[HiddenNames]:
    """The variants of a database's schema that lack a name; fewer than `VARIANTS` where there is little to hide."""
    randoms = [Random(f"{seed}:{database}:hidden:{number}") for number in range(VARIANTS)]
    found = [_without_columns(schema, random) for random in randoms[:-1]] + [_without_tables(schema, randoms[-1])]
    return [each for each in found if each is not None]


def _without_columns(schema: Schema, random: Random) -> HiddenNames | None:
    """Hide columns that are not keys; each table keeps one column at least."""
    names = sorted({column.name.casefold() for table in schema for column in table.columns} - _keys(schema))
    hidden = frozenset(random.sample(names, min(len(names), max(1, round(HIDDEN_COLUMNS * len(names))))))
    link = {table.key: [c.name for c in table.columns if c.name.casefold() not in hidden] for table in schema}
    if not hidden or not all(link.values()):
        return None
    return HiddenNames(schema.restrict(link), hidden, frozenset())


def _without_tables(schema: Schema, random: Random) -> HiddenNames | None:
    keys = [table.key for table in schema]
    hidden = frozenset(random.sample(keys, max(1, round(HIDDEN_TABLES * len(keys)))))
    link = {table.key: [column.name for column in table.columns] for table in schema if table.key not in hidden}
    if not link or len(schema.restrict(link).tables) != len(link):  # a table that joins two others comes back
        return None
    return HiddenNames(schema.restrict(link), frozenset(), hidden)


def _keys(schema: Schema) -> set[str]:
    """Names of columns that joins use."""
    own = {name for table in schema for name in table.primary_key}
    references = [key for table in schema for key in table.foreign_keys]
    return {name.casefold() for key in references for name in (*key.columns, *key.target_columns)} | {
        name.casefold() for name in own
    }


def _plain(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(" ".join(words(name)) for name in names))
