"""`route-sql serve`: the embedded server alone, in the foreground."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from route_sql.commands.options import Model
from route_sql.databases import db_without_password, open_catalog
from route_sql.graph.warming import warm_up
from route_sql.models import is_url
from route_sql.printing import complain, say
from route_sql.progress import download_progress
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.errors import ServerUnavailable
from route_sql.serving.store.model_store import ModelStore
from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput, RouteError


def serve(
    model: Model = None,
    port: Annotated[int, typer.Option(help="The port on loopback; 0 takes a free one.")] = 0,
    warm: Annotated[
        list[str] | None,
        typer.Option(
            "--warm",
            help="A database whose schema is computed at the start, as for `ask --db`, or all for those of "
            "databases.toml; may be given several times (ROUTE_SQL_WARM).",
        ),
    ] = None,
) -> None:
    """Run the embedded model server for Studio or another process, until Ctrl-C."""
    settings = Settings()
    chosen = model or settings.model
    if is_url(chosen):
        raise typer.BadParameter("a URL is already served; name a model or a file", param_hint="--model")
    with download_progress() as progress:
        file = ModelStore(settings.cache).resolve(chosen, progress)
    asyncio.run(_serve(EmbeddedServer(file, port=port), _databases(warm, settings), settings))


def _databases(warm: Sequence[str] | None, settings: Settings) -> list[str]:
    """The databases to compute at the start.

    Raises:
        InvalidInput: `all` without a catalog.
    """
    named = list(warm) if warm else [name.strip() for name in (settings.warm or "").split(",") if name.strip()]
    if named != ["all"]:
        return named
    if not settings.databases.is_file():
        raise InvalidInput(f"--warm all needs a catalog, but there is no {settings.databases}; name a database")
    return Catalog.from_toml(settings.databases).names()


async def _warm_up(server: EmbeddedServer, databases: Sequence[str], settings: Settings) -> None:
    """Compute each schema; a database that can't be asked costs a line, not the server."""
    chat = server.chat_model()
    try:
        for db in databases:
            try:
                async with open_catalog(db, settings) as (catalog, name):
                    async for _, seconds in warm_up(chat, catalog, [name]):
                        say(f"warm: {name}, {seconds:.1f} s" if seconds is not None else f"too large to warm: {name}")
            except RouteError as error:
                complain(f"not warm: {db_without_password(db)}: {error}")
    finally:
        await chat.aclose()


async def _serve(embedded: EmbeddedServer, databases: Sequence[str], settings: Settings) -> None:
    async with embedded as server:
        say(f"serving {server.served_name} until Ctrl-C (wording: {server.wording}); another process finds it by")
        say(f"export ROUTE_SQL_MODEL={server.url} ROUTE_SQL_API_KEY={server.api_key}")
        await _warm_up(server, databases, settings)
        while server.alive:
            await asyncio.sleep(0.5)
    raise ServerUnavailable(f"The embedded server ended by itself. Its log ends:\n{server.log_tail()}")
