"""`route-sql mcp`: the databases for an assistant, by the Model Context Protocol."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from route_sql.access.address import Address
from route_sql.calibration_file import read_calibration_file
from route_sql.commands.options import (
    AllowHost,
    AllowOrigin,
    CalibrationFile,
    Host,
    MaxTokens,
    Model,
    Port,
    ServedDb,
    StrategyName,
    Without,
    chosen,
)
from route_sql.databases import served_databases
from route_sql.graph.context import Context
from route_sql.models import model_on_demand
from route_sql.settings import Settings
from route_sql.tools.errors import InvalidInput

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

MISSING = "the protocol server needs the SDK mcp: pip install 'route-sql[mcp]'"


def mcp(
    db: ServedDb = None,
    model: Model = None,
    calibration: CalibrationFile = None,
    strategy: StrategyName = "adaptive",
    without: Without = None,
    max_tokens: MaxTokens = None,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds that a question may take.")] = 300,
    approve: Annotated[bool, typer.Option("--approve", help="Ask a person before each query runs.")] = False,
    clarify: Annotated[bool, typer.Option("--clarify", help="Ask a person what an unclear word means.")] = False,
    http: Annotated[bool, typer.Option("--http", help="Serve streamable HTTP in place of standard input.")] = False,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    allow_host: AllowHost = None,
    allow_origin: AllowOrigin = None,
) -> None:
    """Serve databases to assistants, by the Model Context Protocol: over standard input and output, or HTTP."""
    require_sdk()
    context = replace(chosen(strategy, without, max_tokens), seconds=seconds, approve=approve, clarify=clarify)
    place = Address(host, port, tuple(allow_host or ()), tuple(allow_origin or ())) if http else None
    with nullcontext() if http else _ended_by_ctrl_c():
        asyncio.run(_serve(db, model, calibration, context, place))


@contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process at once: a thread of the SDK waits for input, and Python for that thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def require_sdk() -> None:
    """Check that the SDK is installed.

    Raises:
        InvalidInput: it is not.
    """
    try:
        import mcp  # noqa: F401
    except ImportError as error:
        raise InvalidInput(MISSING) from error


async def _serve(
    db: str | None, model: str | None, calibration: Path | None, context: Context, place: Address | None
) -> None:
    # The SDK is an optional library.
    from route_sql.mcp.callers import owner
    from route_sql.mcp.http import caller_of_request
    from route_sql.mcp.server import build_server

    settings = Settings()
    numbers = read_calibration_file(calibration or settings.calibration)
    async with AsyncExitStack() as stack:
        catalog, names = await served_databases(db, settings, stack)
        chat = await stack.enter_async_context(model_on_demand(model or settings.model, settings))
        server = build_server(
            chat,
            catalog,
            names=names,
            context=context,
            caller_of=owner if place is None else caller_of_request,
            trace_content=settings.trace_content,
            calibration=numbers,
        )
        if place is None:
            await server.run_stdio_async()
        else:
            await _over_http(server, place, settings)


async def _over_http(server: "MCPServer[Any]", place: Address, settings: Settings) -> None:
    # The libraries of a server are optional.
    from route_sql.access.serving import serve_http
    from route_sql.mcp.http import PATH, http_app

    await serve_http(partial(http_app, server), place, settings.databases, PATH)
