"""The databases that questions may be asked of, by name."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rapidfuzz import fuzz, process, utils
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from route_sql.tools.database.engine import Database
from route_sql.tools.database.outcome import Limits
from route_sql.tools.database.sqlite import DEFAULT_LIMITS, SQLiteDatabase
from route_sql.tools.errors import DatabaseUnavailable, UnknownDatabase

SIMILARITY = 60.0
_URL = re.compile(r"[A-Za-z][\w+.-]*://")
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_ENGINES = {
    "postgresql": "PostgreSQL",
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "duckdb": "DuckDB",
    "mssql": "SQL Server",
    "oracle": "Oracle",
}
_DATABASE_KEYS = {"url", "limits"}


class Catalog:
    """Databases by name. They open when first used and close with the catalog.

    Use it as an async context manager, or call `close`.
    """

    def __init__(self, databases: Mapping[str, Database]) -> None:
        """Take databases that are made already."""
        self._databases = dict(databases)

    @classmethod
    def from_url(cls, url_or_path: str | Path, limits: Limits = DEFAULT_LIMITS) -> "tuple[Catalog, str]":
        """A catalog of one database, and its name: that of the file, without its ending.

        Args:
            url_or_path: `sqlite:///file`, or the path of a SQLite file.
            limits: The bounds of every query.

        Raises:
            DatabaseUnavailable: the URL can't be read or names an engine that is not supported.
        """
        path = _path(url_or_path, Path())
        name = path.stem or path.name
        return cls({name: SQLiteDatabase(name, path, limits)}), name

    @classmethod
    def from_toml(cls, path: Path, environ: Mapping[str, str] = os.environ) -> "Catalog":
        """The catalog that a TOML file describes.

        Each table `[databases.NAME]` has a `url` (or path), relative to the file's folder, in which
        `${VARIABLE}` stands for a variable of the environment, and may have `[databases.NAME.limits]` with
        the fields of `Limits`.

        Raises:
            DatabaseUnavailable: the file can't be read, a variable is not set, or an entry is wrong.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DatabaseUnavailable(f"the catalog {path} can't be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DatabaseUnavailable(f"the catalog {path} is not valid TOML: {error}") from error
        entries = content.get("databases")
        if not isinstance(entries, dict) or not entries:
            raise DatabaseUnavailable(f"the catalog {path} names no database; add [databases.NAME] with a url")
        return cls({name: _database(name, entry, path, environ) for name, entry in entries.items()})

    def names(self) -> list[str]:
        """The names, in the order in which they were given."""
        return list(self._databases)

    def get(self, name: str) -> Database:
        """The database of that name.

        Raises:
            UnknownDatabase: there is none; the message lists those there are, the closest first.
        """
        if name in self._databases:
            return self._databases[name]
        raise UnknownDatabase(_unknown(name, self.names()))

    async def close(self) -> None:
        """Close every database, those too that come after one that fails to close."""
        failures: list[Exception] = []
        for database in self._databases.values():
            try:
                await database.close()
            except Exception as error:  # whatever an engine's driver raises must not leave the others open
                failures.append(error)
        if failures:
            raise ExceptionGroup("some databases did not close", failures)

    async def __aenter__(self) -> Self:
        """The catalog itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()


def _unknown(name: str, names: list[str]) -> str:
    if not names:
        return f"there is no database {name!r}; the catalog is empty"
    match = process.extractOne(
        name, names, scorer=fuzz.WRatio, processor=utils.default_process, score_cutoff=SIMILARITY
    )
    hint = f"; did you mean {match[0]!r}?" if match else ""
    return f"there is no database {name!r} in the catalog{hint} (it has {', '.join(sorted(names))})"


def _database(name: str, entry: Any, file: Path, environ: Mapping[str, str]) -> Database:
    if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
        raise DatabaseUnavailable(f'[databases.{name}] in {file} needs a url, such as url = "sqlite:///shop.sqlite"')
    if unknown := sorted(set(entry) - _DATABASE_KEYS):
        raise DatabaseUnavailable(f"[databases.{name}] in {file} has unknown keys: {', '.join(unknown)}")
    url = _REFERENCE.sub(lambda match: _variable(match[1], name, environ), entry["url"])
    return SQLiteDatabase(name, _path(url, file.parent), _limits(entry.get("limits", {}), name, file))


def _variable(variable: str, name: str, environ: Mapping[str, str]) -> str:
    if variable not in environ:
        raise DatabaseUnavailable(f"the database {name!r} needs the environment variable {variable}; set it")
    return environ[variable]


def _limits(entry: Any, name: str, file: Path) -> Limits:
    place = f"[databases.{name}.limits] in {file}"
    known = {field.name: field.type for field in fields(Limits)}
    if not isinstance(entry, dict) or set(entry) - set(known):
        raise DatabaseUnavailable(f"{place} may have these keys only: {', '.join(known)}")
    for key, value in entry.items():
        kinds = (int, float) if known[key] in (float, "float") else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or value <= 0:
            raise DatabaseUnavailable(f"{place}: {key} must be a positive {'number' if float in kinds else 'integer'}")
    return Limits(**entry)


def _path(url_or_path: str | Path, folder: Path) -> Path:
    """The file that a URL or a path names, from `folder` on; no message repeats a URL (passwords)."""
    text = str(url_or_path)
    if not _URL.match(text):
        return folder / Path(text).expanduser()
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseUnavailable("the URL can't be read; write it as sqlite:///path/to/file") from None
    engine = url.get_backend_name()
    if engine != "sqlite":
        raise DatabaseUnavailable(f"{_ENGINES.get(engine, engine)} is not supported yet; SQLite is")
    if not url.database or url.database == ":memory:" or url.host:
        raise DatabaseUnavailable("the URL names no SQLite file; write sqlite:///file or sqlite:////folder/file")
    if url.database.startswith("file:"):
        raise DatabaseUnavailable("SQLite's own file: URIs are not taken; write sqlite:///path/to/file")
    return folder / Path(url.database).expanduser()
