"""`route-sql mcp`: the databases for an assistant, by the Model Context Protocol."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Annotated

import typer

from route_sql.commands.options import MaxTokens, Model, StrategyName, Without, chosen
from route_sql.databases import open_catalog
from route_sql.graph.context import Context
from route_sql.models import model_on_demand
from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

MISSING = "the protocol server needs the SDK mcp: pip install 'route-sql[mcp]'"
NO_DATABASE = "there is no database to serve: name one with --db, or write a databases.toml (ROUTE_SQL_DATABASES)"


def mcp(
    db: Annotated[
        str | None,
        typer.Option("--db", help="A file, a URL or a name in databases.toml; by default all of databases.toml."),
    ] = None,
    model: Model = None,
    strategy: StrategyName = "adaptive",
    without: Without = None,
    max_tokens: MaxTokens = None,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds that a question may take.")] = 300,
) -> None:
    """Serve databases to assistants, by the Model Context Protocol over standard input and output."""
    require_sdk()
    context = replace(chosen(strategy, without, max_tokens), seconds=seconds)
    asyncio.run(_serve(db, model, context))


def require_sdk() -> None:
    """Check that the SDK is installed.

    Raises:
        InvalidInput: it is not.
    """
    try:
        import mcp  # noqa: F401
    except ImportError as error:
        raise InvalidInput(MISSING) from error


async def _serve(db: str | None, model: str | None, context: Context) -> None:
    from route_sql.mcp.server import build_server

    settings = Settings()
    async with AsyncExitStack() as stack:
        catalog, names = await _databases(db, settings, stack)
        chat = await stack.enter_async_context(model_on_demand(model or settings.model, settings))
        server = build_server(chat, catalog, names=names, context=context, trace_content=settings.trace_content)
        await server.run_stdio_async()


async def _databases(db: str | None, settings: Settings, stack: AsyncExitStack) -> tuple[Catalog, list[str]]:
    """The catalog, and the names in it that are served."""
    if db is not None:
        catalog, name = await stack.enter_async_context(open_catalog(db, settings))
        return catalog, [name]
    if not settings.databases.is_file():
        raise InvalidInput(NO_DATABASE)
    catalog = await stack.enter_async_context(Catalog.from_toml(settings.databases))
    return catalog, catalog.names()
