"""Questions about a database, answered by a team of agents with SQL that was executed, judged and mended.

The public API; everything else may move.
"""

from route_sql.agents.brief import Brief, Wording
from route_sql.graph.checks import Check
from route_sql.graph.context import Context, Strategy
from route_sql.graph.grounding import ContextTool
from route_sql.graph.state import Answer, Candidate, LedgerEntry, Question, State
from route_sql.graph.wiring import build_graph, make_builder
from route_sql.serving.chat import ChatTGI
from route_sql.serving.embedded import EmbeddedServer
from route_sql.serving.errors import (
    ContextExceeded,
    ModelUnavailable,
    RuntimeMissing,
    ServerRefused,
    ServerUnavailable,
    ServingError,
)
from route_sql.serving.store import ModelStore
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.engine import Database
from route_sql.tools.database.outcome import Limits, Outcome, Status
from route_sql.tools.database.sqlite import SQLiteDatabase
from route_sql.tools.errors import DatabaseUnavailable, RouteError, UnknownDatabase
from route_sql.tools.execute_sql import make_execute_sql

__all__ = [
    "Answer",
    "Brief",
    "Candidate",
    "Catalog",
    "ChatTGI",
    "Check",
    "Context",
    "ContextExceeded",
    "ContextTool",
    "Database",
    "DatabaseUnavailable",
    "EmbeddedServer",
    "LedgerEntry",
    "Limits",
    "ModelStore",
    "ModelUnavailable",
    "Outcome",
    "Question",
    "RouteError",
    "RuntimeMissing",
    "SQLiteDatabase",
    "ServerRefused",
    "ServerUnavailable",
    "ServingError",
    "State",
    "Status",
    "Strategy",
    "UnknownDatabase",
    "Wording",
    "build_graph",
    "make_builder",
    "make_execute_sql",
]
