"""`route-sql run`: one statement, guarded and bounded."""

import asyncio
from typing import Annotated

import typer

from route_sql.commands.options import AsJson, Db, RowsAs, check_one_form
from route_sql.databases import open_catalog
from route_sql.printing import console, print_outcome, print_rows, say_json
from route_sql.settings import Settings
from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.errors import RouteError


def run(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One statement, in quotes.")],
    db: Db,
    as_json: AsJson = False,
    rows_as: RowsAs = None,
) -> None:
    """Run one statement like those of the agents: read-only, within the limits."""
    check_one_form(json=as_json, format=rows_as)
    try:
        outcome = asyncio.run(_outcome(sql, db))
    except RouteError as error:
        if as_json:
            say_json(failed("error", str(error)))
        raise
    if as_json:
        say_json(outcome)
    elif rows_as:
        print_rows(console(), outcome, rows_as)
    else:
        print_outcome(console(), outcome)
    if outcome["status"] not in ("ok", "empty"):
        raise typer.Exit(1)


async def _outcome(sql: str, db: str) -> Outcome:
    async with open_catalog(db, Settings()) as (catalog, name):
        return await catalog.get(name).execute(sql)
