"""Catalogs opened by a user's name for a database: a file, a URL, or a name in databases.toml."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

NO_DATABASE = "there is no database to serve: name one with --db, or write a databases.toml (ROUTE_SQL_DATABASES)"


@asynccontextmanager
async def open_catalog(db: str, settings: Settings) -> AsyncIterator[tuple[Catalog, str]]:
    """The catalog that holds the database and its name there; closed at the end.

    A name of `databases.toml` comes before a file of the same name.

    Raises:
        UnknownDatabase: neither a name in the catalog nor a file nor a URL.
        DatabaseUnavailable: a URL of an engine that isn't supported or whose driver is not installed.
    """
    catalog, name = _find(db, settings.databases)
    async with catalog:
        yield catalog, name


async def served_databases(db: str | None, settings: Settings, stack: AsyncExitStack) -> tuple[Catalog, list[str]]:
    """The catalog of a server, closed with the stack, and the names in it that are served.

    Args:
        db: A file, a URL or a name in `databases.toml`; None for all of `databases.toml`.
        settings: The settings, which say where `databases.toml` is.
        stack: Closes the catalog.

    Raises:
        InvalidInput: no database is named and there is no `databases.toml`.
        UnknownDatabase, DatabaseUnavailable: as for `open_catalog`.
    """
    if db is not None:
        catalog, name = await stack.enter_async_context(open_catalog(db, settings))
        return catalog, [name]
    if not settings.databases.is_file():
        raise InvalidInput(NO_DATABASE)
    catalog = await stack.enter_async_context(Catalog.from_toml(settings.databases))
    return catalog, catalog.names()


def _find(db: str, toml: Path) -> tuple[Catalog, str]:
    if toml.is_file():
        catalog = Catalog.from_toml(toml)
        is_name = "://" not in db and not Path(db).expanduser().exists()
        if db in catalog.names() or is_name:
            catalog.get(db)  # says which names there are
            return catalog, db
    return Catalog.from_url(db)


def db_without_password(db: str) -> str:
    """The user's name, path or URL of a database, without the password that a URL may hold."""
    scheme, mark, rest = db.partition("://")
    credentials, at, place = rest.rpartition("@")
    # Everything before the last @ may be part of a password that was not encoded, or an option of the driver.
    return f"{scheme}{mark}{credentials.partition(':')[0]}{at}{place.partition('?')[0]}" if mark else db
