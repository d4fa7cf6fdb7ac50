"""Ask the questions of a data set and score the answers as they come."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from route_sql.graph.asking import Ask, no_answer
from route_sql.graph.state import Answer, AnswerStatus, Question
from route_sql.training.concurrency import for_each
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.database_digests import database_digests
from route_sql.training.evaluation.figures.summary import Summary, summarise
from route_sql.training.evaluation.run_log import JSON, WRONG_DATABASE, Line, ProposedSQL, RunLog, open_run
from route_sql.training.evaluation.scores.execution_accuracy import (
    DatabaseLookup,
    ExecutionAccuracy,
    Metric,
    PredictionScore,
)
from route_sql.training.evaluation.scores.further_scores import ScoreFurther, no_further_scores

OnQuestion = Callable[[int, int, int], None]
"""Called with the questions done, all questions and the right ones; first with the counts of a resumed run."""


async def evaluate_examples(
    ask: Ask,
    examples: Sequence[Example],
    catalog: DatabaseLookup,
    out: Path,
    *,
    concurrency: int = 1,
    settings: Mapping[str, JSON],
    metric: Metric = "spider",
    keep_distinct: bool = False,
    score_further: ScoreFurther = no_further_scores,
    whole: Sequence[Example] | None = None,
    progress: OnQuestion | None = None,
) -> Summary:
    """Ask every question that `out` doesn't hold yet, score it, and give the figures of the whole run.

    Args:
        ask: Answers one question, which is given without its gold; an exception from it stops the run.
        examples: The questions to ask.
        catalog: The databases that the examples name, for the scoring.
        out: The JSON Lines file, one `Line` a question; `OUT.meta.json` keeps the settings. A stopped run is resumed.
        concurrency: Questions asked at the same time.
        settings: Model, strategy, seed, data; a run is not resumed with others.
        metric: The rule of scoring.
        keep_distinct: Don't drop DISTINCT before scoring by Spider's rule.
        score_further: Further scores of each line, such as those of a test suite.
        whole: The examples of all shards, if `examples` are one of them.
        progress: Called after every question.

    Raises:
        EvaluationError: no examples, a concurrency below 1, or a file that belongs to another run or other databases.
        DatabaseUnavailable: a database can't be read.
    """
    _require(examples, concurrency)
    scorer = ExecutionAccuracy(catalog, metric=metric, keep_distinct=keep_distinct)
    run = {**settings, "metric": metric, "keep_distinct": keep_distinct}
    digests = await asyncio.to_thread(database_digests, catalog.get, [example.database for example in examples])
    async with open_run(out, run, examples, whole=whole, databases=digests) as log:
        _report(log, len(examples), progress)

        async def work(example: Example) -> None:
            line = await ask_and_score(ask, example, scorer)
            await log.append(await score_further(example, line))
            _report(log, len(examples), progress)

        await for_each(work, _unanswered(examples, log), concurrency)
    return summarise(log.lines)


def _unanswered(examples: Sequence[Example], log: RunLog) -> list[Example]:
    """Examples without a line in the log."""
    done = {line["index"] for line in log.lines}
    return [example for example in examples if example.index not in done]


def _require(examples: Sequence[Example], concurrency: int) -> None:
    if not examples or concurrency < 1:
        raise EvaluationError("an evaluation needs at least one question and a concurrency of 1 or more")


async def score_prediction(
    scorer: ExecutionAccuracy, example: Example, sql: str | None, status: AnswerStatus | None
) -> PredictionScore:
    """Score one prediction.

    An answer whose own status is `error` is wrong whatever its SQL returns, and so is any answer to a question whose
    database is not there.
    """
    if not scorer.has(example.database):
        return PredictionScore(False, f"{WRONG_DATABASE}there is no {example.database!r}", "error", gold_fault=True)
    if status == "error":
        return PredictionScore(False, "the answer is an error", "error")
    return await scorer.score(example, sql)


async def ask_and_score(ask: Ask, example: Example, scorer: ExecutionAccuracy) -> Line:
    """Ask one question and score its answer; one whose database is missing is not asked and counts as wrong.

    Raises:
        DatabaseUnavailable: the database can't be read. Exceptions of `ask` are raised as they are.
    """
    question = Question(question=example.question, database=example.database)
    if example.evidence:
        question["evidence"] = example.evidence
    began = perf_counter()
    answer = await ask(question) if scorer.has(example.database) else _NOT_ASKED
    seconds = perf_counter() - began
    score = await score_prediction(scorer, example, answer["sql"], answer["status"])
    return _line(example, answer, score, await scorer.gold_tables(example), seconds)


_NOT_ASKED = no_answer("the database is not there")


def _line(example: Example, answer: Answer, score: PredictionScore, tables: int, seconds: float) -> Line:
    ledger = answer["ledger"]
    return Line(
        index=example.index,
        database=example.database,
        question=example.question,
        sql=answer["sql"],
        status=answer["status"],
        error=answer["error"],
        correct=score.correct,
        reason=score.reason,
        gold_fault=score.gold_fault,
        tables=tables,
        difficulty=example.difficulty,
        calls=len(ledger),
        prompt_tokens=sum(entry["prompt_tokens"] for entry in ledger),
        cached_tokens=_sum([entry["cached_tokens"] for entry in ledger]),
        completion_tokens=sum(entry["completion_tokens"] for entry in ledger),
        seconds=seconds,
        asked=[entry["node"] for entry in ledger],
        confidence=answer["confidence"],
        calibrated=answer["calibrated"],
        doubts=answer["doubts"],
        candidates=[ProposedSQL(agent=c["agent"], sql=c["sql"], status=c["status"]) for c in answer["candidates"]],
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    """The sum, or None where a count is not known: the sum of the others would look like the whole."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _report(log: RunLog, total: int, progress: OnQuestion | None) -> None:
    if progress is not None:
        progress(len(log.lines), total, sum(line["correct"] for line in log.lines))
