"""An audit line for each query, by choice: who asked, the database, the SQL, the decision, and how it ended."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from logging import Logger
from typing import Any, Literal, NamedTuple

from langgraph.config import get_config
from typing_extensions import TypedDict

from route_sql.graph.extensions.audit_logger import line_writer
from route_sql.graph.extensions.extension import Extension, ExtensionFailed
from route_sql.graph.fields.proposals import Proposal
from route_sql.graph.state import State
from route_sql.tools.database.outcome import Outcome, failed

AuditDecision = Literal["allowed", "approved", "edited", "rejected", "refused"]
"""Nobody was asked about an `allowed` query; a person `approved`, `edited` or `rejected` it; a query check or the
rights `refused` it."""
WITHHELD = "The query's audit line could not be written, so its result is withheld: look at the audit log."


class AuditEntry(TypedDict):
    """One query, as the audit records it."""

    time: str
    """End of the query, in UTC, as ISO 8601."""
    who: str | None
    """`Context.asked_by`, or else the user that the server of LangGraph has authenticated; None if neither is known."""
    thread: str | None
    """The thread's id, if there is one."""
    database: str
    """The database's name in the catalog."""
    agent: str
    """The agent that wrote the SQL."""
    sql: str
    """The SQL as the executor got it."""
    decision: AuditDecision
    """Whether the query was allowed to run."""
    by: str | None
    """The person who approved, edited or rejected it: the user that the server of LangGraph has authenticated, or else
    `by` of the person's answer; None if neither is known, or if no person was asked."""
    status: str
    """Status of the outcome: `refused` also by the guard; `stopped` if the run ended before the query did."""
    rows: int
    """Rows that it returned."""
    seconds: float
    """Seconds that it took."""
    error: str | None
    """The error, if there was one."""


AuditLog = Logger | Callable[[AuditEntry], Any]
"""A logger, which gets each entry as one line of JSON at level INFO, or a function of the entry, async or not.

A line that a handler of the logger fails to write, on a full disk say, is not written; so is one that a function fails
to write. A handler that hands lines to another thread or process can't tell."""


class AuditedQuery(NamedTuple):
    """One query of a run: the state, the SQL and its agent, the decision, and the person who decided."""

    state: State
    proposal: Proposal
    decision: AuditDecision
    by: str | None


class Audit:
    """Records the queries of a graph. A query whose line can't be written has no result."""

    def __init__(self, log: AuditLog | None, seconds: float) -> None:
        """Record nothing yet.

        Args:
            log: The log; None records nothing.
            seconds: Seconds that one call of it may take.
        """
        write = line_writer(log) if isinstance(log, Logger) else log
        self._log = Extension("audit log", write, seconds) if write else None

    async def recorded(self, query: AuditedQuery, running: Awaitable[Outcome]) -> Outcome:
        """The outcome of a query, once its line is written; a query that was stopped has a line too."""
        if self._log is None:
            return await running
        try:
            outcome = await running
        except BaseException as error:  # whatever ended the run, the query may have begun
            stopped: Any = {"status": "stopped", "row_count": 0, "seconds": 0.0, "error": type(error).__name__}
            await self._written(_entry(query, stopped))
            raise
        if await self._written(_entry(query, outcome)):
            return outcome
        return failed("refused", WITHHELD)

    async def _written(self, entry: AuditEntry) -> bool:
        assert self._log is not None
        try:
            await self._log.call(entry)
        except ExtensionFailed:
            return False
        return True


def _entry(query: AuditedQuery, outcome: Outcome) -> AuditEntry:
    state, proposal, decision, by = query
    given = get_config().get("configurable", {})
    return AuditEntry(
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        who=state["choices"]["asked_by"],
        thread=None if given.get("thread_id") is None else str(given["thread_id"]),
        database=state["database"],
        agent=proposal["agent"],
        sql=proposal["sql"],
        decision=decision,
        by=by,
        status=outcome["status"],
        rows=outcome["row_count"],
        seconds=round(outcome["seconds"], 3),
        error=outcome["error"],
    )
