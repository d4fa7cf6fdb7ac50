"""Verdicts on a model's own queries, in pairs and single: does the probability of a verdict rank right above wrong?

The queries are replies of the model to questions of databases that it was not tuned on, in rows of `train data
--self-training`. A query that fails or returns nothing is easy to tell from a right one, so queries with rows are also
counted alone: only these would need a judge.

    route-sql train data --questions choose.json --databases DIR --held-out 0 --replies FILE --self-training --out rows
    python benchmarks/pairs.py --rows rows --base BASE --adapter ADAPTER

Writes `pairs.md` next to this script. Left out: each pair in its other order.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import exp
from pathlib import Path

from shared.heading import heading

from route_sql.training.calibration.figures import Judged, auroc
from route_sql.training.rows.row_files import file_name
from route_sql.training.tasks.noise_correction import PAIR
from route_sql.training.tasks.task import Row
from route_sql.training.tuning.batched_replies import Decoding, GeneratedReply, Sampler

TABLE = Path(__file__).with_name("pairs.md")
VERDICT = Decoding(rows=48, max_new_tokens=4)
"""The line of a verdict, in the tokenizers that we know."""
WITH_ROWS = re.compile(r"^(?:-- )?\d+ rows?:", re.MULTILINE)


@dataclass(frozen=True)
class JudgedRow:
    """A verdict on one row."""

    yes: bool
    """Whether the first query of a pair is right, or a single one."""
    probability: float
    """That of `first`, or of `right`."""
    with_rows: bool
    """Whether all queries of the row returned rows."""


def main(arguments: argparse.Namespace) -> None:
    """Ask for the verdicts, then write the table."""
    file: Path = arguments.rows / file_name("noise_correction", "train")
    rows: list[Row] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    sampler = Sampler(arguments.base, arguments.adapter)
    groups: dict[str, tuple[str, ...]] = {"pairs": (PAIR,), "single queries": ("right:", "wrong:model")}
    lines = [
        line
        for name, kinds in groups.items()
        for line in table_lines(name, verdicts(sampler, [row for row in rows if row["kind"].startswith(kinds)]))
    ]
    head = heading("Verdicts on own queries", "torch", "transformers", adapter=arguments.adapter.name)
    table = ["| rows | n | AUROC | decided rightly |", "| --- | --: | --: | --: |", *lines]
    arguments.table.write_text(f"{head}\n\n" + "\n".join(table) + "\n", encoding="utf-8")


def verdicts(sampler: Sampler, rows: Sequence[Row]) -> list[JudgedRow]:
    """The verdict on each row; rows on one database share the computation of its schema."""
    found: list[JudgedRow] = []
    for _, group in groupby(sorted(rows, key=lambda row: row["database"]), key=lambda row: row["database"]):
        part = list(group)
        replies = sampler.replies([row["prompt"] for row in part], VERDICT)
        found += [verdict(row, reply) for row, reply in zip(part, replies, strict=True)]
    return found


def verdict(row: Row, reply: GeneratedReply) -> JudgedRow:
    """The verdict of a reply; a reply in another form is for neither."""
    is_pair = row["kind"].startswith(PAIR)
    yes, no = ("first", "second") if is_pair else ("right", "wrong")
    chosen = exp(sum(reply.logprobs))
    said = reply.text.removeprefix("verdict: ")
    probability = chosen if said.startswith(yes) else 1 - chosen if said.startswith(no) else 0.5
    seen = len(WITH_ROWS.findall(row["prompt"][-1]["content"]))
    return JudgedRow(row["kind"].removeprefix(PAIR).startswith(yes), probability, seen == (2 if is_pair else 1))


def table_lines(name: str, found: Sequence[JudgedRow]) -> list[str]:
    """The lines of the table on one kind of rows."""
    parts = {name: found, f"{name}, all with rows": [each for each in found if each.with_rows]}
    return [f"| {title} | {len(part)} | {_ranking(part)} | {_decided(part)} |" for title, part in parts.items()]


def _ranking(part: Sequence[JudgedRow]) -> str:
    found = auroc([Judged(each.probability, each.yes) for each in part])
    return "" if found is None else f"{found:.3f}"


def _decided(part: Sequence[JudgedRow]) -> str:
    right = sum((each.probability > 0.5) == each.yes for each in part)
    return f"{100 * right / len(part):.1f}" if part else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True, help="The set of `train data --self-training`.")
    parser.add_argument("--base", type=Path, required=True, help="The base in transformers' layout.")
    parser.add_argument("--adapter", type=Path, required=True, help="The adapter, as PEFT saved it.")
    parser.add_argument("--table", type=Path, default=TABLE, help="Where the table goes.")
    main(parser.parse_args())
