"""Scores existing predictions: a run's lines, plain text, or a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from route_sql.training.concurrency import for_each
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.evaluate import OnQuestion, score_prediction
from route_sql.training.evaluation.prediction_files import Record, read_records
from route_sql.training.evaluation.run_log import WRONG_DATABASE, Line
from route_sql.training.evaluation.scores.execution_accuracy import (
    DatabaseLookup,
    ExecutionAccuracy,
    Metric,
    PredictionScore,
)
from route_sql.training.evaluation.scores.further_scores import ScoreFurther, no_further_scores

_INDEX = "index"
_KEPT = (
    "status",
    "error",
    "calls",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "seconds",
    "asked",
    "candidates",
    "confidence",
    "calibrated",
    "doubts",
)
"""Fields that keep the run's values when its lines are scored again."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One predicted query; `line` is its line in a run, None if the file is not a run's.

    `other_database` is the database that it was made for, if that is not the question's.
    """

    example: Example
    sql: str | None
    line: Line | None
    other_database: str | None = None


async def score_predictions(
    path: Path,
    examples: Sequence[Example],
    catalog: DatabaseLookup,
    *,
    column: str | None = None,
    total: int | None = None,
    metric: Metric = "spider",
    keep_distinct: bool = False,
    concurrency: int = 2,
    score_further: ScoreFurther = no_further_scores,
    progress: OnQuestion | None = None,
) -> list[Line]:
    """Score a file of predictions; a run's lines keep their costs and candidates and are scored again.

    Args:
        path: See `read_predictions`.
        examples: The questions that were asked.
        catalog: The databases that the examples name.
        column: See `read_predictions`.
        total: See `read_predictions`.
        metric: The rule of scoring.
        keep_distinct: Don't drop DISTINCT before scoring by Spider's rule.
        concurrency: Predictions scored at the same time.
        score_further: Further scores of each line, such as those of a test suite.
        progress: Called after every prediction.

    Returns:
        One line for each prediction, in the file's order.

    Raises:
        EvaluationError: the file can't be read or doesn't fit the examples.
        DatabaseUnavailable: a database can't be read.
    """
    predictions = read_predictions(path, examples, column=column, total=total)
    scorer = ExecutionAccuracy(catalog, metric=metric, keep_distinct=keep_distinct)
    scored: dict[int, Line] = {}

    async def work(placed: tuple[int, Prediction]) -> None:
        place, prediction = placed
        line = await _score(scorer, prediction)
        scored[place] = await score_further(prediction.example, line)
        if progress is not None:
            progress(len(scored), len(predictions), sum(line["correct"] for line in scored.values()))

    await for_each(work, enumerate(predictions), concurrency)
    return [scored[place] for place in range(len(predictions))]


def read_predictions(
    path: Path, examples: Sequence[Example], *, column: str | None = None, total: int | None = None
) -> list[Prediction]:
    """Read predictions and find the example of each.

    Four formats: JSON Lines of objects (a run's lines) with the SQL under `column` or `sql`; CSV, by its ending or with
    a `column`; text with one query on each line, whose database may follow after a tab; BIRD's own object from index to
    query and database. Entries with an `index` are matched by it and may be fewer than the examples; those that
    `EXCLUDED.json` leaves out are skipped. Entries without an index are in order, one for each example or one for each
    entry of the whole questions file.

    Args:
        path: The file, UTF-8.
        examples: The questions that were asked.
        column: The name of the CSV column or of the JSON key that holds the SQL.
        total: Entries in the whole questions file, excluded ones included; None if none was excluded.

    Raises:
        EvaluationError: the file can't be read, has no such column, or its lines don't fit the examples; so if
            half of them or more are for another database than their question.
    """
    records, column = read_records(path, column, {example.database for example in examples})
    total = len(examples) if total is None else total
    if records and all(_INDEX in record for record in records):
        found = _by_index(path, records, column, examples, total)
    else:
        found = _in_order(path, records, column, examples, total)
    _check_databases(path, found)
    return found


def _by_index(
    path: Path, records: list[Record], column: str, examples: Sequence[Example], total: int
) -> list[Prediction]:
    asked = {example.index: example for example in examples}
    predictions: dict[int, Prediction] = {}
    for record in records:
        index = int(record[_INDEX]) if str(record[_INDEX]).isdecimal() else -1
        if index in predictions or not (index in asked or 0 <= index < total):
            raise EvaluationError(f"{path}: index {record[_INDEX]} occurs twice or is none of the questions'")
        if index in asked:
            predictions[index] = _matched(asked[index], record, column)
    if not predictions:
        raise EvaluationError(f"{path} has predictions for none of the {len(examples)} questions")
    return list(predictions.values())


def _in_order(
    path: Path, records: list[Record], column: str, examples: Sequence[Example], total: int
) -> list[Prediction]:
    if len(records) == total != len(examples):
        return [_matched(example, records[example.index], column) for example in examples]
    if len(records) != len(examples):
        whole = f" (or {total}, the whole file)" if total != len(examples) else ""
        raise EvaluationError(
            f"{path} has {len(records)} predictions for {len(examples)} questions{whole}; give one a question"
        )
    return [_matched(example, record, column) for example, record in zip(examples, records, strict=True)]


def _matched(example: Example, record: Record, column: str) -> Prediction:
    named = record.get("database") or record.get("db_id")
    line = cast(Line, record) if Line.__required_keys__ <= record.keys() else None
    if line and line["question"] != example.question:
        raise EvaluationError(
            f"question {example.index} of the run is another one in the questions file; name the file that was asked, "
            "or begin a new run"
        )
    return Prediction(example, record[column], line, str(named) if named not in (None, example.database) else None)


def _check_databases(path: Path, predictions: Sequence[Prediction]) -> None:
    """Refuse a file with many predictions for another database; a few are slips."""
    strange = [prediction for prediction in predictions if prediction.other_database]
    if strange and 2 * len(strange) >= len(predictions):
        example = strange[0].example
        raise EvaluationError(
            f"{path}: the prediction for question {example.index} is for database {strange[0].other_database!r}, the "
            f"question for {example.database!r}, and so are {len(strange)} of {len(predictions)}; "
            "are these the predictions for other questions?"
        )


async def _score(scorer: ExecutionAccuracy, prediction: Prediction) -> Line:
    example, line = prediction.example, prediction.line
    if prediction.other_database:
        reason = f"{WRONG_DATABASE}the prediction is for {prediction.other_database!r}"
        score = PredictionScore(False, reason, "error")
    else:
        score = await score_prediction(scorer, example, prediction.sql, line["status"] if line else None)
    renewed = _line(prediction, score, await scorer.gold_tables(example))
    known = cast("dict[str, Any]", line or {})
    return cast(Line, {**renewed, **{key: known[key] for key in _KEPT if key in known}})


def _line(prediction: Prediction, score: PredictionScore, gold_tables: int) -> Line:
    """The line of a prediction that comes without costs and candidates."""
    example = prediction.example
    return Line(
        index=example.index,
        database=example.database,
        question=example.question,
        sql=prediction.sql,
        status=score.status,
        error=None,
        correct=score.correct,
        reason=score.reason,
        gold_fault=score.gold_fault,
        tables=gold_tables,
        difficulty=example.difficulty,
        calls=None,
        prompt_tokens=None,
        cached_tokens=None,
        completion_tokens=None,
        seconds=None,
        asked=[],
        candidates=[],
    )
