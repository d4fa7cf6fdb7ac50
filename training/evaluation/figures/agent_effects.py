"""Effects of each agent in a run: how often its SQL was right, and whether it helped or harmed."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TypedDict

from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.run_log import Line
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy


class AgentEffect(TypedDict):
    """Counts of one agent's candidates; help and harm compare with the candidate before, of any agent."""

    candidates: int
    right: int
    help: int
    """The candidate before was wrong, this one is right."""
    harm: int
    """The candidate before was right, this one is wrong."""


async def agent_effects(
    lines: Sequence[Line], examples: Sequence[Example], scorer: ExecutionAccuracy
) -> dict[str, AgentEffect]:
    """Score every candidate of a run by itself.

    Harm counted here need not reach the answer: the strategy may have chosen the earlier candidate.

    Raises:
        EvaluationError: a line is for none of the examples.
        DatabaseUnavailable: a database can't be read.
    """
    asked = {example.index: example for example in examples}
    effects: dict[str, AgentEffect] = {}
    for line in lines:
        verdicts = await _verdicts(line, _asked(line, asked), scorer)
        before: bool | None = None
        for candidate in line["candidates"]:
            right = verdicts[candidate["sql"]]
            _count(effects, candidate["agent"], right=right, before=before)
            before = right
    return effects


async def as_if_only(
    agents: Sequence[str], lines: Sequence[Line], examples: Sequence[Example], scorer: ExecutionAccuracy
) -> list[Line]:
    """The lines of a run, scored as if these agents had answered with their last candidate before another agent's.

    `["draft"]` gives the score of one call, which has the prompt of `single`. Costs stay those of the run.

    Raises:
        EvaluationError: a line is for none of the examples.
        DatabaseUnavailable: a database can't be read.
    """
    asked = {example.index: example for example in examples}
    answered = []
    for line in lines:
        example = _asked(line, asked)
        written = list(takewhile(lambda candidate: candidate["agent"] in agents, line["candidates"]))
        right = bool(written) and (await scorer.score(example, written[-1]["sql"])).correct
        answered.append(Line(**{**line, "correct": right}))
    return answered


def _asked(line: Line, examples: Mapping[int, Example]) -> Example:
    example = examples.get(line["index"])
    if example is None or example.database != line["database"]:
        raise EvaluationError(f"the run's question {line['index']} is none of the {len(examples)} examples")
    return example


async def _verdicts(line: Line, example: Example, scorer: ExecutionAccuracy) -> Mapping[str, bool]:
    distinct = dict.fromkeys(candidate["sql"] for candidate in line["candidates"])
    return {sql: (await scorer.score(example, sql)).correct for sql in distinct}


def _count(effects: dict[str, AgentEffect], agent: str, *, right: bool, before: bool | None) -> None:
    effect = effects.setdefault(agent, AgentEffect(candidates=0, right=0, help=0, harm=0))
    effect["candidates"] += 1
    effect["right"] += right
    effect["help"] += right and before is False
    effect["harm"] += before is True and not right
