"""Scores of a model's replies to held-out rows: each task's own score, computed on the databases."""

from collections import defaultdict
from collections.abc import Sequence

from typing_extensions import TypedDict

from route_sql.training.datasets.data_set import OpenDataSet
from route_sql.training.rows.building import TASKS
from route_sql.training.rows.training_example import ExamplePreparer
from route_sql.training.tasks.task import Row
from route_sql.training.tuning.batched_replies import GeneratedReply


class Score(TypedDict):
    """The mean score of some rows, 0 to 1; see each task for what its score is."""

    rows: int
    mean: float


async def score_replies(
    source: OpenDataSet, rows: Sequence[Row], replies: Sequence[GeneratedReply]
) -> dict[str, Score]:
    """The mean score of each task, and of each kind of its rows, as `task` and `task/kind`.

    Kinds are the coarse ones. Of noise correction they are `right` and `wrong`: how many right queries stayed right,
    and how many wrong ones were made right. A reply that was cut is scored as it is.

    Raises:
        DatabaseUnavailable: a database can't be read.
    """
    judge = ExamplePreparer(source, 0, {}).judge
    worth: defaultdict[str, list[float]] = defaultdict(list)
    for row, reply in zip(rows, replies, strict=True):
        score = await TASKS[row["task"]].score(reply.text, row, judge)
        for name in (row["task"], f"{row['task']}/{row['kind'].split(':')[0]}"):
            worth[name].append(score)
    return {name: Score(rows=len(found), mean=sum(found) / len(found)) for name, found in sorted(worth.items())}
