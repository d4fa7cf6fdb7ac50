"""From what a user calls a database (a file, a URL, a name in databases.toml) to an open catalog."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog


@asynccontextmanager
async def open_catalog(db: str, settings: Settings) -> AsyncIterator[tuple[Catalog, str]]:
    """The catalog that holds the database and its name there; closed at the end.

    A name of `databases.toml` comes before a file of the same name.

    Raises:
        UnknownDatabase: neither a name in the catalog nor a file nor a URL.
        DatabaseUnavailable: a URL of an engine that isn't supported, or a file that is no database.
    """
    catalog, name = _find(db, settings.databases)
    async with catalog:
        yield catalog, name


def _find(db: str, toml: Path) -> tuple[Catalog, str]:
    if toml.is_file():
        catalog = Catalog.from_toml(toml)
        if db in catalog.names():
            return catalog, db
    return Catalog.from_url(db)
