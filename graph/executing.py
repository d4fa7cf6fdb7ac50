"""One run of a candidate: rights, approval, the executor, and a second try in the database's own dialect."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from route_sql.graph.calls.budget import out_of_time, seconds_left
from route_sql.graph.checks import refusal
from route_sql.graph.extensions.arguments import arguments
from route_sql.graph.extensions.audit import Audit, AuditDecision, AuditedQuery
from route_sql.graph.extensions.executor import Executor, executed, tool_of
from route_sql.graph.extensions.extension import Extension
from route_sql.graph.fields.decisions import Decision
from route_sql.graph.fields.proposals import PERSON, Proposal, TokenScores
from route_sql.graph.grounding import rights_of, takes
from route_sql.graph.person.approval import Approval, ask_approval
from route_sql.graph.schemas import Schemas
from route_sql.graph.selection import attempts
from route_sql.graph.state import Attempt, Candidate, State
from route_sql.graph.threads.choices import rights_in
from route_sql.graph.watching.spans import is_recording, query_span
from route_sql.graph.watching.traces import untraced
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome, failed, ran
from route_sql.tools.errors import RouteError
from route_sql.tools.limits import Limits
from route_sql.tools.sql.transpiling import in_own_dialect

NOT_APPROVED = "The query was not approved."
UNABLE = "The executor takes no allow, hide and within, so it can't keep to the caller's rights."


PERMITTED = ("approved", "edited", "picked")
"""Decisions of a person after which a query runs."""
FINAL = ("edited", "rejected")
"""Decisions after which nothing else is run in this step."""


@dataclass(frozen=True)
class Run:
    """One candidate after it was run, or not run because a person rejected it."""

    proposal: Proposal
    outcome: Outcome
    decision: Decision | None = None
    decided_by: str | None = None


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
        schemas: Schemas of the databases, for traces.
        seconds: Seconds that a query may take at most, if that is less than its other limits.
    """

    executor: Executor
    query_checks: Sequence[Extension]
    audit: Audit
    catalog: Catalog
    state: State
    trace_content: bool = False
    schemas: Schemas | None = None
    seconds: float | None = None

    async def run(self, proposal: Proposal, seconds: float | None = None) -> Run:
        """Run a candidate; if it fails because it is in another dialect, run its translation.

        A person who approves queries approves each of the two. A query that a person wrote is not translated.

        Args:
            proposal: The candidate.
            seconds: Seconds that each query may take at most; None for the limits of the run alone.

        Returns:
            The candidate that counts, and its outcome.

        Raises:
            InvalidInput: the executor gives no `Outcome`, or the person's answer can't be used.
        """
        if seconds is not None:
            return await replace(self, seconds=seconds).run(proposal)
        first = await self._decided(proposal)
        if first.decision in FINAL or (translated := self._translated(first)) is None:
            return first
        second = await self._decided(translated)
        return second if second.decision in FINAL or ran(second.outcome) else first

    async def _decided(self, proposal: Proposal) -> Run:
        """Run a candidate as a person decides, if approval is needed. SQL approved in this run may run again."""
        if (reason := await self._refusal(proposal["sql"])) is not None:
            return Run(proposal, await self._recorded(proposal, "refused", _refused(reason)))
        if not self.state["choices"]["approve"]:
            return Run(proposal, await self._recorded(proposal, "allowed", self._outcome(proposal)))
        answer = self._decided_before(proposal["sql"]) or await ask_approval(
            {"approve": proposal["sql"], "database": self.state["database"]}
        )
        by = answer.person
        if answer.type == "reject":
            rejected = _refused(rejection(answer.reason_in_one_line))
            return Run(proposal, await self._recorded(proposal, "rejected", rejected, by), "rejected", by)
        if answer.type == "edit":
            return await self._edited(Proposal(agent=PERSON, sql=(answer.sql or "").strip(), scores=None), by)
        return Run(proposal, await self._recorded(proposal, "approved", self._outcome(proposal), by), "approved", by)

    async def _edited(self, proposal: Proposal, by: str | None) -> Run:
        """Run the query of a person, unless a check refuses it."""
        if (reason := await self._refusal(proposal["sql"])) is not None:
            return Run(proposal, await self._recorded(proposal, "refused", _refused(reason), by), "edited", by)
        return Run(proposal, await self._recorded(proposal, "edited", self._outcome(proposal), by), "edited", by)

    async def _refusal(self, sql: str) -> str | None:
        """The reason why a query must not run, whether an agent or a person wrote it."""
        if not takes(tool_of(self.executor), rights_in(self.state["choices"])):
            return UNABLE
        return await refusal(self.query_checks, self.state["question"], sql, self.state["database"])

    async def _recorded(
        self, proposal: Proposal, decision: AuditDecision, running: Awaitable[Outcome], by: str | None = None
    ) -> Outcome:
        return await self.audit.recorded(AuditedQuery(self.state, proposal, decision, by), running)

    def _decided_before(self, sql: str) -> Approval | None:
        known = (each for each in attempts(self.state) if each["sql"] == sql and each.get("decision") in PERMITTED)
        before = next(known, None)
        return Approval(type="approve", by=before.get("decided_by")) if before else None

    async def _outcome(self, proposal: Proposal) -> Outcome:
        choices, limits = self.state["choices"], self._limits()
        if limits is None:
            return failed("timeout", NO_TIME)
        given = {
            "sql": proposal["sql"],
            "database": self.state["database"],
            "seconds": limits.seconds,
            **rights_of(rights_in(choices)),
        }
        # a caller's executor may not take a deadline
        taken = arguments(tool_of(self.executor))
        args = {name: value for name, value in given.items() if name in taken}
        call = {"type": "tool_call", "id": proposal["agent"], "name": tool_of(self.executor).name, "args": args}
        dialect = self.catalog.get(self.state["database"]).dialect
        sql, database, names = proposal["sql"], self.state["database"], await self._quoted_names(proposal["sql"])
        with query_span(sql, database, dialect, names, has_content=self.trace_content) as span:
            async with untraced(has_content=self.trace_content) as config:
                outcome = await executed(self.executor, call, limits, config)
            span.outcome(outcome)
        return outcome

    async def _quoted_names(self, sql: str) -> frozenset[str]:
        """Names of the schema for the trace of a query that has quotes: they are no values."""
        if self.schemas is None or '"' not in sql or not is_recording():
            return frozenset()
        try:
            schema = await self.schemas.recent(self.state["database"], rights_in(self.state["choices"]))
        except RouteError:  # the query itself reports it
            return frozenset()
        columns = (column.name for table in schema for column in table.columns)
        return frozenset(name.casefold() for name in (*(table.name for table in schema), *columns))

    def _limits(self) -> Limits | None:
        """The database's bounds, with the shortest of the deadlines and of the time left; None if none is left."""
        limits = self.catalog.get(self.state["database"]).limits
        deadline = self.state["choices"]["deadline"] or limits.seconds
        bounds = (limits.seconds, deadline, seconds_left(self.state), self.seconds)
        seconds = min(bound for bound in bounds if bound is not None)
        return replace(limits, seconds=seconds) if seconds > 0.0 else None

    def _translated(self, run: Run) -> Proposal | None:
        """The SQL in the database's dialect, if it failed because it is in another one."""
        if ran(run.outcome) or run.outcome["error"] == UNABLE or run.proposal["agent"] == PERSON:
            return None
        dialect = self.state["choices"]["dialect"] or self.catalog.get(self.state["database"]).dialect
        proposal = run.proposal
        return proposed(proposal["agent"], in_own_dialect(proposal["sql"], dialect), proposal.get("scores"))


