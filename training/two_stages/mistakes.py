"""Replies of a model to questions that it was not trained on, for every fold: the source of its real mistakes."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from route_sql.tools.files import write_whole
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.tasks.task import Row
from route_sql.training.tuning.batched_replies import Decoding, GeneratedReply, Sampler

logger = logging.getLogger(__name__)

TEMPERATURE = 0.8


@dataclass(frozen=True)
class SamplingPlan:
    """Replies to each question: one greedy, then `drawn` sampled ones."""

    decoding: Decoding = Decoding()
    drawn: int = 1

    def decodings(self) -> list[tuple[str, Decoding]]:
        """Each pass by name."""
        chance = [
            (f"drawn-{n}", replace(self.decoding, temperature=TEMPERATURE, seed=self.decoding.seed + 1000 * n))
            for n in range(1, self.drawn + 1)
        ]
        return [("greedy", self.decoding), *chance]


def write_replies(sampler: Sampler, rows: Sequence[Row], sampling: SamplingPlan, file: Path) -> dict[str, JSON]:
    """Ask the model the questions of text-to-SQL rows, and write what `route-sql train data --replies` reads.

    A reply that was cut is left out: noise correction is about wrong queries, not missing ends.

    Returns:
        How many questions were asked, replies were kept and cut, by pass.
    """
    lines: list[str] = []
    counts: dict[str, JSON] = {"questions": len(rows)}
    for name, decoding in sampling.decodings():
        replies = generate_replies(sampler, rows, decoding)
        whole = [(row, reply) for row, reply in zip(rows, replies, strict=True) if reply.whole]
        lines += [_line(row, reply, name) for row, reply in whole]
        counts |= {name: len(whole), f"{name}, cut": len(rows) - len(whole)}
    write_whole(file, "".join(lines))
    return counts


def generate_replies(sampler: Sampler, rows: Sequence[Row], decoding: Decoding) -> list[GeneratedReply]:
    """The model's reply to each row's prompt."""

    def log_progress(done: int, total: int) -> None:
        logger.info("%d of %d replies", done, total)

    prompts = [row["prompt"] for row in rows]
    return sampler.replies(
        prompts, decoding, expected=[row["completion"][0]["content"] for row in rows], progress=log_progress
    )


def _line(row: Row, reply: GeneratedReply, name: str) -> str:
    entry = {"index": row["index"], "database": row["database"], "pass": name, "sql": reply.text}
    return json.dumps(entry) + "\n"
