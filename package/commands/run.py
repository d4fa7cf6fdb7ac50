"""`route-sql run`: one statement, guarded and bounded."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console

from route_sql.commands.options import AsJson, Db
from route_sql.databases import open_catalog
from route_sql.printing import print_outcome
from route_sql.settings import Settings
from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.errors import RouteError


def run(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One statement, in quotes.")],
    db: Db,
    as_json: AsJson = False,
) -> None:
    """Run one statement as the agents' statements are run: read-only, within the limits."""
    try:
        outcome = asyncio.run(_outcome(sql, db))
    except RouteError as error:
        if as_json:
            typer.echo(json.dumps(failed("error", str(error)), ensure_ascii=False))
        raise
    if as_json:
        typer.echo(json.dumps(outcome, ensure_ascii=False))
    else:
        print_outcome(Console(), outcome)
    if outcome["status"] not in ("ok", "empty"):
        raise typer.Exit(1)


async def _outcome(sql: str, db: str) -> Outcome:
    async with open_catalog(db, Settings()) as (catalog, name):
        return await catalog.get(name).execute(sql)
