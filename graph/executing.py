"""One run of a candidate: rights, approval, the executor, and a second try in the database's own dialect."""

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.tools import BaseTool
from langgraph.types import interrupt

from route_sql.graph.choices import is_approved, rights_in
from route_sql.graph.grounding import arguments, rights_of, takes
from route_sql.graph.spans import query_span
from route_sql.graph.state import Attempt, Candidate, Proposal, State, TokenScores
from route_sql.graph.traces import untraced
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome, failed, ran
from route_sql.tools.execute_sql import outcome_of
from route_sql.tools.sql.transpiling import in_own_dialect

NOT_APPROVED = "The query was not approved."
UNABLE = "The executor takes no allow, hide and within, so it can't keep to the caller's rights."


@dataclass(frozen=True)
class Execution:
    """Runs the candidates of one question.

    Args:
        executor: `execute_sql`, or the tool that replaces it.
        catalog: The databases.
        state: The state of the run, with its choices.
        trace_content: Whether traces hold rows and the literals of SQL.
    """

    executor: BaseTool
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
        choices, database, sql = self.state["choices"], self.state["database"], proposal["sql"]
        rights = rights_in(choices)
        if not takes(self.executor, rights):
            return failed("refused", UNABLE)
        if choices["approve"] and not is_approved(interrupt({"approve": sql, "database": database})):
            return failed("refused", NOT_APPROVED)
        seconds = choices["deadline"] or self.catalog.get(database).limits.seconds
        given = {"sql": sql, "database": database, "seconds": seconds, **rights_of(rights)}
        # A caller's executor need not know of deadlines.
        args = {name: value for name, value in given.items() if name in arguments(self.executor)}
        call = {"type": "tool_call", "id": proposal["agent"], "name": self.executor.name, "args": args}
        dialect = self.catalog.get(database).dialect
        with query_span(sql, database, dialect, has_content=self.trace_content) as span:
            async with untraced(has_content=self.trace_content) as config:
                outcome = outcome_of(self.executor, await self.executor.ainvoke(call, config))
            span.outcome(outcome)
        return outcome


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


def _translated(proposal: Proposal, outcome: Outcome, dialect: str) -> Proposal | None:
    """The SQL in the database's dialect, if it failed because it is in another."""
    if ran(outcome) or outcome["error"] in (NOT_APPROVED, UNABLE):
        return None
    return proposed(proposal["agent"], in_own_dialect(proposal["sql"], dialect), scores=proposal.get("scores"))
