"""Samples of a question in doubt: the generator draws them, each is run, and each votes for its result."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from langchain_core.messages import BaseMessage

from route_sql.agents import generator
from route_sql.agents.call import Reply
from route_sql.graph.answers.attempting import assessed, repaired, tried, with_attempts
from route_sql.graph.answers.results import Rows
from route_sql.graph.calls.budget import Update, in_time, seconds_left
from route_sql.graph.calls.ledger import entry_of_samples, scores_of
from route_sql.graph.confidence import Calibration
from route_sql.graph.events import add_event
from route_sql.graph.executing import Execution, attempt_with, candidate_of
from route_sql.graph.extensions.extension import Extension
from route_sql.graph.fields.proposals import Proposal, Sample, Samples
from route_sql.graph.selection import attempts, best, leading
from route_sql.graph.state import Attempt, LedgerEntry, State
from route_sql.graph.strategies import REPAIRABLE
from route_sql.graph.watching.sentences import how_it_ended
from route_sql.tools.schema.records import Schema

Messages = Sequence[BaseMessage]
AskSamples = Callable[[Messages, Sequence[int]], Awaitable[list[Reply]]]
"""Draws the samples with these numbers by one request; a server may give fewer."""
DRAWING = 0.8
"""Share of the seconds for drawing samples; the rest is for their queries."""
SHARE_OF_TIME = 0.9
"""Share of a question's remaining time that samples may take, so that there is time for the answer."""


@dataclass
class Drawing:
    """Draws the samples of one question; those that arrive in time count."""

    ask: AskSamples
    dialect: str
    at_once: int
    """Samples that one request may ask for."""
    drawn: list[Sample] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)

    async def draw(self, full: Messages, linked: Messages, state: State) -> Update:
        """The update of the state: half of the samples on each prompt, the odd one on the full schema."""
        began, count = monotonic(), state["choices"]["samples"]
        numbers = range(1, count + 1)
        first = count if linked == full else (count + 1) // 2
        parts = [("full", full, numbers[:first]), ("linked", linked, numbers[first:])]
        works = [self._draw(schema, prompt, some) for schema, prompt, some in parts if some]
        seconds = DRAWING * _seconds(state, state["choices"]["sample_seconds"])
        await in_time(partial(side_by_side, works), seconds)
        drawn = sorted(self.drawn, key=lambda sample: sample["number"])
        samples = Samples(drawn=drawn, seconds=round(monotonic() - began, 3), counted=False)
        return {"samples": samples, "ledger": self.ledger, **_late(len(drawn), count, seconds)}

    async def _draw(self, schema: str, prompt: Messages, numbers: Sequence[int]) -> None:
        at_once = self.at_once
        requests = [numbers[start : start + at_once] for start in range(0, len(numbers), at_once)]
        await side_by_side([self._request(schema, prompt, each) for each in requests])

    async def _request(self, schema: str, prompt: Messages, numbers: Sequence[int]) -> None:
        """Draw samples by one request, then by one request for each that the server did not give."""
        replies = await self.ask(prompt, numbers)
        self.ledger += [entry_of_samples("sample", replies)] if replies else []
        for number, reply in zip(numbers, replies, strict=False):
            self.drawn.append(self._sample(number, schema, reply))
        lacking = numbers[len(replies) :]
        await side_by_side([self._request(schema, prompt, [number]) for number in lacking])

    def _sample(self, number: int, schema: str, reply: Reply) -> Sample:
        sql = generator.parse(reply.text, self.dialect)
        return Sample(number=number, schema="full" if schema == "full" else "linked", sql=sql, scores=scores_of(reply))


