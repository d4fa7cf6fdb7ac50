"""Ask questions whose right SQL is known, and keep how the graph assessed each answer, and whether it was right."""

from dataclasses import replace
from typing import Any

from route_sql.graph.context import Context
from route_sql.graph.state import Assessment, Kind, Question
from route_sql.graph.wiring import Graph
from route_sql.training.calibration.fitting import Observation
from route_sql.training.datasets.examples import Example
from route_sql.training.evaluation.execution_accuracy import ExecutionAccuracy


async def observe(graph: Graph, example: Example, scorer: ExecutionAccuracy, context: Context) -> list[Observation]:
    """Ask one question and judge the leading candidate: before a second opinion, and at the end.

    Nobody is left out because a draft is sure enough, so that both kinds are seen.

    Raises:
        DatabaseUnavailable: the database can't be read; what the model raises goes up as it is.
    """
    question = Question(question=example.question, database=example.database, evidence=example.evidence)
    last: dict[Kind, Assessment] = {}
    asked = graph.astream(question, context=replace(context, enough=1.0), stream_mode="updates")
    async for update in asked:
        if (assessment := _assessment(update)) is not None:
            last[assessment["kind"]] = assessment
    return [await _judged(example, assessment, scorer) for assessment in last.values()]


def _assessment(update: Any) -> Assessment | None:
    return (update.get("execute") or {}).get("assessment")


async def _judged(example: Example, assessment: Assessment, scorer: ExecutionAccuracy) -> Observation:
    verdict = await scorer.score(example, assessment["sql"])
    return Observation(example.database, assessment["kind"], assessment["signals"], verdict.correct)
