"""Several replies of a model to each question of a training set, one database at a time; a stopped run is resumed.

Questions on one database begin alike, so a batch computes its schema once.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from random import Random
from typing import cast
from zlib import crc32

from route_sql.agents.call import TEMPERATURE
from route_sql.tools.files import sha256_of, write_whole
from route_sql.training.errors import EvaluationError, TrainingError
from route_sql.training.evaluation.kept_lines import keep_settings, reading, write_lines
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.resumable import OneWriter
from route_sql.training.rows.row_files import file_name
from route_sql.training.tasks.task import Row
from route_sql.training.tuning.batched_replies import Decoding, Sampler
from route_sql.training.two_stages.folds import rows_of_file


@dataclass(frozen=True)
class ReplyPlan:
    """Settings of a run. The training questions of a set are asked on the full schema."""

    data: Path
    """The folder of the set."""
    base: Path
    """The base, a GGUF file or a folder in transformers' format."""
    adapter: Path | None = None
    replies: int = 4
    """Replies to each question."""
    per_database: int | None = None
    """Questions of a database at most, drawn at random; None asks all."""
    temperature: float = TEMPERATURE
    max_new_tokens: int = 160
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            TrainingError: all replies to a question would be the same.
        """
        if self.temperature == 0 and self.replies > 1:
            raise TrainingError("at a temperature of 0 all replies to a question are the same; ask for one reply")

    @property
    def questions(self) -> Path:
        """The file of the questions."""
        return self.data / file_name("text_to_sql", "train")

    def settings(self) -> dict[str, JSON]:
        """The settings that a resumed run must share."""
        settings = {**asdict(self), "questions_digest": sha256_of(self.questions)}
        return cast(dict[str, JSON], json.loads(json.dumps(settings, default=str)))


def draw_replies(plan: ReplyPlan, out: Path, progress: Callable[[int, int], None]) -> None:
    """Write the replies that `out` lacks, in the form that `train data --replies` reads.

    A reply that was cut at its longest length has no SQL, since it is not the model's answer.

    Args:
        plan: The settings.
        out: The JSON Lines file.
        progress: Called with the number of questions done and of all, before each database and at the end.

    Raises:
        TrainingError: the set has no questions, or the model can't be loaded.
        EvaluationError: `out` is of another run, is damaged, can't be written or is being written.
    """
    asked = _asked(plan)
    with OneWriter(out, "file", EvaluationError):
        keep_settings(out, plan.settings())
        if not (missing := _missing(out, asked, plan)):
            return
        sampler = Sampler(plan.base, plan.adapter)
        total, left = (sum(map(len, part.values())) for part in (asked, missing))
        for rows in missing.values():
            progress(total - left, total)
            write_lines(out, *_lines(sampler, rows, plan))
            left -= len(rows)
        progress(total, total)


def _asked(plan: ReplyPlan) -> dict[str, list[Row]]:
    """The rows that are asked, by database."""
    file = plan.questions
    if not file.is_file():
        raise TrainingError(f"{plan.data} holds no {file.name}; make it with route-sql train data")
    rows = sorted((row for row in rows_of_file(file) if row["kind"] == "full"), key=lambda row: row["database"])
    if not rows:
        raise TrainingError(f"{file} holds no question on a full schema; make it with route-sql train data")
    return {name: _chosen(name, list(part), plan) for name, part in groupby(rows, key=lambda row: row["database"])}


def _chosen(name: str, rows: list[Row], plan: ReplyPlan) -> list[Row]:
    if plan.per_database is None or len(rows) <= plan.per_database:
        return rows
    return Random(f"{plan.seed} {name}").sample(rows, plan.per_database)


def _missing(out: Path, asked: Mapping[str, list[Row]], plan: ReplyPlan) -> dict[str, list[Row]]:
    """The databases without all their replies; lines of a part of a database are dropped from the file."""
    with reading(out):
        text = out.read_text(encoding="utf-8") if out.exists() else ""
        lines = [json.loads(line) for line in text.split("\n") if line]
        counts = Counter(line["database"] for line in lines)
        done = {name for name, rows in asked.items() if counts[name] == len(rows) * plan.replies}
        write_whole(out, "".join(json.dumps(line) + "\n" for line in lines if line["database"] in done))
    return {name: rows for name, rows in asked.items() if name not in done}


def _lines(sampler: Sampler, rows: Sequence[Row], plan: ReplyPlan) -> Iterator[dict[str, JSON]]:
    """The lines of one database."""
    repeated = [row for row in rows for _ in range(plan.replies)]
    # The same replies, whichever databases were done before.
    seed = plan.seed + crc32(rows[0]["database"].encode())
    decoding = Decoding(plan.temperature, plan.max_new_tokens, seed=seed)
    replies = sampler.replies([row["prompt"] for row in repeated], decoding)
    for row, reply in zip(repeated, replies, strict=True):
        yield {"index": row["index"], "database": row["database"], "sql": reply.text if reply.whole else None}
