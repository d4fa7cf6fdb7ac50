"""Observations for a calibration: the graph's assessment of each answer, and whether the answer is right."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from route_sql.graph.context import Context
from route_sql.graph.state import AnswerKind, Assessment, Question
from route_sql.graph.wiring import Graph
from route_sql.tools.files import write_whole
from route_sql.training.calibration.fitting import Observation
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.run_log import JSON, meta_path
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy
from route_sql.training.resumable import check_same_settings, different_settings


@dataclass(frozen=True)
class ObservedQuestion:
    """One question: its leading candidate before a second opinion, after it and after a vote, and the run's calls."""

    index: int
    observations: list[Observation]
    calls: int

    def of(self, kind: AnswerKind) -> Observation | None:
        """The observation of a kind; None if the run had none."""
        return next((each for each in self.observations if each.kind == kind), None)


async def observe(graph: Graph, example: Example, scorer: ExecutionAccuracy, context: Context) -> ObservedQuestion:
    """Ask one question and judge its leading candidates. No run ends early, so that both kinds are seen.

    Raises:
        DatabaseUnavailable: the database can't be read; errors of the model are raised as they are.
    """
    question = Question(question=example.question, database=example.database, evidence=example.evidence)
    last: dict[AnswerKind, Assessment] = {}
    calls = 0
    async for update in graph.astream(question, context=replace(context, enough=1.0), stream_mode="updates"):
        calls += sum(len((change or {}).get("ledger", [])) for node, change in update.items() if node != "ground")
        if (assessment := _assessment(update)) is not None:
            last[assessment["kind"]] = assessment
    judged = [await _judged(example, assessment, scorer) for assessment in last.values()]
    return ObservedQuestion(example.index, judged, calls)


def write_line(path: Path, observed: ObservedQuestion) -> None:
    """Add one question to a JSON Lines file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(observed)) + "\n")


def read_lines(path: Path) -> list[ObservedQuestion]:
    """The questions of a JSON Lines file; a last line that was cut off is left out, and a missing file has none."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return [
        ObservedQuestion(line["index"], [Observation(**each) for each in line["observations"]], line["calls"])
        for line in lines
    ]


def keep_settings(path: Path, settings: Mapping[str, JSON]) -> None:
    """Keep the settings of a run next to its lines, or check that a run that is resumed has the same.

    A last line that was cut off is dropped from the file.

    Raises:
        EvaluationError: the lines are of a run with other settings.
    """
    place = meta_path(path)
    if path.exists() and place.exists():
        differences = different_settings(json.loads(place.read_text(encoding="utf-8")), settings)
        check_same_settings(path, differences, "name another file with --out", EvaluationError)
    write_whole(place, json.dumps(dict(settings), indent=1) + "\n")
    if path.exists():
        text = path.read_text(encoding="utf-8")
        write_whole(path, text[: text.rfind("\n") + 1])


def observations_of(questions: Sequence[ObservedQuestion], kind: AnswerKind) -> list[Observation]:
    """The observations of a kind."""
    return [found for question in questions if (found := question.of(kind)) is not None]


def _assessment(update: Any) -> Assessment | None:
    return (update.get("execute") or {}).get("assessment")


async def _judged(example: Example, assessment: Assessment, scorer: ExecutionAccuracy) -> Observation:
    score = await scorer.score(example, assessment["sql"])
    return Observation(example.database, assessment["kind"], assessment["signals"], score.correct)
