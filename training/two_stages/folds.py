"""Folds of databases, so that a model's mistakes come from questions that it was not trained on.

Mistakes on databases of the training are rare, and of another kind than those on new databases.
"""

import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import cast, get_args

from route_sql.tools.files import written_whole
from route_sql.training.errors import TrainingError
from route_sql.training.rows.row_files import file_name
from route_sql.training.tasks.task import Row, TaskName


def fold_databases(rows: Sequence[Row], folds: int) -> list[list[str]]:
    """Databases in folds with about as many rows each; the same rows give the same folds.

    Raises:
        TrainingError: there are fewer databases than folds.
    """
    counts = Counter(row["database"] for row in rows)
    if len(counts) < folds:
        raise TrainingError(f"{len(counts)} databases can't be put into {folds} folds; bring more of them")
    parts: list[list[str]] = [[] for _ in range(folds)]
    for name, _ in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        min(parts, key=lambda part: sum(counts[other] for other in part)).append(name)
    return [sorted(part) for part in parts]


def rows_of_file(file: Path) -> Iterator[Row]:
    """The rows of one file of a set, in order."""
    with file.open(encoding="utf-8") as lines:
        yield from (cast(Row, json.loads(line)) for line in lines)


def write_fold(data: Path, out: Path, databases: Collection[str]) -> None:
    """Write a set with the training rows of some databases, and all rows that are held out for evaluation."""
    with written_whole(out) as draft:
        draft.mkdir(parents=True)
        for task in get_args(TaskName):
            shutil.copyfile(data / file_name(task, "eval"), draft / file_name(task, "eval"))
            whole, part = data / file_name(task, "train"), draft / file_name(task, "train")
            with whole.open(encoding="utf-8") as lines, part.open("w", encoding="utf-8") as kept:
                kept.writelines(line for line in lines if json.loads(line)["database"] in databases)
