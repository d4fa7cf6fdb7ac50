"""`route-sql api`: the databases for programs and for a page, over HTTP."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from route_sql.graph.wiring import build_graph
from route_sql.models import model_on_demand
from route_sql.settings import Settings
from route_sql.tools.errors import InvalidInput

if TYPE_CHECKING:  # FastAPI is an optional library
    from route_sql.api.service import Service

MISSING = "the HTTP app needs libraries: pip install 'route-sql[api]'"
NEEDED = ("fastapi", "uvicorn", "prometheus_client", "jinja2")


@dataclass(frozen=True)
class ServerChoices:
    """Choices that only the server has."""

    threads: str | None
    keep_days: float
    questions: int
    waiting: int
    per_minute: int
    closing: float


def api(
    db: ServedDb = None,
    model: Model = None,
    calibration: CalibrationFile = None,
    strategy: StrategyName = "adaptive",
    without: Without = None,
    max_tokens: MaxTokens = None,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds that a question may take at most.")] = 300,
    approve: Annotated[bool, typer.Option("--approve", help="Let a person approve each query before it runs.")] = False,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    allow_host: AllowHost = None,
    allow_origin: AllowOrigin = None,
    threads: Annotated[
        str | None,
        typer.Option(help="Where threads are kept: a file or postgresql://... (ROUTE_SQL_THREADS); by default a file."),
    ] = None,
    keep_days: Annotated[float, typer.Option(min=0, help="Days that an unused thread is kept; 0 keeps all.")] = 30,
    questions: Annotated[int, typer.Option(min=1, help="Questions that are answered at once.")] = 8,
    waiting: Annotated[int, typer.Option(min=0, help="Further questions that may wait for their turn.")] = 100,
    per_minute: Annotated[int, typer.Option(min=0, help="Requests of each caller per minute; 0 for no limit.")] = 600,
    closing: Annotated[float, typer.Option(min=1, help="Seconds that questions may still take after SIGTERM.")] = 30,
) -> None:
    """Serve databases to programs over HTTP, and to people as a page at the same address."""
    require_api()
    context = replace(chosen(strategy, without, max_tokens), seconds=seconds, approve=approve)
    place = Address(host, port, tuple(allow_host or ()), tuple(allow_origin or ()))
    choices = ServerChoices(threads, keep_days, questions, waiting, per_minute, closing)
    asyncio.run(_serve(db, model, calibration, context, place, choices))


def require_api() -> None:
    """Check that the libraries of the server are installed.

    Raises:
        InvalidInput: one is not.
    """
    if not all(map(find_spec, NEEDED)):
        raise InvalidInput(MISSING)


async def _serve(
    db: str | None,
    model: str | None,
    calibration: Path | None,
    context: Context,
    place: Address,
    choices: ServerChoices,
) -> None:
    # FastAPI is an optional library.
    from route_sql.api.service import Service, ServiceLimits
    from route_sql.api.threads.checkpoints import default_file, open_threads

    settings = Settings()
    numbers = read_calibration_file(calibration or settings.calibration)
    kept = settings.threads.get_secret_value() if settings.threads else None
    async with AsyncExitStack() as stack:
        catalog, names = await served_databases(db, settings, stack)
        chat = await stack.enter_async_context(
            model_on_demand(model or settings.model, settings, questions=choices.questions)
        )
        place_of_threads = choices.threads or kept or default_file(settings.data)
        saver, store = await stack.enter_async_context(open_threads(place_of_threads))
        graph = build_graph(
            chat, catalog, trace_content=settings.trace_content, calibration=numbers, checkpointer=saver
        )
        limits = ServiceLimits(choices.questions, choices.waiting, choices.per_minute)
        service = Service(catalog, names, graph, store, context, limits)
        await _run(service, place, settings, choices)


async def _run(service: "Service", place: Address, settings: Settings, choices: ServerChoices) -> None:
    # FastAPI is an optional library.
    from route_sql.access.serving import serve_http
    from route_sql.api.app import build_app
    from route_sql.api.logs import log_to, logging_requests
    from route_sql.api.retention import keeping_for

    log_to()
    served = logging_requests(with_failures=settings.trace_content)
    async with keeping_for(service, choices.keep_days):
        await serve_http(
            lambda hosts, origins, callers: build_app(service, hosts, origins, callers, served),
            place,
            settings.databases,
            closing=service.close,
            closing_seconds=choices.closing,
        )
        await service.finish()
