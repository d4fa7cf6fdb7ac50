"""Adapters of databases, opened by a URL or a path."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from route_sql.tools.database.engine import Database
from route_sql.tools.database.mysql.database import MySQLDatabase
from route_sql.tools.database.postgres.database import PostgresDatabase
from route_sql.tools.database.running.server import ServerOptions
from route_sql.tools.database.sqlite.database import DEFAULT_LIMITS, SQLiteDatabase
from route_sql.tools.database.unknown_engine import UnknownEngineDatabase
from route_sql.tools.database.url_options import DUCKDB, SQLITE, read_options
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

POOL = 4
WAIT_SECONDS = 10.0
FILE_WAIT_SECONDS = 60.0
"""Longer than for a server: a batch queues all its questions at once, and no server limits the load on a file."""
_URL = re.compile(r"[A-Za-z][\w+.-]*://")
_DUCKDB_MARK = b"DUCK"
_UNREADABLE = "the URL can't be read; write it as sqlite:///path/to/file or postgresql://user:password@host/database"


@dataclass(frozen=True, slots=True)
class _Request:
    """Name, place and bounds of the database to open."""

    name: str
    folder: Path
    limits: Limits
    namespaces: tuple[str, ...]
    pool: int
    wait_seconds: float | None
    functions: Sequence[str] = ()

    def workers(self, wait_seconds: float) -> "_WorkerOptions":
        """The arguments of an adapter that has its own workers, with a default for the wait."""
        return _WorkerOptions(
            workers=self.pool, wait_seconds=self.wait_seconds or wait_seconds, functions=self.functions
        )


class _WorkerOptions(TypedDict):
    workers: int
    wait_seconds: float
    functions: Sequence[str]


def open_database(
    name: str,
    url: str,
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
    *,
    namespaces: Sequence[str] = (),
    other_dialects: bool = False,
    pool: int = POOL,
    wait_seconds: float | None = None,
    functions: Sequence[str] = (),
) -> Database:
    """The adapter for a database; nothing is opened before it is first used. No message repeats the URL.

    Args:
        name: The name in the catalog.
        url: A URL (`sqlite`, `duckdb`, `postgresql`, `mysql`, `mariadb`), or the path of a SQLite or DuckDB file.
        folder: Where relative paths begin.
        limits: The bounds of every query.
        namespaces: The engine's schema names to show; none shows the default one.
        other_dialects: Whether other engines of SQLAlchemy are allowed, with weaker bounds.
        pool: How many queries may run at once.
        wait_seconds: How long a query waits for a connection; None is 10 s for a server and 60 s for a file.
        functions: Functions that may be called beyond the guard's list, such as `st_*`.

    Raises:
        DatabaseUnavailable: the URL can't be read, its engine is not among these, or its driver is not installed.
    """
    request = _Request(name, folder, limits, tuple(namespaces), pool, wait_seconds, functions)
    if not _URL.match(url):
        path = folder / Path(url).expanduser()
        return _duckdb(request, path) if _is_duckdb(path) else _sqlite(request, path)
    parsed = _parsed(url)
    engine = parsed.get_backend_name()
    if engine in _SERVERS:
        return _server(request, parsed)
    if engine in _FILES:
        return _FILES[engine](request, _path(parsed, folder, engine))
    if not other_dialects:
        raise DatabaseUnavailable(
            f"{engine} is not among the engines that are held to bounded reading (SQLite, DuckDB, PostgreSQL, MySQL, "
            "MariaDB); to use it with the bounds that are left, set accept_weak_bounds = true in databases.toml"
        )
    return _any(request, parsed)


def database_name(url_or_path: str) -> str:
    """A default name for a database: its file's name without the ending, or its name on the server.

    Raises:
        DatabaseUnavailable: the URL can't be read.
    """
    place = _file_or_server(url_or_path)
    if isinstance(place, Path):
        return place.stem or place.name or "database"
    return place.database or place.get_backend_name()


def _file_or_server(url_or_path: str) -> Path | URL:
    """The file that a URL or a path names, or else the URL."""
    if not _URL.match(url_or_path):
        return Path(url_or_path)
    parsed = _parsed(url_or_path)
    return Path(parsed.database) if parsed.get_backend_name() in _FILES and parsed.database else parsed


def _parsed(url: str) -> URL:
    query = url.rpartition("@")[2].partition("?")[2]
    if any(option and not option.partition("=")[2] for option in query.split("&")):
        # SQLAlchemy would ignore it, and leave unprotected what it should protect.
        raise DatabaseUnavailable("the option without a value in the URL can't be read; give it one or remove it")
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # SQLAlchemy's message repeats the URL, with the password in it.
        raise DatabaseUnavailable(_UNREADABLE) from None


def _path(url: URL, folder: Path, engine: str) -> Path:
    if not url.database or url.database == ":memory:" or url.host:
        title = "SQLite" if engine == "sqlite" else "DuckDB"
        raise DatabaseUnavailable(f"the URL names no {title} file; write {engine}:///file or {engine}:////folder/file")
    if url.database.startswith("file:"):
        raise DatabaseUnavailable("SQLite's own file: URIs can't be used; write sqlite:///path/to/file")
    read_options(url, *((SQLITE, "SQLite") if engine == "sqlite" else (DUCKDB, "DuckDB")))
    return folder / Path(url.database).expanduser()


def _is_duckdb(path: Path) -> bool:
    """Whether a file begins as DuckDB's do; the adapter reports one that can't be read.

    A pipe or a device is not opened: it would wait for a writer.
    """
    try:
        if not path.is_file():
            return path.suffix == ".duckdb"
        with path.open("rb") as file:
            return file.read(12)[8:] == _DUCKDB_MARK
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return path.suffix == ".duckdb"


def _sqlite(request: _Request, path: Path) -> Database:
    if request.namespaces:
        raise DatabaseUnavailable(f"the database {request.name} is a SQLite file, which has no schemas; remove schemas")
    return SQLiteDatabase(request.name, path, request.limits, **request.workers(FILE_WAIT_SECONDS))


def _duckdb(request: _Request, path: Path) -> Database:
    from route_sql.tools.database.duckdb.database import DuckDBDatabase  # duckdb is an optional library

    shared = request.workers(FILE_WAIT_SECONDS)
    return DuckDBDatabase(request.name, path, request.limits, namespaces=request.namespaces, **shared)


def _server(request: _Request, url: URL) -> Database:
    options = ServerOptions(
        request.limits,
        request.namespaces,
        request.pool,
        request.wait_seconds or WAIT_SECONDS,
        tuple(request.functions),
    )
    return _SERVERS[url.get_backend_name()](request.name, url, options)


def _any(request: _Request, url: URL) -> Database:
    shared = request.workers(WAIT_SECONDS)
    return UnknownEngineDatabase(request.name, url, request.limits, namespaces=request.namespaces, **shared)


_FILES: dict[str, Callable[[_Request, Path], Database]] = {"sqlite": _sqlite, "duckdb": _duckdb}
_SERVERS: dict[str, type[PostgresDatabase] | type[MySQLDatabase]] = {
    "postgresql": PostgresDatabase,
    "postgres": PostgresDatabase,
    "mysql": MySQLDatabase,
    "mariadb": MySQLDatabase,
}
