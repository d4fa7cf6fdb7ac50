"""Right and wrong queries for one question, separated by running them: the input of noise correction."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from random import Random

from route_sql.tools.database.engine import Database
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.replies.reply import extract_sql
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy
from route_sql.training.rows.query_edits import draw_edits
from route_sql.training.tasks.task import ExecutedQuery

TRIES = 12
"""The most edits that are run to find enough that change the result."""
EDITS = 2
SECONDS = 3.0
"""Deadline of an edit. Edits that reach it are left out, since timing is not reproducible."""
_UNSURE = ("timeout", "refused")


async def edited_queries(
    gold: str, example: Example, schema: Schema, database: Database, strict: ExecutionAccuracy, random: Random
) -> tuple[ExecutedQuery, ...]:
    """Up to `EDITS` small edits of the gold that fail or return something else, each with its true outcome.

    Args:
        gold: The gold in the style that is taught.
        example: The example; results are compared with those of its own SQL.
        schema: The whole schema.
        database: The database on which the queries run.
        strict: Compares results with DISTINCT kept.
        random: Decides which edits are tried.

    Raises:
        DatabaseUnavailable: the database can't be read.
    """
    kept: list[ExecutedQuery] = []
    for edit in islice(draw_edits(gold, schema, random), TRIES):
        outcome = await run_briefly(database, edit.sql, SECONDS)
        if outcome["status"] not in _UNSURE and await _is_wrong(edit.sql, outcome, example, strict):
            kept.append(ExecutedQuery(edit.sql, f"edit:{edit.kind}", outcome))
        if len(kept) == EDITS:
            break
    return tuple(kept)


async def judged_replies(
    replies: Sequence[str], example: Example, database: Database, strict: ExecutionAccuracy, metric: ExecutionAccuracy
) -> tuple[tuple[ExecutedQuery, ...], tuple[ExecutedQuery, ...]]:
    """A model's distinct replies: the right ones and the wrong ones.

    A reply is right if the strict comparison says so, and wrong if the data set's own metric says so. Others are left
    out, since the question does not decide them.

    Raises:
        DatabaseUnavailable: the database can't be read.
    """
    rights: list[ExecutedQuery] = []
    wrongs: list[ExecutedQuery] = []
    for sql in dict.fromkeys(sql for reply in replies if (sql := extract_sql(reply, database.dialect))):
        outcome = await run_briefly(database, sql, database.limits.seconds)
        if outcome["status"] in _UNSURE:
            continue
        if not await _is_wrong(sql, outcome, example, strict):
            rights.append(ExecutedQuery(sql, "model", outcome))
        elif await _is_wrong(sql, outcome, example, metric):
            wrongs.append(ExecutedQuery(sql, "model", outcome))
    return tuple(rights), tuple(wrongs)


async def run_briefly(database: Database, sql: str, seconds: float) -> Outcome:
    """Run a query as the graph's executor does, with a shorter deadline."""
    return await database.execute(sql, replace(database.limits, seconds=min(seconds, database.limits.seconds)))


async def _is_wrong(sql: str, outcome: Outcome, example: Example, accuracy: ExecutionAccuracy) -> bool:
    """Whether a query fails or its result differs from the gold's; False if the gold can't be run whole."""
    if outcome["error"] is not None:
        return True
    score = await accuracy.score(example, sql)
    return not (score.correct or score.gold_fault or score.status in _UNSURE)
