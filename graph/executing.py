"""One run of a candidate: rights, approval, the executor, and a second try in the database's own dialect."""

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.tools import BaseTool

from route_sql.graph.approval import Approval, ask_approval
from route_sql.graph.choices import rights_in
from route_sql.graph.decisions import Decision
from route_sql.graph.grounding import arguments, rights_of, takes
from route_sql.graph.selection import attempts
from route_sql.graph.state import Attempt, Candidate, Proposal, State, TokenScores
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome, failed, ran
from route_sql.tools.execute_sql import outcome_of
from route_sql.tools.sql.transpiling import in_own_dialect

NOT_APPROVED = "The query was not approved."
UNABLE = "The executor takes no allow, hide and within, so it can't keep to the caller's rights."


FINAL = ("edited", "rejected")
"""Decisions after which nothing else is run in this step."""


@dataclass(frozen=True)
class Run:
    """One candidate after it was run, or not run because a person rejected it."""

    proposal: Proposal
    outcome: Outcome
    decision: Decision | None = None


@dataclass(frozen=True)
class Execution:
    """Runs the candidates of one question.

    Args:
        executor: `execute_sql`, or the tool that replaces it.
        catalog: The databases.
        state: The state of the run, with its choices.
    """

    executor: BaseTool
    catalog: Catalog
    state: State

    async def run(self, proposal: Proposal) -> Run:
        """Run a candidate; if it fails because it is in another dialect, run its translation.

        A person who approves queries approves each of the two. A query that the person wrote is not translated.

        Returns:
            The candidate that counts, and its outcome.

        Raises:
            InvalidInput: the executor gives no `Outcome`, or the person's answer can't be used.
        """
        if not takes(self.executor, rights_in(self.state["choices"])):
            return Run(proposal, failed("refused", UNABLE))
        first = await self._approved(proposal)
        if first.decision in FINAL or (translated := self._translated(first)) is None:
            return first
        second = await self._approved(translated)
        return second if second.decision in FINAL or ran(second.outcome) else first

    async def _approved(self, proposal: Proposal) -> Run:
        """Run a candidate as a person decides, if one is asked. What was approved in this run may run again."""
        if not self.state["choices"]["approve"]:
            return Run(proposal, await self._outcome(proposal))
        answer = self._decided_before(proposal["sql"]) or ask_approval(
            {"approve": proposal["sql"], "database": self.state["database"]}
        )
        if answer.type == "reject":
            return Run(proposal, failed("refused", rejection(answer.why)), "rejected")
        if answer.type == "edit":
            edited = Proposal(agent="person", sql=(answer.sql or "").strip(), scores=None)
            return Run(edited, await self._outcome(edited), "edited")
        return Run(proposal, await self._outcome(proposal), "approved")

    def _decided_before(self, sql: str) -> Approval | None:
        is_known = any(each["sql"] == sql and each.get("decision") == "approved" for each in attempts(self.state))
        return Approval(type="approve") if is_known else None

    async def _outcome(self, proposal: Proposal) -> Outcome:
        choices, database = self.state["choices"], self.state["database"]
        seconds = choices["deadline"] or self.catalog.get(database).limits.seconds
        given = {"sql": proposal["sql"], "database": database, "seconds": seconds, **rights_of(rights_in(choices))}
        # A caller's executor need not know of deadlines.
        args = {name: value for name, value in given.items() if name in arguments(self.executor)}
        call = {"type": "tool_call", "id": proposal["agent"], "name": self.executor.name, "args": args}
        return outcome_of(self.executor, await self.executor.ainvoke(call))

    def _translated(self, run: Run) -> Proposal | None:
        """The SQL in the database's dialect, if it failed because it is in another."""
        if ran(run.outcome):
            return None
        dialect = self.state["choices"]["dialect"] or self.catalog.get(self.state["database"]).dialect
        proposal = run.proposal
        return proposed(proposal["agent"], in_own_dialect(proposal["sql"], dialect), scores=proposal.get("scores"))


def rejection(reason: str) -> str:
    """The error of a query that a person rejected."""
    return f"{NOT_APPROVED.rstrip('.')}: {reason}" if reason else NOT_APPROVED


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
