"""The databases that can be asked, by name."""

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rapidfuzz import fuzz, process, utils

from route_sql.tools.database.catalog_file import Entry, read_entries
from route_sql.tools.database.engine import Database
from route_sql.tools.database.open_database import database_name, open_database
from route_sql.tools.database.sqlite.database import DEFAULT_LIMITS
from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.errors import UnknownDatabase
from route_sql.tools.limits import Limits
from route_sql.tools.loop_thread import QUESTIONS
from route_sql.tools.schema.rights.visibility import EVERYTHING, Visibility

SIMILARITY = 60.0
RIGHTS = 256
"""Number of databases narrowed for callers that are kept; each holds its own schema."""


class Catalog:
    """Databases by name. They open when first used and close with the catalog.

    Use it as a context manager, async or not, or call `close`.
    """

    def __init__(
        self,
        databases: Mapping[str, Database],
        *,
        visibility: Mapping[str, Visibility] | None = None,
        notes: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """Take databases that exist already.

        Args:
            databases: The databases by name.
            visibility: The visible part of each, if not all.
            notes: Notes for the reader of each, such as a glossary: untrusted text.
        """
        self._databases = dict(databases)
        self._entries: dict[str, tuple[Entry, Path]] = {}
        self._visibility = dict(visibility or {})
        self._notes = dict(notes or {})
        self._narrowed: OrderedDict[tuple[str, Visibility], VisibleDatabase] = OrderedDict()

    @classmethod
    def from_url(
        cls, url_or_path: str | Path, limits: Limits = DEFAULT_LIMITS, *, functions: Sequence[str] = ()
    ) -> "tuple[Catalog, str]":
        """A catalog of one database, and its name: that of the file without its ending, or that on its server.

        Args:
            url_or_path: A URL such as `postgresql://user@host/shop`, or the path of a SQLite or DuckDB file.
            limits: The bounds of every query.
            functions: Functions that may be called beyond the guard's list, such as `st_*`; each must only read.

        Raises:
            DatabaseUnavailable: the URL can't be read or names an engine that is not supported.
        """
        name = database_name(str(url_or_path))
        return cls({name: open_database(name, str(url_or_path), Path(), limits, functions=functions)}), name

    @classmethod
    def from_toml(cls, path: Path, environ: Mapping[str, str] = os.environ) -> "Catalog":
        """The catalog that a TOML file describes; see `catalog_file` for its keys.

        `get` reports a database whose URL or driver is wrong, so that the others can be used.

        Raises:
            DatabaseUnavailable: the file can't be read, a variable is not set, or an entry is wrong.
        """
        entries = read_entries(path, environ)
        catalog = cls(
            {},
            visibility={name: entry.visibility for name, entry in entries.items()},
            notes={name: entry.notes for name, entry in entries.items()},
        )
        catalog._entries = {name: (entry, path.parent) for name, entry in entries.items()}
        return catalog

    def names(self) -> list[str]:
        """The names, in the order in which they were given."""
        return list(self._entries) or list(self._databases)

    def get(self, name: str, rights: Visibility = EVERYTHING) -> Database:
        """The database of that name, as far as the catalog and the caller's rights show it.

        Args:
            name: A name in the catalog.
            rights: What this caller may see; it narrows what the catalog shows and never widens it. The same rights
                get the same object as long as it is among the 256 used last. Patterns for another database, such as
                `shop:customer`, don't apply; those left must match something in the whole schema, seen or hidden,
                unless they have a wildcard.

        Raises:
            UnknownDatabase: there is none; the message lists those there are, the closest first. Or a pattern is for
                a database that is not in the catalog.
            DatabaseUnavailable: its URL or driver is wrong, or something is to be hidden where nothing can be.
        """
        database = self._whole(name)
        names = self.names()
        base = self._visibility.get(name, EVERYTHING).of_database(name, names)
        visibility = base.narrowed(rights.of_database(name, names))
        if not visibility:
            return database
        key = name, visibility
        narrowed = self._narrowed.pop(key, None) or VisibleDatabase(database, visibility, checked=visibility)
        self._narrowed[key] = narrowed
        while len(self._narrowed) > RIGHTS:
            self._narrowed.popitem(last=False)
        return narrowed

    async def notes(self, name: str, rights: Visibility = EVERYTHING) -> list[str]:
        """Notes for the reader of a database, without those that name hidden tables or columns.

        Untrusted text: it is cleaned and clipped before it enters a prompt.

        Raises:
            UnknownDatabase: the catalog has no such database.
            DatabaseUnavailable: something is hidden, and the database can't be read to tell what.
        """
        database = self.get(name, rights)
        notes = self._notes.get(name, ())
        if not notes or not isinstance(database, VisibleDatabase):
            return list(notes)
        visible = await database.visible()
        return [note for note in notes if not visible.betrayed_by(note)]

    async def close(self) -> None:
        """Close every database, even after one that fails to close."""
        failures: list[Exception] = []
        for database in self._databases.values():
            try:
                await database.close()
            except Exception as error:  # whatever an engine's driver raises, the others must be closed
                failures.append(error)
        if failures:
            raise ExceptionGroup("some databases did not close", failures)

    def _whole(self, name: str) -> Database:
        if name not in self._databases:
            if name not in self._entries:
                raise UnknownDatabase(_unknown(name, self.names()))
            self._databases[name] = _opened(name, *self._entries[name])
        return self._databases[name]

    def __enter__(self) -> Self:
        """The catalog itself, for questions that are asked with `invoke`, `stream` and `batch`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        QUESTIONS.run(self.close())

    async def __aenter__(self) -> Self:
        """The catalog itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()


def _opened(name: str, entry: Entry, folder: Path) -> Database:
    return open_database(
        name,
        entry.url,
        folder,
        entry.limits,
        namespaces=entry.schemas,
        other_dialects=entry.accept_weak_bounds,
        pool=entry.pool,
        wait_seconds=entry.wait_seconds,
        functions=entry.functions,
    )


def _unknown(name: str, names: list[str]) -> str:
    if not names:
        return f"there is no database {name!r}; the catalog is empty"
    match = process.extractOne(
        name, names, scorer=fuzz.WRatio, processor=utils.default_process, score_cutoff=SIMILARITY
    )
    hint = f"; did you mean {match[0]!r}?" if match else ""
    return f"there is no database {name!r} in the catalog{hint} (it has {', '.join(sorted(names))})"
