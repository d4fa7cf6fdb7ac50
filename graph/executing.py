"""One run of a candidate: rights, approval, the executor, and a second try in the database's own dialect."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from langgraph.types import interrupt

from route_sql.graph.audit import Audit, Decision
from route_sql.graph.budget import out_of_time, seconds_left
from route_sql.graph.checks import refusal
from route_sql.graph.choices import is_approved, rights_in
from route_sql.graph.executor import Executor, executed, tool_of
from route_sql.graph.extension_arguments import arguments
from route_sql.graph.extensions import Extension
from route_sql.graph.grounding import rights_of, takes
from route_sql.graph.spans import query_span
from route_sql.graph.state import Attempt, Candidate, Proposal, State, TokenScores
from route_sql.graph.traces import untraced
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome, failed, ran
from route_sql.tools.limits import Limits
from route_sql.tools.sql.transpiling import in_own_dialect

NOT_APPROVED = "The query was not approved."
UNABLE = "The executor takes no allow, hide and within, so it can't keep to the caller's rights."


@dataclass(frozen=True)
class Execution:
    """Runs the candidates of one question.

    Args:
        executor: `execute_sql`, or the tool that replaces it.
        query_checks: May refuse a query before it runs.
        audit: Records each query.
        catalog: The databases.
        state: The state of the run, with its choices.
        trace_content: Whether traces hold rows and the literals of SQL.
    """

    executor: Executor
    query_checks: Sequence[Extension]
    audit: Audit
    catalog: Catalog
    state: State
    trace_content: bool = False

    async def run(self, proposal: Proposal) -> tuple[Proposal, Outcome]:
        """Run a candidate; if it fails because it is in another dialect, run its translation.

        Returns:
            The candidate that counts, and its outcome.

        Raises:
            InvalidInput: the executor gives no `Outcome`.
        """
        outcome = await self._outcome(proposal)
        dialect = self.state["choices"]["dialect"] or self.catalog.get(self.state["database"]).dialect
        if (translated := _translated(proposal, outcome, dialect)) is None:
            return proposal, outcome
        second = await self._outcome(translated)
        return (translated, second) if ran(second) else (proposal, outcome)

    async def _outcome(self, proposal: Proposal) -> Outcome:
        decision, reason = await self._decided(proposal["sql"])
        running = self._run(proposal) if reason is None else _refused(reason)
        return await self.audit.recorded(self.state, proposal, decision, running)

    async def _decided(self, sql: str) -> tuple[Decision, str | None]:
        """Whether the query may run, and the reason if it may not."""
        choices, database = self.state["choices"], self.state["database"]
        if not takes(tool_of(self.executor), rights_in(choices)):
            return "refused", UNABLE
        if reason := await refusal(self.query_checks, self.state["question"], sql, database):
            return "refused", reason
        if not choices["approve"]:
            return "allowed", None
        if is_approved(interrupt({"approve": sql, "database": database})):
            return "approved", None
        return "rejected", NOT_APPROVED

    async def _run(self, proposal: Proposal) -> Outcome:
        choices, limits = self.state["choices"], self._limits()
        given = {
            "sql": proposal["sql"],
            "database": self.state["database"],
            "seconds": limits.seconds,
            **rights_of(rights_in(choices)),
        }
        # A caller's executor need not know of deadlines.
        args = {name: value for name, value in given.items() if name in arguments(tool_of(self.executor))}
        call = {"type": "tool_call", "id": proposal["agent"], "name": tool_of(self.executor).name, "args": args}
        dialect = self.catalog.get(self.state["database"]).dialect
        with query_span(proposal["sql"], self.state["database"], dialect, has_content=self.trace_content) as span:
            async with untraced(has_content=self.trace_content) as config:
                outcome = await executed(self.executor, call, limits, config)
            span.outcome(outcome)
        return outcome

    def _limits(self) -> Limits:
        """The database's bounds, with the shorter of the deadlines and of the time left."""
        limits = self.catalog.get(self.state["database"]).limits
        bounds = (self.state["choices"]["deadline"] or limits.seconds, seconds_left(self.state) or None)
        return replace(limits, seconds=min(bound for bound in bounds if bound is not None))


def unrun(state: State) -> dict[str, Any]:
    """The update for a candidate that the question's time did not suffice to run."""
    if (proposal := state.get("proposal")) is None:
        return {}
    outcome = failed("timeout", f"{out_of_time(state)} The query was stopped or did not begin.")
    attempt = Attempt(
        agent=proposal["agent"], sql=proposal["sql"], outcome=outcome, complaint=outcome["error"], tables=1
    )
    return {"proposal": None, "attempts": [attempt]}


def candidate_of(attempt: Attempt) -> Candidate:
    """An executed candidate as the answer lists it."""
    outcome = attempt["outcome"]
    return Candidate(
        agent=attempt["agent"],
        sql=attempt["sql"],
        status=outcome["status"],
        error=outcome["error"],
        row_count=outcome["row_count"],
        seconds=outcome["seconds"],
    )


def proposed(
    agent: str, sql: str | None, tried: Sequence[str] = (), scores: TokenScores | None = None
) -> Proposal | None:
    """The SQL of an agent as the next candidate; None if there is none, or if it only repeats one.

    Running a candidate again would count as agreement.
    """
    return Proposal(agent=agent, sql=sql, scores=scores) if sql and sql not in tried else None


async def _refused(reason: str) -> Outcome:
    return failed("refused", reason)


def _translated(proposal: Proposal, outcome: Outcome, dialect: str) -> Proposal | None:
    """The SQL in the database's dialect, if it failed because it is in another."""
    if ran(outcome) or outcome["error"] in (NOT_APPROVED, UNABLE):
        return None
    return proposed(proposal["agent"], in_own_dialect(proposal["sql"], dialect), scores=proposal.get("scores"))
