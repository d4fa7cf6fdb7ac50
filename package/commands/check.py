"""`route-sql check`: may this SQL run?"""

import asyncio
from typing import Annotated

import typer

from route_sql.databases import open_catalog
from route_sql.printing import say
from route_sql.settings import Settings
from route_sql.tools.database.visible import refusal_in
from route_sql.tools.guard.check import DIALECTS, check_sql, names_to_look_up
from route_sql.tools.guard.refusal import Refusal
from route_sql.tools.terminal import escaped

MOST_NAMES = 20


def check(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One statement, in quotes.")],
    dialect: Annotated[
        str | None, typer.Option("--dialect", help=f"{', '.join(DIALECTS)}; by default that of --db.")
    ] = None,
    db: Annotated[
        str | None, typer.Option("--db", help="A database file, a URL or a name in databases.toml, for its tables.")
    ] = None,
) -> None:
    """Say whether the guard lets a statement pass, without running it."""
    if dialect is None and db is None:
        raise typer.BadParameter("name the dialect, or a database with --db", param_hint="--dialect")
    if dialect is not None and dialect not in DIALECTS:
        raise typer.BadParameter(f"one of {', '.join(DIALECTS)}", param_hint="--dialect")
    refusal = asyncio.run(_refusal(sql, db, dialect)) if db is not None else check_sql(sql, None, str(dialect))
    say(escaped(_worded(refusal)) if refusal else _allowed(sql, str(dialect) if db is None else None))
    if refusal is not None:
        raise typer.Exit(1)


async def _refusal(sql: str, db: str, dialect: str | None) -> Refusal | None:
    """The refusal that a question's query would meet in this database, where names may be hidden."""
    async with open_catalog(db, Settings()) as (catalog, name):
        database = catalog.get(name)
        if dialect not in (None, database.dialect):
            raise typer.BadParameter(f"the database speaks {database.dialect}", param_hint="--dialect")
        return await refusal_in(database, sql)


def _allowed(sql: str, dialect: str | None) -> str:
    """The sentence for a statement that passes; without a database it names the checks that were left out."""
    names = names_to_look_up(sql, dialect) if dialect is not None else []
    if not names:
        return "allowed"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return (
        f"allowed, if these names exist: {escaped(', '.join(names[:MOST_NAMES]))}{more}\n"
        "They could not be resolved without a database; name it with --db."
    )


def _worded(refusal: Refusal) -> str:
    place = f" (line {refusal.place.line}, column {refusal.place.column})" if refusal.place else ""
    if refusal.code == "unknown_name":
        return f"not resolved: {refusal.message}{place}"
    return f"refused, {refusal.code}: {refusal.message}{place}"
