"""Observations for a calibration: the graph's assessment of each answer, and whether the answer is right."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

from route_sql.graph.context import Context
from route_sql.graph.selection import has_rows
from route_sql.graph.state import AnswerKind, Assessment, Question
from route_sql.graph.wiring import Graph
from route_sql.training.calibration.fitting import Observation
from route_sql.training.concurrency import for_each
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.kept_lines import reading
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy


class Indexed(Protocol):
    """Something found for the example of an index."""

    @property
    def index(self) -> int:
        """That of the example, in the questions file."""


_OfExample = TypeVar("_OfExample", bound=Indexed)


@dataclass(frozen=True)
class ObservedQuestion:
    """One question: its leading candidate before a second opinion, after it and after a vote, and the run's calls."""

    index: int
    observations: list[Observation]
    calls: int
    digest: str = ""
    """That of its example (see `example_digest`); empty in lines of earlier versions."""
    gold_fault: bool = False
    """True if its gold query fails: nothing can be right then, so it says nothing of the model."""
    verdict_on_rows: list[bool] | None = None
    """Whether the answer was right before and after a verdict; None if none was given once a query had rows."""

    def of(self, kind: AnswerKind) -> Observation | None:
        """The observation of a kind; None if the run had none."""
        return next((each for each in self.observations if each.kind == kind), None)


async def observe(graph: Graph, example: Example, scorer: ExecutionAccuracy, context: Context) -> ObservedQuestion:
    """Ask one question and judge its leading candidates. No run ends early, so that both kinds are seen.

    Raises:
        DatabaseUnavailable: the database can't be read; errors of the model are raised as they are.
    """
    question = Question(question=example.question, database=example.database, evidence=example.evidence)
    run = _ObservedRun()
    async for update in graph.astream(question, context=replace(context, enough=1.0), stream_mode="updates"):
        run.add(update)
    scores = {sql: await scorer.score(example, sql) for sql in {each["sql"] for each in run.assessments}}
    judged = [
        Observation(example.database, each["kind"], each["signals"], scores[each["sql"]].correct)
        for each in {each["kind"]: each for each in run.assessments}.values()
    ]
    fault = any(score.gold_fault for score in scores.values())
    verdict = [scores[each["sql"]].correct for each in run.around_verdict] or None
    return ObservedQuestion(example.index, judged, run.calls, example_digest(example), fault, verdict)


@dataclass
class _ObservedRun:
    """The course of a run so far."""

    assessments: list[Assessment] = field(default_factory=list)
    """The assessment of each leading candidate, in order."""
    calls: int = 0
    returned_rows: bool = False
    before_verdict: Assessment | None = None
    """The assessment when the noise corrector was first asked after a query had returned rows."""

    def add(self, update: Mapping[str, Any]) -> None:
        """Take the changes that the nodes of one step made."""
        self.calls += sum(len((change or {}).get("ledger", [])) for node, change in update.items() if node != "ground")
        if "correct_noise" in update and self.returned_rows and self.before_verdict is None:
            self.before_verdict = self.assessments[-1]
        executed = update.get("execute") or {}
        self.returned_rows |= any(map(has_rows, executed.get("attempts", [])))
        if (assessment := executed.get("assessment")) is not None:
            self.assessments.append(assessment)

    @property
    def around_verdict(self) -> list[Assessment]:
        """The assessments before the verdict and at the end; empty without a verdict on rows."""
        return [self.before_verdict, self.assessments[-1]] if self.before_verdict else []


def example_digest(example: Example) -> str:
    """A digest of question, database, evidence and SQL, by which a resumed run knows that they are the same."""
    return sha256(json.dumps(astuple(replace(example, index=0))).encode()).hexdigest()[:16]


def check_same_examples(path: Path, known: Mapping[int, str], examples: Sequence[Example]) -> None:
    """Check that the lines of an earlier run are of the questions that are asked now.

    Args:
        path: The file of the lines.
        known: The digests of their examples by index.
        examples: The examples that are asked now.

    Raises:
        EvaluationError: one is of another question, or its right SQL was another one.
    """
    changed = [e.index for e in examples if known.get(e.index) and known[e.index] != example_digest(e)]
    if changed:
        raise EvaluationError(
            f"{path} has answers to other questions: pair {changed[0] + 1} of the questions file, or its SQL, was "
            "another one; name another file with --out"
        )


async def ask_missing(
    ask: Callable[[Example], Awaitable[None]],
    examples: Sequence[Example],
    done: Collection[int],
    progress: Callable[[int, int], None],
    concurrency: int,
) -> None:
    """Ask the examples that an earlier run has not asked.

    Args:
        ask: Asks one example and keeps what it finds; its exception stops the run.
        examples: All examples.
        done: The indices of those that were asked.
        progress: Called with the examples done and all examples: first with those of the earlier run, then after each.
        concurrency: Examples asked at the same time.
    """
    missing = [example for example in examples if example.index not in done]
    counts = count(len(examples) - len(missing))
    progress(next(counts), len(examples))

    async def work(example: Example) -> None:
        await ask(example)
        progress(next(counts), len(examples))

    await for_each(work, missing, concurrency)


def of_examples(found: Sequence[_OfExample], examples: Sequence[Example]) -> list[_OfExample]:
    """Items of the examples, in the order of their indices: the same, whichever was answered first."""
    indices = {example.index for example in examples}
    return sorted((each for each in found if each.index in indices), key=lambda each: each.index)


def read_lines(path: Path) -> list[ObservedQuestion]:
    """The questions of a JSON Lines file; a last line that was cut off is left out, and a missing file has none.

    Raises:
        EvaluationError: the file is damaged.
    """
    with reading(path):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = [json.loads(line) for line in text.split("\n")[:-1]]
        return [
            ObservedQuestion(**{**line, "observations": [Observation(**each) for each in line["observations"]]})
            for line in lines
        ]


def observations_of(questions: Sequence[ObservedQuestion], kind: AnswerKind) -> list[Observation]:
    """The observations of a kind."""
    return [found for question in questions if (found := question.of(kind)) is not None]