NO_TIME = "There was no time left for the query."


def unrun(state: State) -> dict[str, Any]:
    """The update for a candidate that was not run because the question's time was over."""
    if (proposal := state.get("proposal")) is None:
        return {}
    outcome = failed("timeout", f"{out_of_time(state)} The query was stopped or did not begin.")
    attempt = Attempt(
        agent=proposal["agent"],
        sql=proposal["sql"],
        outcome=outcome,
        complaint=outcome["error"],
        tables=1,
        calls=len(state.get("ledger", [])),
    )
    return {"proposal": None, "attempts": [attempt]}


def rejection(reason: str) -> str:
    """The error of a query that a person rejected."""
    return f"{NOT_APPROVED.rstrip('.')}: {reason}" if reason else NOT_APPROVED


def candidate_of(attempt: Attempt) -> Candidate:
    """An executed candidate as the answer lists it."""
    outcome = attempt["outcome"]
    candidate = Candidate(
        agent=attempt["agent"],
        sql=attempt["sql"],
        status=outcome["status"],
        error=outcome["error"],
        row_count=outcome["row_count"],
        seconds=outcome["seconds"],
    )
    if "decision" in attempt:
        candidate["decision"] = attempt["decision"]
    if "decided_by" in attempt:
        candidate["decided_by"] = attempt["decided_by"]
    return candidate


def proposed(agent: str, sql: str | None, scores: TokenScores | None) -> Proposal | None:
    """The SQL of an agent as the next candidate; None if there is none."""
    return Proposal(agent=agent, sql=sql, scores=scores) if sql else None


def proposed_once(
    agent: str, sql: str | None, scores: TokenScores | None, tried: Sequence[Attempt], dialect: str
) -> Proposal | None:
    """The SQL of an agent as the next candidate; None if there is none, or if it only repeats one.

    Running a candidate again would count as agreement.
    """
    return None if sql and attempt_with(sql, tried, dialect) else proposed(agent, sql, scores)


def attempt_with(sql: str, tried: Sequence[Attempt], dialect: str) -> Attempt | None:
    """The attempt that has run this SQL, as it is written or translated into the database's dialect."""
    forms = (sql, in_own_dialect(sql, dialect))
    return next((attempt for attempt in tried if attempt["sql"] in forms), None)


async def _refused(reason: str) -> Outcome:
    return failed("refused", reason)
