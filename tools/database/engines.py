"""From a URL or a path to the adapter of its engine."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from route_sql.tools.database.engine import Database
from route_sql.tools.database.mysql.database import MySQLDatabase
from route_sql.tools.database.postgres.database import PostgresDatabase
from route_sql.tools.database.sqlite.database import DEFAULT_LIMITS, SQLiteDatabase
from route_sql.tools.database.url_options import DUCKDB, SQLITE, read_options
from route_sql.tools.errors import DatabaseUnavailable
from route_sql.tools.limits import Limits

POOL = 4
WAIT_SECONDS = 10.0
FILE_WAIT_SECONDS = 60.0
"""A file has no server that tells of its load, and batches queue all their questions at once."""
_URL = re.compile(r"[A-Za-z][\w+.-]*://")
_DUCKDB_MARK = b"DUCK"
_UNREADABLE = "the URL can't be read; write it as sqlite:///path/to/file or postgresql://user:password@host/database"


@dataclass(frozen=True, slots=True)
class _Order:
    """What an adapter is made of."""

    name: str
    folder: Path
    limits: Limits
    namespaces: tuple[str, ...]
    pool: int
    wait_seconds: float | None
    functions: Sequence[str] = ()


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
        other_dialects: Whether any other engine that SQLAlchemy knows will do, with fewer promises.
        pool: How many queries may run at once.
        wait_seconds: How long a query waits for a connection; None is 10 s for a server and 60 s for a file.
        functions: Functions that may be called beyond the guard's list, such as `st_*`.

    Raises:
        DatabaseUnavailable: the URL can't be read, its engine is not among these, or its driver is not installed.
    """
    order = _Order(name, folder, limits, tuple(namespaces), pool, wait_seconds, functions)
    if not _URL.match(url):
        path = folder / Path(url).expanduser()
        return _duckdb(order, path) if _is_duckdb(path) else _sqlite(order, path)
    parsed = _parsed(url)
    engine = parsed.get_backend_name()
    if engine in _SERVERS:
        return _server(order, parsed)
    if engine in _FILES:
        return _FILES[engine](order, _path(parsed, folder, engine))
    if not other_dialects:
        raise DatabaseUnavailable(
            f"{engine} is not among the engines that are held to bounded reading (SQLite, DuckDB, PostgreSQL, MySQL, "
            "MariaDB); to use it with the bounds that are left, set accept_weak_bounds = true in databases.toml"
        )
    return _any(order, parsed)


def file_path(url_or_path: str) -> Path | None:
    """The file that a URL or a path names; None for a database on a server."""
    if not _URL.match(url_or_path):
        return Path(url_or_path)
    parsed = _parsed(url_or_path)
    return Path(parsed.database) if parsed.get_backend_name() in _FILES and parsed.database else None


def database_name(url_or_path: str) -> str:
    """What a database is called that nobody gave a name: as its file without the ending, or as on its server.

    Raises:
        DatabaseUnavailable: the URL can't be read.
    """
    path = file_path(url_or_path)
    if path is not None:
        return path.stem or path.name or "database"
    parsed = _parsed(url_or_path)
    return parsed.database or parsed.get_backend_name()


def _parsed(url: str) -> URL:
    query = url.rpartition("@")[2].partition("?")[2]
    if any(option and not option.partition("=")[2] for option in query.split("&")):
        # SQLAlchemy leaves it out, and what it was to protect would stay unprotected.
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
        raise DatabaseUnavailable("SQLite's own file: URIs are not taken; write sqlite:///path/to/file")
    read_options(url, *((SQLITE, "SQLite") if engine == "sqlite" else (DUCKDB, "DuckDB")))
    return folder / Path(url.database).expanduser()


def _is_duckdb(path: Path) -> bool:
    """Whether a file begins as DuckDB's do; one that can't be read is left to the adapter to complain of.

    A pipe or a device is not opened: it would wait for a writer.
    """
    try:
        if not path.is_file():
            return path.suffix == ".duckdb"
        with path.open("rb") as file:
            return file.read(12)[8:] == _DUCKDB_MARK
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return path.suffix == ".duckdb"


def _sqlite(order: _Order, path: Path) -> Database:
    if order.namespaces:
        raise DatabaseUnavailable(f"the database {order.name} is a SQLite file, which has no schemas; remove schemas")
    return SQLiteDatabase(
        order.name,
        path,
        order.limits,
        workers=order.pool,
        wait_seconds=order.wait_seconds or FILE_WAIT_SECONDS,
        functions=order.functions,
    )


def _duckdb(order: _Order, path: Path) -> Database:
    from route_sql.tools.database.duckdb.database import DuckDBDatabase

    return DuckDBDatabase(
        order.name,
        path,
        order.limits,
        namespaces=order.namespaces,
        workers=order.pool,
        wait_seconds=order.wait_seconds or FILE_WAIT_SECONDS,
        functions=order.functions,
    )


def _server(order: _Order, url: URL) -> Database:
    return _SERVERS[url.get_backend_name()](
        order.name,
        url,
        order.limits,
        namespaces=order.namespaces,
        pool=order.pool,
        wait_seconds=order.wait_seconds or WAIT_SECONDS,
        functions=order.functions,
    )


def _any(order: _Order, url: URL) -> Database:
    from route_sql.tools.database.any_engine import AnyEngineDatabase

    return AnyEngineDatabase(
        order.name,
        url,
        order.limits,
        namespaces=order.namespaces,
        workers=order.pool,
        wait_seconds=order.wait_seconds or WAIT_SECONDS,
        functions=order.functions,
    )


_FILES: dict[str, Callable[[_Order, Path], Database]] = {"sqlite": _sqlite, "duckdb": _duckdb}
_SERVERS: dict[str, type[PostgresDatabase] | type[MySQLDatabase]] = {
    "postgresql": PostgresDatabase,
    "postgres": PostgresDatabase,
    "mysql": MySQLDatabase,
    "mariadb": MySQLDatabase,
}
