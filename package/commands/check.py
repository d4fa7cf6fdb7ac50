"""`route-sql check`: may this SQL run?"""

import asyncio
from typing import Annotated

import typer

from route_sql.databases import open_catalog
from route_sql.settings import Settings
from route_sql.tools.guard.check import DIALECTS, check_sql
from route_sql.tools.guard.refusal import Refusal
from route_sql.tools.schema.records import Schema


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
    schema = asyncio.run(_schema(db)) if db is not None else None
    if schema is not None and dialect not in (None, schema.dialect):
        raise typer.BadParameter(f"the database speaks {schema.dialect}", param_hint="--dialect")
    refusal = check_sql(sql, schema, schema.dialect if schema is not None else str(dialect))
    typer.echo(_worded(refusal) if refusal else "allowed")
    if refusal is not None:
        raise typer.Exit(1)


async def _schema(db: str) -> Schema:
    async with open_catalog(db, Settings()) as (catalog, name):
        return await catalog.get(name).schema()


def _worded(refusal: Refusal) -> str:
    place = f" (line {refusal.place.line}, column {refusal.place.column})" if refusal.place else ""
    return f"refused, {refusal.code}: {refusal.message}{place}"
