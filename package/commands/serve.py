"""`route-sql serve`: the embedded server alone, in the foreground."""

import asyncio
from typing import Annotated

import typer

from route_sql.commands.options import Model
from route_sql.models import is_url
from route_sql.printing import say
from route_sql.progress import download_progress
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.errors import ServerUnavailable
from route_sql.serving.store.model_store import ModelStore
from route_sql.settings import Settings


def serve(
    model: Model = None,
    port: Annotated[int, typer.Option(help="The port on loopback; 0 takes a free one.")] = 0,
) -> None:
    """Run the embedded model server for Studio or another process, until Ctrl-C."""
    settings = Settings()
    chosen = model or settings.model
    if is_url(chosen):
        raise typer.BadParameter("a URL is already served; name a model or a file", param_hint="--model")
    with download_progress() as progress:
        file = ModelStore(settings.cache).resolve(chosen, progress)
    asyncio.run(_serve(EmbeddedServer(file, port=port)))


async def _serve(embedded: EmbeddedServer) -> None:
    async with embedded as server:
        say(f"serving {server.served_name} until Ctrl-C (wording: {server.wording}); another process finds it by")
        say(f"export ROUTE_SQL_MODEL={server.url} ROUTE_SQL_API_KEY={server.api_key}")
        while server.alive:
            await asyncio.sleep(0.5)
    raise ServerUnavailable(f"The embedded server ended by itself. Its log ends:\n{server.log_tail()}")