@dataclass
class Counting:
    """Runs the samples of one question one after the other, so that each votes for a result.

    SQL that was run before is not run again, even if several samples wrote it.
    """

    execution: Execution
    schema: Schema
    checks: Sequence[Extension]
    state: State
    """The state, with the attempts so far."""
    began: float = field(default_factory=monotonic)
    new: list[Attempt] = field(default_factory=list)
    rows: dict[str, Rows] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    votes: dict[str, str] = field(default_factory=dict)
    """SQL of the attempt that counts, by the SQL of a sample."""

    async def count(self, calibration: Calibration | None) -> Update:
        """The update of the state: further attempts, the votes, and the assessment of the candidate that leads now."""
        samples = self.state.get("samples") or Samples(drawn=[], seconds=0.0, counted=False)
        drawn = [await self._counted(sample) for sample in samples["drawn"]]
        now: State = {**self.state, "samples": {**samples, "drawn": drawn, "counted": True}}
        first = leading(now)
        rows = {"rows_of": first["sql"], "rows": self.rows[first["sql"]]} if first and first["sql"] in self.rows else {}
        return {
            "samples": now.get("samples"),
            "attempts": self.new,
            "assessment": await assessed(now, self.schema, calibration),
            "candidates": [candidate_of(each) for each in attempts(now)],
            **rows,
            **({"notes": self.notes} if self.notes else {}),
        }

    async def _counted(self, sample: Sample) -> Sample:
        sql = sample["sql"]
        if sql is None or self.state["choices"]["approve"]:  # a resumed run may need approval now
            return sample
        if sql not in self.votes and self._seconds_left() > 0.0:
            self.votes[sql] = (await self._tried(sql, sample))["sql"]
        return {**sample, "counts_for": self.votes[sql]} if sql in self.votes else sample

    async def _tried(self, sql: str, sample: Sample) -> Attempt:
        """The attempt that a sample votes for: its own SQL or, where that is doubted, the better one after a repair."""
        own = await self._run("sample", sql, sample)
        if own["complaint"] is None or own["outcome"]["status"] not in REPAIRABLE or self._seconds_left() <= 0.0:
            return own
        joined = await repaired(own, self.schema)
        if joined is None or joined == sql:
            return own
        return best([own, await self._run("complete_joins", joined, sample)]) or own

    async def _run(self, agent: str, sql: str, sample: Sample) -> Attempt:
        """The attempt with this SQL, which is run unless it was."""
        if known := attempt_with(sql, attempts(self.state), self.schema.dialect):
            return known
        add_event("begin", f"running sample {sample['number']}", sql)
        proposal = Proposal(agent=agent, sql=sql, scores=sample["scores"])
        run = await self.execution.run(proposal, self._seconds_left())
        attempt, failures = await tried(self.state, run, self.schema, self.checks)
        attempt = {**attempt, "sampled": True}
        self.new.append(attempt)
        self.rows[attempt["sql"]] = run.outcome["rows"][: self.state["choices"]["row_limit"]]
        self.notes += failures
        self.state = {**with_attempts(self.state, [attempt]), "notes": [*self.state.get("notes", []), *failures]}
        add_event("result", how_it_ended(attempt, f"sample {sample['number']}"), attempt["sql"])
        return attempt

    def _seconds_left(self) -> float:
        samples = self.state.get("samples")
        spent = monotonic() - self.began
        left = self.state["choices"]["sample_seconds"] - (samples["seconds"] if samples else 0.0)
        return max(0.0, _seconds(self.state, left) - spent)


def wait_to_be_counted(state: State) -> bool:
    """Whether samples were drawn whose queries did not run yet."""
    samples = state.get("samples")
    return samples is not None and not samples["counted"]


async def side_by_side(works: Sequence[Awaitable[None]]) -> None:
    """Run several tasks at once; if one fails or the time ends, the others are stopped."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _seconds(state: State, seconds: float) -> float:
    """The given seconds, or a share of the question's budget if that is less."""
    left = seconds_left(state)
    return max(0.0, seconds) if left is None else min(max(0.0, seconds), SHARE_OF_TIME * left)


def _late(drawn: int, count: int, seconds: float) -> Update:
    """A note for the reader if some samples were late."""
    return {} if drawn == count else {"notes": [f"{drawn} of {count} samples came within {seconds:.3g} s."]}
