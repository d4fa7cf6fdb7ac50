"""Questions about a database, answered by a team of agents with SQL that was executed, checked and repaired.

The public API; everything else may move. Names are loaded when first used, since a command or the model's own process
needs only some of them, and the libraries of the others take seconds to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from route_sql.agents.brief import Brief, Wording, conversation
    from route_sql.agents.prompts import Prompts
    from route_sql.faces.chat import chat_graph
    from route_sql.faces.tool import ask_database
    from route_sql.graph.checks import Check, QueryCheck
    from route_sql.graph.confidence import Calibration, read_calibration
    from route_sql.graph.context import Context, Strategy
    from route_sql.graph.events import Event
    from route_sql.graph.extensions.audit import AuditEntry
    from route_sql.graph.grounding import ContextTool
    from route_sql.graph.recording import Recording, read_recording, record_run, write_recording
    from route_sql.graph.replaying import Replay, replay_run
    from route_sql.graph.state import Answer, Candidate, LedgerEntry, Question, State
    from route_sql.graph.threads.compressed import CompressedSerializer
    from route_sql.graph.watching.traces import without_rows
    from route_sql.graph.wiring import build_graph, make_builder
    from route_sql.opening import OpenedDatabase, open_default
    from route_sql.pages.run_page import run_page
    from route_sql.saved_answers import save_answer
    from route_sql.serving.client.chat import ChatTGI
    from route_sql.serving.embedded.server import EmbeddedServer
    from route_sql.serving.errors import (
        ContextExceeded,
        ModelUnavailable,
        RuntimeMissing,
        ServerRefused,
        ServerUnavailable,
        ServingError,
    )
    from route_sql.serving.store.model_store import ModelStore
    from route_sql.tools.database.catalog import Catalog
    from route_sql.tools.database.engine import Database
    from route_sql.tools.database.outcome import Outcome, Status, failed
    from route_sql.tools.database.running.rows import returned
    from route_sql.tools.database.sqlite.database import SQLiteDatabase
    from route_sql.tools.errors import DatabaseUnavailable, InvalidInput, RouteError, UnknownDatabase
    from route_sql.tools.execute_sql import make_execute_sql
    from route_sql.tools.limits import Limits

__all__ = [
    "Answer",
    "AuditEntry",
    "Brief",
    "Candidate",
    "Catalog",
    "Calibration",
    "ChatTGI",
    "Check",
    "CompressedSerializer",
    "Context",
    "ContextExceeded",
    "ContextTool",
    "Database",
    "DatabaseUnavailable",
    "EmbeddedServer",
    "Event",
    "InvalidInput",
    "LedgerEntry",
    "Limits",
    "ModelStore",
    "ModelUnavailable",
    "OpenedDatabase",
    "Outcome",
    "Prompts",
    "QueryCheck",
    "Question",
    "Recording",
    "Replay",
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
    "ask_database",
    "build_graph",
    "chat_graph",
    "conversation",
    "failed",
    "make_builder",
    "make_execute_sql",
    "open_default",
    "read_calibration",
    "returned",
    "read_recording",
    "record_run",
    "replay_run",
    "run_page",
    "without_rows",
    "write_recording",
    "save_answer",
]

_HOME = {
    "Answer": "route_sql.graph.state",
    "AuditEntry": "route_sql.graph.extensions.audit",
    "Brief": "route_sql.agents.brief",
    "Candidate": "route_sql.graph.state",
    "Catalog": "route_sql.tools.database.catalog",
    "ChatTGI": "route_sql.serving.client.chat",
    "Check": "route_sql.graph.checks",
    "CompressedSerializer": "route_sql.graph.threads.compressed",
    "Context": "route_sql.graph.context",
    "ContextExceeded": "route_sql.serving.errors",
    "ContextTool": "route_sql.graph.grounding",
    "Database": "route_sql.tools.database.engine",
    "DatabaseUnavailable": "route_sql.tools.errors",
    "EmbeddedServer": "route_sql.serving.embedded.server",
    "InvalidInput": "route_sql.tools.errors",
    "LedgerEntry": "route_sql.graph.state",
    "Limits": "route_sql.tools.limits",
    "ModelStore": "route_sql.serving.store.model_store",
    "ModelUnavailable": "route_sql.serving.errors",
    "OpenedDatabase": "route_sql.opening",
    "Outcome": "route_sql.tools.database.outcome",
    "Prompts": "route_sql.agents.prompts",
    "QueryCheck": "route_sql.graph.checks",
    "Question": "route_sql.graph.state",
    "RouteError": "route_sql.tools.errors",
    "RuntimeMissing": "route_sql.serving.errors",
    "SQLiteDatabase": "route_sql.tools.database.sqlite.database",
    "ServerRefused": "route_sql.serving.errors",
    "ServerUnavailable": "route_sql.serving.errors",
    "ServingError": "route_sql.serving.errors",
    "State": "route_sql.graph.state",
    "Status": "route_sql.tools.database.outcome",
    "Strategy": "route_sql.graph.context",
    "UnknownDatabase": "route_sql.tools.errors",
    "Wording": "route_sql.agents.brief",
    "without_rows": "route_sql.graph.watching.traces",
    "run_page": "route_sql.pages.run_page",
    "replay_run": "route_sql.graph.replaying",
    "write_recording": "route_sql.graph.recording",
    "read_recording": "route_sql.graph.recording",
    "record_run": "route_sql.graph.recording",
    "Replay": "route_sql.graph.replaying",
    "Recording": "route_sql.graph.recording",
    "Event": "route_sql.graph.events",
    "Calibration": "route_sql.graph.confidence",
    "read_calibration": "route_sql.graph.confidence",
    "ask_database": "route_sql.faces.tool",
    "build_graph": "route_sql.graph.wiring",
    "conversation": "route_sql.agents.brief",
    "failed": "route_sql.tools.database.outcome",
    "returned": "route_sql.tools.database.running.rows",
    "make_builder": "route_sql.graph.wiring",
    "make_execute_sql": "route_sql.tools.execute_sql",
    "save_answer": "route_sql.saved_answers",
    "chat_graph": "route_sql.faces.chat",
    "open_default": "route_sql.opening",
}


def __getattr__(name: str) -> Any:
    """Load a public name from the module it lives in (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'route_sql' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
