"""The graphs that LangGraph Studio opens, by the environment's settings.

The import asks no model: the embedded one is fetched and started by the first question, and ends with the process.
The databases are those of `databases.toml` (ROUTE_SQL_DATABASES); without one it is the demo clinic, as `clinic`.
"""

from pathlib import Path

from langchain_core.language_models import BaseChatModel

from route_sql.calibration_file import read_calibration_file
from route_sql.demo.database import build_demo_database
from route_sql.faces.chat import Chat, chat_graph
from route_sql.graph.wiring import Graph, build_graph
from route_sql.models import chat_at, is_url
from route_sql.serving.embedded.on_demand import ChatOnDemand
from route_sql.serving.store.model_store import ModelStore
from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog

DEMO = Path(".demo/clinic.sqlite")


def studio_graphs(settings: Settings) -> tuple[Graph, Chat]:
    """The graph and its chat without a checkpointer, since the host brings its own."""
    catalog = _catalog(settings)
    asked = build_graph(
        _model(settings),
        catalog,
        trace_content=settings.trace_content,
        calibration=read_calibration_file(settings.calibration),
    )
    return asked, chat_graph(asked, catalog)


def _model(settings: Settings) -> BaseChatModel:
    if is_url(settings.model):
        return chat_at(settings.model, settings)
    return ChatOnDemand(name_or_path=settings.model, store=ModelStore(settings.cache), max_tokens=settings.max_tokens)


def _catalog(settings: Settings) -> Catalog:
    if settings.databases.is_file():
        return Catalog.from_toml(settings.databases)
    return Catalog.from_url(build_demo_database(DEMO))[0]


graph, chat = studio_graphs(Settings())
