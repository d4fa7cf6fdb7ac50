"""Noise correction (task NC; ROUTE, section 3.1): judge a query, and correct it if it is wrong.

About half of the rows hold a right query, so that a tuned model does not learn to call every query wrong.
"""

from random import Random

from route_sql.agents import noise_corrector
from route_sql.agents.noise_corrector import Verdict
from route_sql.graph.checks import finding, own_complaint
from route_sql.tools.database.outcome import ran
from route_sql.training.tasks import pair_choice
from route_sql.training.tasks.task import ExecutedQuery, Judge, PreparedExample, Row, TaskName, make_row

MOST_WRONG = 2
"""The most wrong queries of one example that become rows."""
PAIR = "pair:"
"""Beginning of the kind of a row on two queries; the right one, `first` or `second`, ends it."""


class NoiseCorrection:
    """Candidate and outcome to verdict; a reply scores 1 if the SQL after it is right."""

    name: TaskName = "noise_correction"

    def rows(self, prepared: PreparedExample, random: Random) -> list[Row]:
        """Rows on wrong queries and on as many right ones, if there are enough; no row without a wrong query."""
        wrongs = _drawn(prepared.wrongs, random)
        rights = random.sample(prepared.rights, min(len(wrongs), len(prepared.rights)))
        repaired = Verdict("wrong", prepared.gold)
        return [_row(prepared, each, repaired) for each in wrongs] + [
            _row(prepared, each, Verdict("right")) for each in rights
        ]

    async def score(self, reply: str, row: Row, judge: Judge) -> float:
        """Execution accuracy of the correction, or of the candidate if the reply has no correction.

        A reply that can't be read scores 0. A pair scores 1 if the right query of the two is chosen.
        """
        if row["kind"].startswith(PAIR):
            return float(pair_choice.parse(reply) == row["kind"].removeprefix(PAIR))
        verdict = noise_corrector.parse(reply, judge.databases.get(row["database"]).dialect)
        return await judge.right(row, verdict.sql or row["given"]) if verdict else 0.0


def _drawn(wrongs: tuple[ExecutedQuery, ...], random: Random) -> list[ExecutedQuery]:
    """The mistakes that a model made; one of ours if it made none."""
    own = [each for each in wrongs if each.kind == "model"]
    return own[:MOST_WRONG] or ([random.choice(wrongs)] if wrongs else [])


def finding_on(given: ExecutedQuery, prepared: PreparedExample) -> str:
    """The text that the graph would show about a query: its complaint, or else its result."""
    return finding(own_complaint(given.sql, given.outcome, prepared.schema), given.outcome)


def _row(prepared: PreparedExample, given: ExecutedQuery, verdict: Verdict) -> Row:
    found = finding_on(given, prepared)
    messages = noise_corrector.messages(prepared.brief, given.sql, found, failed=not ran(given.outcome))
    kind = f"{verdict.verdict}:{given.kind}"
    return make_row(prepared, "noise_correction", kind, messages, noise_corrector.write(verdict), given.sql)
