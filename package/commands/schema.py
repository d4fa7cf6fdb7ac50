"""`route-sql schema`: the schema as the agents see it."""

import asyncio

from route_sql.commands.options import Db
from route_sql.databases import open_catalog
from route_sql.printing import say
from route_sql.settings import Settings
from route_sql.tools.schema.rendering import render


def schema(db: Db) -> None:
    """Print a database's schema as the agents see it."""
    say(asyncio.run(_rendered(db)))


async def _rendered(db: str) -> str:
    async with open_catalog(db, Settings()) as (catalog, name):
        return render(await catalog.get(name).schema())
