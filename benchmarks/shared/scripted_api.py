"""The HTTP app in a process of its own, on a model that replies at once, so that only the app's own work counts."""

import asyncio
import sys
from pathlib import Path

from route_sql.access.listening import hosts_of, listening, run_http
from route_sql.api.app import build_app
from route_sql.api.service import Service, ServiceLimits
from route_sql.api.threads.checkpoints import open_threads
from route_sql.graph.context import Context
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

SQL = "SELECT name FROM pet WHERE weight > 4 ORDER BY name"
WAITING = 1_000


def _reply(*_: object) -> str:
    return SQL


async def serve(folder: Path, port: int) -> None:
    """Serve the folder's `pets.sqlite` on loopback until SIGTERM."""
    model = ScriptedModel(otherwise=_reply)
    # The history of a model for tests is every prompt it saw, which would grow without end here.
    model.history = _Forgetful()
    catalog, name = Catalog.from_url(folder / "pets.sqlite")
    async with catalog, open_threads(folder / "threads.sqlite") as (saver, store):
        graph = build_graph(model, catalog, checkpointer=saver)
        limits = ServiceLimits(waiting=WAITING, per_minute=0)
        service = Service(catalog, [name], graph, store, Context(seconds=300, strategy="single"), limits)
        with listening("127.0.0.1", port) as opened:
            app = build_app(service, hosts_of("127.0.0.1", port))
            await run_http(app, opened, closing=service.close)
        await service.finish()


class _Forgetful(list):  # type: ignore[type-arg]
    """A list that keeps nothing."""

    def append(self, _: object) -> None:
        """Keep nothing."""


def main() -> None:
    """Serve; the folder and the port are arguments."""
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
