"""Questions that one of two runs got wrong, side by side, and how often each kind of error occurs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from route_sql.training.datasets.data_set import Layout
from route_sql.training.datasets.examples import Example, load_examples
from route_sql.training.datasets.query_log import load_query_log
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.figures.error_kinds import error_kinds
from route_sql.training.evaluation.run_log import Line

QuestionChange = Literal["lost", "gained", "both wrong"]
"""Only the first run was right, only the second, or neither."""


@dataclass(frozen=True)
class WrongQuestion:
    """A question that at least one of two runs got wrong."""

    change: QuestionChange
    accepted: tuple[str, ...]
    """Every accepted query, the gold first; empty where no questions file was given."""
    first: Line
    second: Line
    first_gold: str | None
    """The accepted query that the first run's query differs from least; None where none is known."""
    second_gold: str | None
    first_kinds: Sequence[str]
    second_kinds: Sequence[str]


def wrong_questions(
    first: Sequence[Line], second: Sequence[Line], gold: Mapping[int, Example] | None = None
) -> list[WrongQuestion]:
    """The questions that a run got wrong: first those that were lost, then those gained, then those wrong in both.

    Args:
        first: The lines of one run.
        second: The lines of the other, over the same questions.
        gold: The examples by index, if there are any.

    Raises:
        EvaluationError: the examples are not those of the runs.
    """
    other = {line["index"]: line for line in second}
    found = [_wrong(line, other[line["index"]], _accepted(line, gold)) for line in first]
    order: tuple[QuestionChange, ...] = ("lost", "gained", "both wrong")
    return sorted((each for each in found if each), key=lambda each: (order.index(each.change), each.first["index"]))


def kinds_of_error(wrong: Iterable[WrongQuestion]) -> list[tuple[str, int, int]]:
    """Each kind of error, with the number of its questions in both runs; the most frequent first."""
    questions = list(wrong)
    ours = Counter(kind for each in questions for kind in each.first_kinds)
    theirs = Counter(kind for each in questions for kind in each.second_kinds)
    kinds = sorted(ours | theirs, key=lambda kind: (-(ours[kind] + theirs[kind]), kind))
    return [(kind, ours[kind], theirs[kind]) for kind in kinds]


def gold_of(questions: Path, layout: Layout) -> dict[int, Example]:
    """The examples of a questions file by index, those that are left out included.

    Raises:
        DatasetError: the file can't be read.
    """
    examples = load_query_log(questions) if layout == "log" else load_examples(questions, layout, exclude=False)
    return {example.index: example for example in examples}


def _accepted(line: Line, gold: Mapping[int, Example] | None) -> tuple[str, ...]:
    if gold is None:
        return ()
    example = gold.get(line["index"])
    if example is None or (example.database, example.question) != (line["database"], line["question"]):
        raise EvaluationError(
            f"question {line['index']} of the runs is another one in the questions file; name the file that was asked"
        )
    return example.accepted_queries


def _nearest(line: Line, accepted: Sequence[str]) -> tuple[str | None, list[str]]:
    """The accepted query with the fewest kinds of error, and these kinds; the gold where several have as few."""
    found = [(gold, error_kinds(line, gold)) for gold in accepted or (None,)]
    return min(found, key=lambda each: len(each[1]))


def _wrong(first: Line, second: Line, accepted: tuple[str, ...]) -> WrongQuestion | None:
    if first["correct"] and second["correct"]:
        return None
    change: QuestionChange = "lost" if first["correct"] else "gained" if second["correct"] else "both wrong"
    first_gold, first_kinds = _nearest(first, accepted)
    second_gold, second_kinds = _nearest(second, accepted)
    return WrongQuestion(change, accepted, first, second, first_gold, second_gold, first_kinds, second_kinds)
