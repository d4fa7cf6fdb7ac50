"""`route-sql mcp`: the databases for an assistant, by the Model Context Protocol."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from route_sql.commands.options import MaxTokens, Model, StrategyName, Without, chosen
from route_sql.databases import open_catalog
from route_sql.graph.context import Context
from route_sql.models import model_on_demand
from route_sql.printing import say
from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

MISSING = "the protocol server needs the SDK mcp: pip install 'route-sql[mcp]'"
NO_DATABASE = "there is no database to serve: name one with --db, or write a databases.toml (ROUTE_SQL_DATABASES)"


@dataclass(frozen=True)
class Address:
    """An address to listen on, and further values that the headers Host and Origin may have."""

    host: str
    port: int
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()


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
    approve: Annotated[bool, typer.Option("--approve", help="Ask a person before each query runs.")] = False,
    clarify: Annotated[bool, typer.Option("--clarify", help="Ask a person what an unclear word means.")] = False,
    http: Annotated[bool, typer.Option("--http", help="Serve streamable HTTP in place of standard input.")] = False,
    host: Annotated[
        str, typer.Option(help="The address to listen on; other than loopback only with tokens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8765,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="A further name that clients call the server by, such as sql.example:443."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option("--allow-origin", help="An origin whose pages may call the server, such as https://app.example."),
    ] = None,
) -> None:
    """Serve databases to assistants, by the Model Context Protocol: over standard input and output, or HTTP."""
    require_sdk()
    context = replace(chosen(strategy, without, max_tokens), seconds=seconds, approve=approve, clarify=clarify)
    place = Address(host, port, tuple(allow_host or ()), tuple(allow_origin or ())) if http else None
    asyncio.run(_serve(db, model, context, place))


def require_sdk() -> None:
    """Check that the SDK is installed.

    Raises:
        InvalidInput: it is not.
    """
    try:
        import mcp  # noqa: F401
    except ImportError as error:
        raise InvalidInput(MISSING) from error


async def _serve(db: str | None, model: str | None, context: Context, place: Address | None) -> None:
    from route_sql.mcp.callers import owner
    from route_sql.mcp.http import caller_of_request
    from route_sql.mcp.server import build_server

    settings = Settings()
    async with AsyncExitStack() as stack:
        catalog, names = await _databases(db, settings, stack)
        chat = await stack.enter_async_context(model_on_demand(model or settings.model, settings))
        server = build_server(
            chat,
            catalog,
            names=names,
            context=context,
            caller_of=owner if place is None else caller_of_request,
            trace_content=settings.trace_content,
        )
        if place is None:
            await server.run_stdio_async()
        else:
            await _over_http(server, place, settings)


async def _over_http(server: "MCPServer[Any]", place: Address, settings: Settings) -> None:
    from route_sql.mcp.http import PATH, hosts_of, http_app, listening, require_safe, run_http
    from route_sql.mcp.tokens import read_callers

    callers = read_callers(settings.databases)
    require_safe(place.host, callers)
    with listening(place.host, place.port) as opened:
        port = opened.getsockname()[1]
        hosts = hosts_of(place.host, port, place.hosts)
        who = f"{len(callers)} callers with tokens" if len(callers) else "everyone on this machine"
        say(f"serving http://{hosts[0]}{PATH} to {who}, until Ctrl-C")
        await run_http(http_app(server, hosts, place.origins, callers), opened)


async def _databases(db: str | None, settings: Settings, stack: AsyncExitStack) -> tuple[Catalog, list[str]]:
    """The catalog, and the names in it that are served."""
    if db is not None:
        catalog, name = await stack.enter_async_context(open_catalog(db, settings))
        return catalog, [name]
    if not settings.databases.is_file():
        raise InvalidInput(NO_DATABASE)
    catalog = await stack.enter_async_context(Catalog.from_toml(settings.databases))
    return catalog, catalog.names()
